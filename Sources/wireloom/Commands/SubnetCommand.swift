import Addressing
import ArgumentParser
import Controller
import IPAM
import Postgres

struct SubnetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subnet", abstract: "IP subnets of the wires, their pools and reservations.",
        subcommands: [
            List.self, Show.self, Create.self, Update.self, Confirm.self, Delete.self, Split.self, Merge.self,
            Move.self,
            Pool.self, Reserve.self, Unreserve.self,
        ])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the subnets.",
            discussion: """
                USE: held #, reserved =, quarantined ~, free to allocate ., in no pool blank.

                  wireloom subnet list --wire campus
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Option(help: "Only of this wire.") var wire: String?
        func run() throws {
            try Runtime.with(options) { runtime in
                let rows = try runtime.database.withConnection { connection in
                    try wire.map { _ = try WireTable.named($0, in: connection) }
                    return try Listing.subnets.rows([nil, wire], in: connection)
                }
                try runtime.write(rows, of: .subnets, as: format.output)
            }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one subnet, by name or id.", discussion: "  wireloom subnet show servers")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "A subnet's name or id.") var name: String
        func run() throws { try show(.subnets, [name, nil], "subnet", name, options, format) }
    }

    struct Create: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Create a subnet; known addresses in it are placed at once.",
            discussion: """
                  wireloom subnet create servers --wire campus --cidr 10.20.0.0/24 --vlan 20 \\
                      --gateway 10.20.0.1 --pool 10.20.0.100-10.20.0.199
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "What to call it.") var name: String
        @Option(help: "The wire's name or id.") var wire: String
        @Option(help: "Network address and prefix length.") var cidr: String
        @Option(name: .customLong("vlan"), parsing: .unconditional, help: "1 to 4094.") var vlanNumber: Int = 1
        @Option(help: "The router's address, which is never allocated.") var gateway: String?
        @Option(help: "DNS servers, separated by commas.") var dns: String?
        @Option(help: "The domain that guests append to host names.") var dnsSuffix: String?
        @Option(help: "A note for people.") var description: String?
        @Option(help: "FIRST-LAST, addresses that may be allocated; may be repeated.") var pool: [String] = []
        @OptionGroup(title: "Of the pools") var pools: PoolOptions

        func change(_ networks: NetworkService) throws -> String {
            let request = SubnetRequest(
                name: name, cidr: try prefix(cidr), vlan: try vlan(vlanNumber),
                gateway: try gateway.map { text in try typed { try IPAddress(parsing: text) } },
                dns: try addresses(dns ?? ""), dnsSuffix: dnsSuffix, description: description,
                pools: try pools.requests(pool))
            let effect = try networks.createSubnet(request, onWire: wire)
            return "subnet \(name) created: \(effect.sentence)"
        }
    }

    struct Update: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Change a subnet; the addresses it touches are placed again at once.",
            discussion: """
                  wireloom subnet update servers --vlan 30
                  wireloom subnet update servers --gateway none --name web-servers
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Option(help: "A new name.") var name: String?
        @Option(help: "Network address and prefix length.") var cidr: String?
        @Option(name: .customLong("vlan"), parsing: .unconditional, help: "1 to 4094.") var vlanNumber: Int?
        @Option(help: "An address, or none.") var gateway: String?
        @Option(help: "DNS servers, separated by commas; an empty text for none.") var dns: String?
        @Option(help: "The domain that guests append to host names; an empty text for none.") var dnsSuffix: String?
        @Option(help: "An empty text for none.") var description: String?

        func validate() throws {
            let given: [Any?] = [name, cidr, vlanNumber, gateway, dns, dnsSuffix, description]
            guard given.contains(where: { $0 != nil }) else {
                throw ValidationError("say what to change, as --vlan 30; subnet confirm changes nothing else")
            }
        }

        func change(_ networks: NetworkService) throws -> String {
            var edit = SubnetEdit()
            edit.name = name
            edit.cidr = try cidr.map(prefix)
            edit.vlan = try vlanNumber.map(vlan)
            if let gateway {
                edit.gateway = .some(gateway == "none" ? nil : try typed { try IPAddress(parsing: gateway) })
            }
            edit.dns = try dns.map(addresses)
            if let dnsSuffix { edit.dnsSuffix = .some(dnsSuffix.isEmpty ? nil : dnsSuffix) }
            if let description { edit.description = .some(description.isEmpty ? nil : description) }
            let change = edit
            let effect = try networks.updateSubnet(subnet, change)
            return "subnet \(name ?? subnet) changed: \(effect.sentence)"
        }
    }

    struct Confirm: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Say that a subnet that was found is right; no sync changes it any more.",
            discussion: "  wireloom subnet confirm 10.10.0.0/24")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String

        func change(_ networks: NetworkService) throws -> String {
            let effect = try networks.updateSubnet(subnet, SubnetEdit())
            return "subnet \(subnet) confirmed: \(effect.sentence)"
        }
    }

    struct Delete: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Delete a subnet; refused while something in it is in use.",
            discussion: "  wireloom subnet delete servers --dry-run")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Flag(help: "Let go of what is held, allocated and reserved in it.") var force = false

        func change(_ networks: NetworkService) throws -> String {
            let outcome = try networks.deleteSubnet(subnet, force: force)
            let released = outcome.released.isEmpty ? "" : " with \(outcome.released.joined(separator: ", "))"
            return "subnet \(subnet) deleted\(released): \(outcome.effect.sentence)"
        }
    }

    struct Reserve: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Keep addresses for an owner, who alone may be given them, by name.",
            discussion: """
                  wireloom subnet reserve servers 10.20.0.2-10.20.0.9 --owner "routers"
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Argument(help: "FIRST-LAST, or one address; also outside of the pools.") var range: String
        @Option(help: "Who alone may be given them.") var owner: String
        @Option(help: "What for.") var note: String?
        @Option(parsing: .unconditional, help: "When it ends: a duration, as 12h or 30d, or an RFC 3339 time.")
        var expires: String?

        func change(_ networks: NetworkService) throws -> String {
            let range = try addressRange(range)
            let expires = try expires.map(moment)
            let effect = try networks.reserve(range, ofSubnet: subnet, owner: owner, note: note, expires: expires)
            return "\(range) of subnet \(subnet) is reserved for \(owner): \(effect.sentence)"
        }
    }

    struct Unreserve: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "End the reservations of a range.",
            discussion: "  wireloom subnet unreserve servers 10.20.0.2-10.20.0.9")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Argument(help: "FIRST-LAST, or one address.") var range: String

        func change(_ networks: NetworkService) throws -> String {
            let range = try addressRange(range)
            let effect = try networks.unreserve(range, ofSubnet: subnet)
            return "\(range) of subnet \(subnet) is no longer reserved: \(effect.sentence)"
        }
    }

    struct Pool: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "The ranges of a subnet that may be allocated from.", subcommands: [Add.self, Remove.self])

        struct Add: NetworkChange {
            static let configuration = CommandConfiguration(
                abstract: "Add ranges; what adapters hold in them stays held.",
                discussion: "  wireloom subnet pool add servers 10.20.0.100-10.20.0.199 --policy random")
            @OptionGroup var options: GlobalOptions
            @OptionGroup var rehearsal: RehearsalOptions
            @Argument(help: "A subnet's name or id.") var subnet: String
            @Argument(help: "FIRST-LAST, or one address.") var ranges: [String]
            @OptionGroup var pools: PoolOptions

            func change(_ networks: NetworkService) throws -> String {
                let requests = try pools.requests(ranges)
                let effect = try networks.addPools(requests, toSubnet: subnet)
                return "\(ranges.joined(separator: ", ")) of subnet \(subnet) may be allocated: \(effect.sentence)"
            }
        }

        struct Remove: NetworkChange {
            static let configuration = CommandConfiguration(
                abstract: "Take a range out of the pools; what is held in it stays held.",
                discussion: "  wireloom subnet pool remove servers 10.20.0.150-10.20.0.199")
            @OptionGroup var options: GlobalOptions
            @OptionGroup var rehearsal: RehearsalOptions
            @Argument(help: "A subnet's name or id.") var subnet: String
            @Argument(help: "FIRST-LAST, or one address.") var range: String

            func change(_ networks: NetworkService) throws -> String {
                let range = try addressRange(range)
                let effect = try networks.removePools(range, ofSubnet: subnet)
                return "\(range) of subnet \(subnet) is in no pool any more: \(effect.sentence)"
            }
        }
    }
}
