import Addressing
import ArgumentParser
import Controller
import Foundation
import Inventory
import Postgres

struct FixCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fix", abstract: "Run the command that gives an unplaced address its place.",
        discussion: """
            Shows what each of the commands would do; with --choose, does it.

              wireloom fix 10.50.0.10
              wireloom fix 10.50.0.10 --choose 1
            """)
    @OptionGroup var options: GlobalOptions
    @OptionGroup var filter: AccountFilter
    @Argument(help: "An address of: wireloom vm list --unplaced") var address: String
    @Option(help: "The number of the command to run.") var choose: Int?

    func run() throws {
        let address = try typed { try IPAddress(parsing: self.address) }
        let rows = try Runtime.with(options) { runtime in
            try runtime.database.withConnection { connection in
                try filter.account.map { _ = try AccountTable.named($0, in: connection) }
                return try Listing.unplaced.rows([filter.account, address], in: connection)
            }
        }
        guard !rows.isEmpty else {
            throw Failure(
                "\(address) is not among the unplaced addresses; see: wireloom explain ip \(address)", status: 65)
        }
        var seen: Set<String> = []
        var fixes: [String] = []
        for row in rows {
            Output.say("\(row["name"].text ?? "") (\(row["account"].text ?? "")): \(row["message"].text ?? "")")
            // A sync changes nothing that the command before it has not placed already.
            fixes += (row["fix"].text ?? "").split(separator: "\n").map(String.init).filter {
                !$0.hasPrefix("wireloom sync ") && seen.insert($0).inserted
            }
        }
        if fixes.isEmpty { return print("what it takes is another sync: \(rows[0]["fix"].text ?? "")") }
        guard let choose else {
            for (number, fix) in fixes.enumerated() {
                print("\(number + 1)  $ \(fix)")
                try rehearse(fix)
            }
            return
        }
        guard fixes.indices.contains(choose - 1) else {
            throw Failure("there are \(fixes.count) commands to choose from, and no number \(choose)", status: 65)
        }
        print("$ \(fixes[choose - 1])")
        try run(fixes[choose - 1], rehearses: false)
    }

    /// Prints what a command would do.
    private func rehearse(_ line: String) throws {
        do {
            guard try command(line) is any NetworkChange else { return print("only shows; it changes nothing") }
            try run(line, rehearses: true)
        } catch {
            guard let failure = Failure(error) else { throw error }
            Output.say("dry run: refused: \(failure.sentence)")
        }
    }

    private func run(_ line: String, rehearses: Bool) throws {
        var command = try command(line)
        guard var change = command as? any NetworkChange else { return try command.run() }
        change.rehearsal.dryRun = rehearses
        do { try change.run() } catch let code as ExitCode where code.rawValue == 2 {}
    }

    /// The command of a printed line, on the database that this one was asked for.
    private func command(_ line: String) throws -> any DatabaseCommand {
        guard var command = try Wireloom.parseAsRoot(Array(Self.words(line).dropFirst())) as? any DatabaseCommand
        else { throw Failure("\"\(line)\" is none of the commands that this one runs; run it yourself", status: 70) }
        command.options = options
        return command
    }

    /// The words of a command line as WireloomCommand writes them: single quotes where a word needs them.
    static func words(_ line: String) -> [String] {
        var words: [String] = []
        var word = ""
        var isQuoted = false
        var isEscaped = false
        for character in line {
            switch character {
            case _ where isEscaped:
                word.append(character)
                isEscaped = false
            case "'": isQuoted.toggle()
            case "\\" where !isQuoted: isEscaped = true
            case " " where !isQuoted:
                words.append(word)
                word = ""
            default: word.append(character)
            }
        }
        return words + [word]
    }
}

extension ExplainCommand.IP: DatabaseCommand {}
extension IPCommand.Find: DatabaseCommand {}
