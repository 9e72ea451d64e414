import ArgumentParser
import Controller
import Foundation
import IPAM

/// How a merge, or the undoing of one, is told.
struct WireChangeOptions: ParsableArguments {
    @Flag(help: "Only say what would be done; the exit code is 2 where that is anything.") var dryRun = false
    @Option(name: .shortAndLong, help: "table (words), json or yaml.") var output: PlanFormat = .table

    func finish(_ change: WireChange, undoable: Bool = true) throws {
        try Self.finish(change, isPlan: dryRun, as: output, undoable: undoable)
    }

    /// - Throws: `ExitCode(2)` for a plan with a difference.
    static func finish(_ change: WireChange, isPlan: Bool, as format: PlanFormat, undoable: Bool = true) throws {
        switch format {
        case .table: write(change, isPlan: isPlan, undoable: undoable)
        case .json: print(try Output.json(change))
        case .yaml: print(try Output.yaml(change), terminator: "")
        }
        if isPlan, !change.steps.isEmpty { throw ExitCode(2) }
    }

    private static func write(_ change: WireChange, isPlan: Bool, undoable: Bool) {
        for step in change.steps { item(step.sentence) }
        for address in change.placed {
            item("\(address.ip) of \(address.name) (\(address.account)) is placed in subnet \(address.subnet)")
        }
        for address in change.unplaced {
            item("\(address.ip) of \(address.name) (\(address.account)) is placed no more, it was in \(address.subnet)")
        }
        if isPlan {
            print("nothing was changed")
        } else {
            print(change.summary)
            if undoable, let entry = change.entry { print("to take it back: wireloom wire undo \(entry)") }
        }
    }

    private static func item(_ sentence: String) {
        for (index, line) in wrap(sentence, width: Output.width - 2).enumerated() {
            print((index == 0 ? "- " : "  ") + line)
        }
    }
}

extension WireCommand {
    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make several wires one.",
            discussion: """
                Links and subnets move to the target; subnets of one VLAN and CIDR become one. What clashes is listed, and \
                then nothing is changed. Taken back with: wireloom wire undo

                  wireloom wire merge paris/dvs-core lyon/vSwitch0 --into campus --dry-run
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "Names or ids of the wires.") var wires: [String]
        @Option(help: "One of them, another wire, or the name of a new one.") var into: String
        @OptionGroup var change: WireChangeOptions

        func run() throws {
            try Runtime.with(options) { runtime in
                try change.finish(try runtime.networks().mergeWires(wires, into: into, dryRun: change.dryRun))
            }
        }
    }

    struct Undo: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take a merge of wires back.",
            discussion: """
                Refused, with what it is, where anything that the merge touched changed since.

                  wireloom wire undo --dry-run
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "An entry of the journal; without one, the newest merge that is not undone.") var entry: Int64?
        @OptionGroup var change: WireChangeOptions

        func run() throws {
            try Runtime.with(options) { runtime in
                try change.finish(try runtime.networks().undoWires(entry, dryRun: change.dryRun), undoable: false)
            }
        }
    }

    struct Suggest: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List wires that may be one network, with the evidence.",
            discussion: """
                  wireloom wire suggest
                  wireloom wire suggest --accept 3-7 --dry-run
                  wireloom wire suggest --reject 3-7
                """)
        @OptionGroup var options: GlobalOptions
        @Option(help: "Merge the wires of this suggestion.") var accept: String?
        @Option(help: "Never suggest this one again.") var reject: String?
        @Option(help: "With --accept: one of the two, another wire, or the name of a new one.") var into: String?
        @Flag(help: "With --accept: only say what would be done; the exit code is 2 where that is anything.")
        var dryRun = false
        @OptionGroup var format: OutputOptions

        func validate() throws {
            if accept != nil, format.output == .csv {
                throw ValidationError("a merge has no form in csv; write -o json")
            }
            if accept != nil, reject != nil { throw ValidationError("--accept and --reject exclude each other") }
            if accept == nil, into != nil || dryRun {
                throw ValidationError("--into and --dry-run go with --accept")
            }
        }

        func run() throws {
            try Runtime.with(options) { runtime in
                if let accept {
                    return try WireChangeOptions.finish(
                        try runtime.networks().acceptSuggestion(accept, into: into, dryRun: dryRun), isPlan: dryRun,
                        as: PlanFormat(rawValue: format.output.rawValue) ?? .json)
                }
                if let reject {
                    let wires = try runtime.networks().rejectSuggestion(reject).wires
                    return print("wires \(wires.joined(separator: " and ")) are not suggested any more")
                }
                try write(try runtime.networks().suggestions())
            }
        }

        private func write(_ suggestions: [WireSuggestion]) throws {
            switch format.output {
            case .json: return print(try Output.json(suggestions))
            case .yaml: return print(try Output.yaml(suggestions), terminator: "")
            case .csv:
                let rows = try JSONDecoder().decode([JSONValue].self, from: JSONEncoder().encode(suggestions))
                return Output.csv(rows, fields: ["id", "wires", "into", "score", "evidence"])
            case .table: break
            }
            for suggestion in suggestions {
                print("\(suggestion.id)  score \(suggestion.score)")
                for wire in suggestion.wires {
                    print("    wire \(wire)\(wire == suggestion.into ? " (takes the other in)" : "")")
                }
                for sentence in suggestion.evidence {
                    for (index, line) in wrap(sentence, width: Output.width - 6).enumerated() {
                        print((index == 0 ? "    - " : "      ") + line)
                    }
                }
                print("    $ wireloom wire suggest --accept \(suggestion.id)")
            }
            if suggestions.isEmpty { print("no two wires look like one") }
        }
    }

    struct Journal: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List what was done to whole wires, newest first.", discussion: "  wireloom wire journal")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        func run() throws { try listing(.wireJournal, [], options, format) }
    }

    struct Coverage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Hosts of a wire by VLAN, and where a port group is missing.",
            discussion: """
                Where it is missing, no VM can be placed, and one that moves there loses its network.

                  wireloom wire coverage campus --missing
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "A wire's name or id.") var wire: String
        @Flag(help: "Only where a port group is missing.") var missing = false

        func run() throws {
            try Runtime.with(options) { runtime in
                let rows = try runtime.networks().wireCoverage(wire).filter {
                    !missing || $0["portgroups"].elements.isEmpty
                }
                try runtime.write(rows, of: .coverage, as: format.output)
                let gaps = rows.filter { $0["portgroups"].elements.isEmpty }.count
                guard format.output == .table else { return }
                Output.note(
                    rows.isEmpty
                        ? "no host of the wire and no subnet to look for"
                        : gaps == 0
                            ? "every host has a port group for every VLAN"
                            : gaps == 1 ? "1 port group is missing" : "\(gaps) port groups are missing")
            }
        }
    }
}
