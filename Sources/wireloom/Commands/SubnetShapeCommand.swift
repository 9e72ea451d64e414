import Addressing
import ArgumentParser
import Controller
import Foundation
import IPAM

/// How a plan is written: it is no list, so there is no csv of it.
enum PlanFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json, yaml
}

/// Whether a change is only shown, and how.
struct PlanOptions: ParsableArguments {
    @Flag(help: "Only show what it would do; the status is 2 if that is anything.")
    var dryRun = false

    @Option(name: .shortAndLong, help: "table (words), json or yaml.")
    var output: PlanFormat = .table

    /// Writes a plan, or what was done, and ends a dry run with its status.
    func write(lines: [String], json: JSONValue, isDifferent: Bool) throws {
        switch output {
        case .table:
            for line in lines { Output.say(line) }
            if dryRun, isDifferent { print("nothing was changed: this was a dry run") }
        case .json: print(try Output.json(json))
        case .yaml: print(try Output.yaml(json), terminator: "")
        }
        if dryRun, isDifferent { throw ExitCode(2) }
    }

    func write(_ shape: SubnetShape) throws {
        try write(lines: shape.lines, json: shape.json, isDifferent: shape.isDifferent)
    }
}

extension SubnetCommand {
    struct Split: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a subnet into equal parts, with all that is in it.",
            discussion: """
                A pool or reservation across an edge becomes one in each part. Refused, with everything that stands in the \
                way, where somebody has an address that would become a network or broadcast address.

                  wireloom subnet split servers --into 25 --names web,db --gateway 10.20.0.129
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Option(help: "The parts' prefix length.") var into: String
        @Option(help: "The parts' names, ascending, separated by commas; default: NAME-1, NAME-2 and so on.")
        var names: String?
        @Option(help: "The gateway of the part that contains it; may be repeated. The subnet's own stays.")
        var gateway: [String] = []
        @OptionGroup var plan: PlanOptions

        func run() throws {
            guard let length = Int(into.hasPrefix("/") ? String(into.dropFirst()) : into) else {
                throw Failure("\"\(into)\" is no prefix length; write a number, as 25", status: 65)
            }
            let split = SubnetSplit(
                prefixLength: length,
                names: names.map { $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init) },
                gateways: try gateway.map { text in try typed { try IPAddress(parsing: text) } })
            try Runtime.with(options) { runtime in
                try plan.write(runtime.networks(rehearses: plan.dryRun).splitSubnet(subnet, split))
            }
        }
    }

    struct Merge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make subnets that together are one prefix into one, with all that is in them.",
            discussion: """
                They must be of one wire, VLAN, DNS servers and suffix, have not more than one gateway, and leave no gap. \
                The first one's id and, without --name, its name stay.

                  wireloom subnet merge web db --name servers
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "Names or ids of two subnets or more.") var subnets: [String]
        @Option(help: "The name of the one they become.") var name: String?
        @OptionGroup var plan: PlanOptions

        func run() throws {
            try Runtime.with(options) { runtime in
                try plan.write(runtime.networks(rehearses: plan.dryRun).mergeSubnets(subnets, name: name))
            }
        }
    }

    struct Move: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a subnet, with all that is in it, on another wire.",
            discussion: """
                Known addresses on both wires are placed again at once; what adapters hold in it stays held until a sync \
                says otherwise.

                  wireloom subnet move servers --to campus --dry-run
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A subnet's name or id.") var subnet: String
        @Option(name: .customLong("to"), help: "A wire's name or id.") var wire: String
        @OptionGroup var plan: PlanOptions

        func run() throws {
            try Runtime.with(options) { runtime in
                try plan.write(runtime.networks(rehearses: plan.dryRun).moveSubnet(subnet, toWire: wire))
            }
        }
    }
}
