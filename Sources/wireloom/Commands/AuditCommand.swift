import ArgumentParser
import Controller

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who changed what people keep.", subcommands: [List.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the changes of accounts, wires, subnets, pools, reservations, links and rejections.",
            discussion: """
                With -o json: what it was before and after. Changes of addresses: wireloom ip history.

                  wireloom audit list --kind subnet --limit 10
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Option(help: "account, wire, subnet, pool, reservation, link or rejection.") var kind: String?
        @Option(help: "Only by this person or token.") var by: String?
        @Option(parsing: .unconditional, help: "The last so many.") var limit: Int = 50

        private static let kinds = ["account", "wire", "subnet", "pool", "reservation", "link", "rejection"]

        func validate() throws {
            if limit < 1 { throw ValidationError("--limit is a number from 1") }
        }

        func run() throws {
            if let kind, !Self.kinds.contains(kind) {
                throw Failure(
                    "\"\(kind)\" is no kind of thing that is audited; they are \(Self.kinds.joined(separator: ", "))",
                    status: 65)
            }
            try listing(.audit, [kind, by, limit], options, format)
        }
    }
}
