import ArgumentParser
import Controller

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who changed what people keep.", subcommands: [List.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the changes of accounts, wires, subnets, pools, reservations, links and rejections.",
            discussion: "With -o json: what it was before and after. Changes of addresses: wireloom ip history.")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Option(help: "account, wire, subnet, pool, reservation, link or rejection.") var kind: String?
        @Option(help: "Only by this person or token.") var by: String?
        @Option(help: "The last so many.") var limit: Int = 50
        func run() throws { try listing(.audit, [kind, by, limit], options, format) }
    }
}
