import ArgumentParser
import Controller

/// A command that changes wires, subnets, pools or links, in one transaction: it can be rehearsed.
protocol NetworkChange: ParsableCommand {
    var options: GlobalOptions { get }
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
            print(rehearsal.dryRun ? "dry run: \(sentence)" : sentence)
        }
        if rehearsal.dryRun { throw ExitCode(2) }
    }
}

extension NetworkService.Effect {
    private static let named = 20

    /// How many of the touched addresses have a place, and which of them got one, a line each.
    var sentence: String {
        let head = "of the addresses it touches, \(placed) are placed and \(unplaced) are not"
        guard !newlyPlaced.isEmpty else { return head }
        let more = newlyPlaced.count > Self.named ? ["  and \(newlyPlaced.count - Self.named) more"] : []
        return ([head + "; newly placed:"] + newlyPlaced.prefix(Self.named).map { "  \($0)" } + more)
            .joined(separator: "\n")
    }
}
