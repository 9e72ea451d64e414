import Addressing
import ArgumentParser
import Controller
import IPAM
import Postgres

struct WireCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wire", abstract: "Layer-2 networks, shared by all accounts.",
        subcommands: [List.self, Show.self, Create.self, Link.self, Unlink.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the wires.")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        func run() throws { try listing(.wires, [nil], options, format) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one wire, by name or id.")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument var name: String
        func run() throws { try show(.wires, [name], "wire", name, options, format) }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a wire in advance.", discussion: "  wireloom wire create campus --site france")
        @OptionGroup var options: GlobalOptions
        @Argument var name: String
        @Option(help: "Only accounts of this site, or of none, are linked to it automatically.") var site: String?

        func run() throws {
            try Runtime.with(options) { runtime in
                try runtime.networks.createWire(name: name, site: site)
                print("wire \(name) created")
            }
        }
    }

    struct Link: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Say which wire a switch is on; no sync changes it.",
            discussion: "  wireloom wire link dvs-1 campus --host esx-3.example.com")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A switch's name or id.") var `switch`: String
        @Argument var wire: String
        @Option(help: "Only the switch's part on this host, or this host's standard switch.") var host: String?
        @Option var account: String?
        @Option(help: "The VLAN of untagged port groups, 1 to 4094.") var nativeVlan: Int = 1

        func run() throws {
            guard let native = VLANID(nativeVlan) else {
                throw Failure("\(nativeVlan) is no VLAN id; it is a number from 1 to 4094", status: 65)
            }
            try Runtime.with(options) { runtime in
                let effect = try runtime.networks.link(
                    switch: `switch`, account: account, host: host, toWire: wire, native: native)
                print("switch \(`switch`) is on wire \(wire): \(effect.sentence)")
            }
        }
    }

    struct Unlink: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a link away; the next sync links the switch by its evidence.")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A switch's name or id.") var `switch`: String
        @Option(help: "Only the pin of this host, or this host's standard switch.") var host: String?
        @Option var account: String?

        func run() throws {
            try Runtime.with(options) { runtime in
                let effect = try runtime.networks.unlink(switch: `switch`, account: account, host: host)
                print("switch \(`switch`) unlinked: \(effect.sentence)")
            }
        }
    }
}

extension NetworkService.Effect {
    var sentence: String { "of the addresses it touches, \(placed) are placed and \(unplaced) are not" }
}

struct SubnetCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "subnet", abstract: "IP subnets of the wires.",
        subcommands: [List.self, Show.self, Create.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the subnets.")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Option(help: "Only of this wire.") var wire: String?
        func run() throws { try listing(.subnets, [nil, wire], options, format) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Show one subnet, by name or id.")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument var name: String
        func run() throws { try show(.subnets, [name, nil], "subnet", name, options, format) }
    }

    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Create a subnet; known addresses in it are placed at once.",
            discussion: """
                  wireloom subnet create servers --wire campus --cidr 10.20.0.0/24 --vlan 20 \\
                      --gateway 10.20.0.1 --pool 10.20.0.100-10.20.0.199
                """)
        @OptionGroup var options: GlobalOptions
        @Argument var name: String
        @Option var wire: String
        @Option(help: "Network address and prefix length.") var cidr: String
        @Option(help: "1 to 4094.") var vlan: Int = 1
        @Option var gateway: String?
        @Option(help: "DNS servers, separated by commas.") var dns: String?
        @Option(help: "FIRST-LAST, addresses that may be allocated; may be repeated.") var pool: [String] = []

        func run() throws {
            guard let vlanID = VLANID(vlan) else {
                throw Failure("\(vlan) is no VLAN id of a subnet; it is a number from 1 to 4094", status: 65)
            }
            let request = SubnetRequest(
                name: name, cidr: try typed { try CIDR(parsing: cidr) }, vlan: vlanID,
                gateway: try gateway.map { text in try typed { try IPAddress(parsing: text) } },
                dns: try (dns ?? "").split(separator: ",").map { text in
                    try typed { try IPAddress(parsing: String(text)) }
                },
                pools: try pool.map { text in try typed { try AddressRange(parsing: text) } })
            try Runtime.with(options) { runtime in
                let effect = try runtime.networks.createSubnet(request, onWire: wire)
                print("subnet \(name) created: \(effect.sentence)")
            }
        }
    }
}

/// What a person typed, or the sentence that says what is wrong with it.
func typed<T>(_ body: () throws -> T) throws -> T {
    do { return try body() } catch let error as AddressSyntaxError { throw Failure(error.description, status: 65) }
}

struct IPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ip", abstract: "Addresses and who holds them.", subcommands: [List.self, Find.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the addresses of a subnet that are not free.")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        func run() throws {
            try Runtime.with(options) { runtime in
                let rows = try runtime.database.withConnection { connection in
                    guard try !Listing.subnets.rows([subnet, nil], in: connection).isEmpty else {
                        throw Failure("there is no subnet \"\(subnet)\"; see: wireloom subnet list", status: 65)
                    }
                    return try Listing.addresses.rows([subnet], in: connection)
                }
                try Output.write(rows, of: .addresses, as: format.output)
            }
        }
    }

    struct Find: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find an address by itself, by MAC, or by the name of its VM or host.")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "An IP address, a MAC address or a name.") var what: String
        func run() throws {
            let key = IPAddress(what)?.description ?? MACAddress(what)?.description ?? what
            try listing(.found, [key], options, format)
        }
    }
}
