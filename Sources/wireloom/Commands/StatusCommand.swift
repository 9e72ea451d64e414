import Addressing
import ArgumentParser
import Controller
import EmbeddedPostgres
import Foundation
import Inventory
import Postgres

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "How the accounts, jobs and addresses are, on one screen.",
        discussion: "  wireloom status")
    @OptionGroup var options: GlobalOptions
    @OptionGroup var format: OutputOptions

    func run() throws {
        try Runtime.with(options) { runtime in
            let status = try runtime.database.withConnection { try Status.read(in: $0) }
            switch format.output {
            case .json: return print(try Output.json(status.json))
            case .yaml: return print(try Output.yaml(status.json), terminator: "")
            case .csv: return Output.csv([status.json])
            case .table: break
            }
            print("accounts   \(status.text("accounts"))   with a failed last sync \(status.text("failing"))")
            print("jobs       running \(status.text("running"))   queued \(status.text("queued"))")
            print(
                "inventory  hosts \(status.text("hosts"))   VMs \(status.text("vms"))   switches \(status.text("switches"))"
                    + "   without a wire \(status.text("unlinked"))")
            print("networks   wires \(status.text("wires"))   subnets \(status.text("subnets"))")
            print(
                "addresses  held \(status.text("held"))   quarantined \(status.text("quarantined"))   unplaced "
                    + status.text("unplaced"))
            print("")
            let rows = try runtime.database.withConnection { try Listing.accounts.rows([nil], in: $0) }
            Table(
                [
                    .init("ACCOUNT", "name"), .init("LAST SYNC", "last_sync_state"), .init("AT", "last_sync_at"),
                    .init("VMS", "vms"), .init("UNPLACED", "unplaced"),
                    .init("ERROR", "last_sync_error", isNote: true),
                ], rows
            ).write()
            for line in status.waiting { print("\n" + line) }
        }
    }
}

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain", abstract: "The evidence, the rules tried, the winner, and why the others lost.",
        subcommands: [IP.self, VM.self, Switch.self, Wire.self])

    struct IP: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Who reports an address and where it belongs.", discussion: "  wireloom explain ip 10.20.0.11")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "An IPv4 or IPv6 address.") var address: String

        func run() throws {
            let ip = try typed { try IPAddress(parsing: address) }
            try Runtime.with(options) { runtime in
                let lines = try runtime.database.withConnection { try Explanation.address(ip, in: $0) }
                for line in lines { Output.say(line) }
            }
        }
    }

    struct VM: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Where each address of a VM belongs, or why it belongs nowhere.",
            discussion: "  wireloom explain vm web-1 --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var filter: AccountFilter
        @Argument(help: "A VM's name, id or UUID.") var name: String

        func run() throws {
            try Runtime.with(options) { runtime in
                let lines = try runtime.database.withConnection { connection in
                    try filter.account.map { _ = try AccountTable.named($0, in: connection) }
                    return try Explanation.virtualMachine(name, account: filter.account, in: connection)
                }
                if lines.isEmpty { throw Failure("there is no VM \"\(name)\"; see: wireloom vm list", status: 65) }
                for line in lines { Output.say(line) }
            }
        }
    }

    struct Wire: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What is on a wire, and the evidence for and against each link.",
            discussion: "  wireloom explain wire campus")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A wire's name or id.") var name: String

        func run() throws {
            try Runtime.with(options) { runtime in
                let chain = try runtime.networks().wireChain(name)
                for line in WireChainText(chain, width: Output.width).lines { print(line) }
            }
        }
    }

    struct Switch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Why a switch is on its wire, or on none.",
            discussion: "  wireloom explain switch dvs-core --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var filter: AccountFilter
        @Argument(help: "A switch's name or id.") var name: String

        func run() throws {
            try Runtime.with(options) { runtime in
                let lines = try runtime.database.withConnection { connection in
                    try filter.account.map { _ = try AccountTable.named($0, in: connection) }
                    return try Explanation.switch(name, account: filter.account, in: connection)
                }
                if lines.isEmpty {
                    throw Failure("there is no switch \"\(name)\"; see: wireloom switch list", status: 65)
                }
                for line in lines { Output.say(line) }
            }
        }
    }
}
