import Addressing
import ArgumentParser
import Controller
import IPAM
import Postgres

struct IPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ip", abstract: "Addresses and who holds them.",
        subcommands: [Allocate.self, Release.self, List.self, Find.self, History.self])

    struct Allocate: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Allocate addresses of a subnet's pools: all that are asked for, or none.",
            discussion: """
                Prints the addresses, one a line. With --key, asking again gives the same answer.

                  wireloom ip allocate servers --owner build-42 --key build-42 --expires 2h
                  wireloom ip allocate servers -n 3 --owner cluster-7
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Option(name: [.customShort("n"), .long], parsing: .unconditional, help: "How many.") var count: Int = 1
        @Option(help: "This one, even if it is in quarantine or reserved for the owner.") var address: String?
        @Option(help: "Who it is for; default: who asks.") var owner: String?
        @Option(help: "A name of yours for this request.") var key: String?
        @Option(help: "step-up, step-down or random; default: the pool's.") var policy: AllocationPolicy?
        @Option(parsing: .unconditional, help: "When it ends by itself: a duration, as 2h, or an RFC 3339 time.")
        var expires: String?
        @Option(name: .shortAndLong, help: "table, json, yaml or csv.") var output: OutputFormat = .table

        func run() throws {
            let request = AllocationRequest(
                subnet: subnet, count: count, policy: policy,
                address: try address.map { text in try typed { try IPAddress(parsing: text) } },
                owner: owner ?? Runtime.actor.name, key: key, expires: try expires.map(expiry))
            try Runtime.with(options) { runtime in
                let allocation = try runtime.allocator.allocate(request)
                let rows = allocation.addresses.map { address in
                    JSONValue.object([
                        "ip": .string("\(address)"), "subnet": .string(allocation.subnet.name),
                        "prefix_length": .int(allocation.subnet.cidr.prefixLength),
                        "gateway": allocation.subnet.gateway.map { .string("\($0)") } ?? .null,
                        "vlan_id": .int(allocation.subnet.vlan.rawValue), "owner": .string(request.owner),
                    ])
                }
                guard output != .table else { return allocation.addresses.forEach { print($0) } }
                try Output.write(rows, of: .addresses, as: output)
            }
        }
    }

    struct Release: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Release allocated addresses into quarantine: all that are named, or none.",
            discussion: "  wireloom ip release servers 10.20.0.100 10.20.0.101")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Argument(help: "One or more.") var addresses: [String]
        @Option(help: "Refuse if they are allocated to somebody else.") var owner: String?
        @Flag(help: "Also what a VM was made with.") var assigned = false

        func run() throws {
            let parsed = try addresses.map { text in try typed { try IPAddress(parsing: text) } }
            try Runtime.with(options) { runtime in
                try runtime.allocator.release(parsed, ofSubnet: subnet, owner: owner, assigned: assigned)
                print("\(parsed.map(\.description).joined(separator: ", ")) of subnet \(subnet) released")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the addresses of a subnet that are not free.", discussion: "  wireloom ip list servers")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        func run() throws {
            try Runtime.with(options) { runtime in
                let rows = try runtime.database.withConnection { connection in
                    let found = try SubnetTable.named(subnet, in: connection)
                    return try Listing.addresses.rows([found.id], in: connection)
                }
                try runtime.write(rows, of: .addresses, as: format.output)
            }
        }
    }

    struct Find: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find an address by itself, by MAC, or by the name of its VM or host.",
            discussion: """
                  wireloom ip find 10.20.0.11
                  wireloom ip find 00:50:56:9a:00:01
                  wireloom ip find web-1
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "An IP address, a MAC address or a name.") var what: String
        func run() throws {
            let key = IPAddress(what)?.description ?? MACAddress(what)?.description ?? what
            try listing(.found, [key], options, format)
        }
    }

    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Who had an address, since when, and who changed that.",
            discussion: """
                  wireloom ip history 10.20.0.11
                  wireloom ip history 10.20.0.11 --at 2026-03-01T12:00:00Z
                  wireloom ip history --vm web-1
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "An IP address.") var address: String?
        @Option(help: "All addresses that this VM, host or owner ever had.") var vm: String?
        @Option(help: "Only the state at this RFC 3339 time.") var at: String?

        func validate() throws {
            guard (address == nil) != (vm == nil) else { throw ValidationError("Give an address or --vm.") }
        }

        func run() throws {
            let address = try address.map { text in try typed { try IPAddress(parsing: text) } }
            let moment = try at.map { text -> Timestamp in
                guard let moment = Timestamp(text) else {
                    throw Failure("\"\(text)\" is no time; write it as 2026-03-01T12:00:00Z", status: 65)
                }
                return moment
            }
            try Runtime.with(options) { runtime in
                let rows = try runtime.database.withConnection { connection in
                    let rows = try Listing.history.rows([address, vm, moment], in: connection)
                    guard let vm, rows.isEmpty, try Listing.history.rows([nil, vm, nil], in: connection).isEmpty else {
                        return rows
                    }
                    throw Failure(
                        "no VM, host or owner \"\(vm)\" ever had an address of a subnet; see: wireloom vm list",
                        status: 65)
                }
                try runtime.write(rows, of: .history, as: format.output)
            }
        }
    }
}
