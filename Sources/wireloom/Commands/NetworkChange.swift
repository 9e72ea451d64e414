import ArgumentParser
import Controller

/// A command that another one may run on its own database.
protocol DatabaseCommand: ParsableCommand {
    var options: GlobalOptions { get set }
}

/// A command that changes wires, subnets, pools or links, in one transaction: it can be rehearsed.
protocol NetworkChange: DatabaseCommand {
    var rehearsal: RehearsalOptions { get set }

    /// Does it, and says in a sentence what was done.
    func change(_ networks: NetworkService) throws -> String
}

struct RehearsalOptions: ParsableArguments {
    @Flag(help: "Show what it would do, and exit with 2; nothing is changed.")
    var dryRun = false
}

extension NetworkChange {
    func run() throws {
        try Runtime.with(options) { runtime in
            let sentence = try change(runtime.networks(rehearses: rehearsal.dryRun))
            Output.say(rehearsal.dryRun ? "dry run: \(sentence)" : sentence)
        }
        if rehearsal.dryRun { throw ExitCode(2) }
    }
}

extension NetworkService.Effect {
    private static let named = 20

    /// How many of the touched addresses have a place, and which of them got one or lost it, a line each.
    var sentence: String {
        func list(_ title: String, _ items: [String]) -> [String] {
            guard !items.isEmpty else { return [] }
            let more = items.count > Self.named ? ["  and \(items.count - Self.named) more"] : []
            return [title] + items.prefix(Self.named).map { "  \($0)" } + more
        }
        let head =
            placed + unplaced == 0
            ? "it touches no known address"
            : Consequences.sentence(placed: placed, unplaced: unplaced)
        return
            ([head] + list("newly placed:", newlyPlaced)
            + list("no longer placed (\(newlyUnplaced.count)):", newlyUnplaced)).joined(separator: "\n")
    }
}
