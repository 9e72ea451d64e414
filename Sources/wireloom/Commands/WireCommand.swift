import Addressing
import ArgumentParser
import Controller

struct WireCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wire", abstract: "Layer-2 networks, shared by all accounts.",
        subcommands: [
            List.self, Show.self, Create.self, Rename.self, Delete.self, Link.self, Unlink.self, Merge.self,
            Suggest.self,
            Journal.self, Undo.self, Coverage.self,
        ])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the wires.",
            discussion: """
                USE, of all their subnets: held #, reserved =, quarantined ~, free to allocate ., in no pool blank.

                  wireloom wire list
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        func run() throws { try listing(.wires, [nil], options, format) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one wire, by name or id.", discussion: "  wireloom wire show campus")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "A wire's name or id.") var name: String

        func run() throws {
            try Runtime.with(options) { runtime in
                let chain = try runtime.networks().wireChain(name)
                guard format.output == .table else { return try Output.write([chain], of: .wires, as: format.output) }
                WireChainText(chain, width: Output.width).lines.forEach { print($0) }
            }
        }
    }

    struct Create: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Create a wire in advance.", discussion: "  wireloom wire create campus --site france")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "What to call it.") var name: String
        @Option(help: "Only accounts of this site, or of none, are linked to it automatically.") var site: String?

        func change(_ networks: NetworkService) throws -> String {
            try networks.createWire(name: name, site: site)
            return "wire \(name) created"
        }
    }

    struct Rename: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Give a wire another name.", discussion: "  wireloom wire rename paris/dvs-core campus")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A wire's name or id.") var name: String
        @Argument(help: "The new name.") var newName: String

        func change(_ networks: NetworkService) throws -> String {
            try networks.renameWire(name, to: newName)
            return "wire \(name) is called \(newName) now"
        }
    }

    struct Delete: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Delete a wire that nothing uses.",
            discussion: """
                A switch that was on it is linked by its evidence at the next sync.

                  wireloom wire delete campus --dry-run
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A wire's name or id.") var name: String
        @Flag(help: "Let go of its switches, its subnets and every address in them.") var force = false

        func change(_ networks: NetworkService) throws -> String {
            let outcome = try networks.deleteWire(name, force: force)
            let released = outcome.released.isEmpty ? "" : " with \(outcome.released.joined(separator: ", "))"
            return "wire \(name) deleted\(released): \(outcome.effect.sentence)"
        }
    }

    struct Link: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Say which wire a switch is on; no sync changes it.",
            discussion: "  wireloom wire link dvs-1 campus --host esx-3.example.com")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A switch's name or id.") var `switch`: String
        @Argument(help: "A wire's name or id.") var wire: String
        @Option(help: "Only the switch's part on this host, or this host's standard switch.") var host: String?
        @Option(help: "The switch's account, where several have one of that name.") var account: String?
        @Option(parsing: .unconditional, help: "The VLAN of untagged port groups, 1 to 4094.") var nativeVlan: Int = 1

        func change(_ networks: NetworkService) throws -> String {
            guard let native = VLANID(nativeVlan) else {
                throw Failure("\(nativeVlan) is no VLAN id; it is a number from 1 to 4094", status: 65)
            }
            let effect = try networks.link(
                switch: `switch`, account: account, host: host, toWire: wire, native: native)
            return "switch \(`switch`) is on wire \(wire): \(effect.sentence)"
        }
    }

    struct Unlink: NetworkChange {
        static let configuration = CommandConfiguration(
            abstract: "Take a link away; the next sync links the switch by its evidence.",
            discussion: "  wireloom wire unlink dvs-1 --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var rehearsal: RehearsalOptions
        @Argument(help: "A switch's name or id.") var `switch`: String
        @Option(help: "Only the pin of this host, or this host's standard switch.") var host: String?
        @Option(help: "The switch's account, where several have one of that name.") var account: String?

        func change(_ networks: NetworkService) throws -> String {
            let effect = try networks.unlink(switch: `switch`, account: account, host: host)
            return "switch \(`switch`) unlinked: \(effect.sentence)"
        }
    }
}
