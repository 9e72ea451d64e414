import Foundation
import Postgres
import Support
import Testing

/// Looks again until it is so; a watchdog, not a measure.
func until(
    _ what: Comment, location: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool
) throws {
    let deadline = Date().addingTimeInterval(120)
    while try !condition() {
        try #require(Date() < deadline, "waited two minutes in vain until \(what)", sourceLocation: location)
        Thread.sleep(forTimeInterval: 0.05)
    }
}

extension Database {
    /// The first column of a query, as text; NULL is "-".
    func column(_ sql: String) throws -> [String] {
        try withConnection { connection in
            try connection.query("SELECT coalesce(x::text, '-') FROM (\(sql)) t (x)").map { try $0.get(0) }
        }
    }

    func count(_ sql: String) throws -> Int {
        try withConnection { try $0.query(sql).first.map { try $0.get(0) } ?? 0 }
    }
}

extension CommandLineTool {
    /// The test's own sessions on the tool's database.
    var database: Database {
        get throws { try #require(scratch).database }
    }

    /// Runs commands at once; each must succeed.
    func all(_ commands: [[String]], location: SourceLocation = #_sourceLocation) throws {
        for running in try commands.map({ try start($0) }) {
            let result = try running.finish()
            #expect(result.status == 0, "\(result.errors)", sourceLocation: location)
        }
    }
}
