import Foundation
import Jobs
import Postgres

/// The progress of jobs: rewritten in place on a terminal, a plain line for each change elsewhere. On standard error.
final class ProgressDisplay {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shown: [JobID: String] = [:]
    private var lines = 0

    func show(_ rows: [JobRow]) {
        let ordered = rows.sorted { $0.id < $1.id }
        if isTerminal {
            var text = lines > 0 ? "\u{1B}[\(lines)A" : ""
            for row in ordered { text += "\u{1B}[2K\(line(row).prefix(Output.width - 1))\n" }
            lines = ordered.count
            FileHandle.standardError.write(Data(text.utf8))
        } else {
            for row in ordered {
                let key = "\(row.state.rawValue) \(row.phase ?? "")"
                if shown.updateValue(key, forKey: row.id) != key { Output.note(line(row)) }
            }
        }
    }

    func finish(_ rows: [JobRow]) {
        show(rows)
        for row in rows.sorted(by: { $0.id < $1.id }) {
            if let error = row.error { Output.note("\(row.label): \(error)") }
        }
    }

    private func line(_ row: JobRow) -> String {
        var parts = [
            "job \(row.id)", row.label.padding(toLength: max(12, row.label.count), withPad: " ", startingAt: 0),
        ]
        if row.state == .running {
            parts.append(row.phase ?? "running")
            if let done = row.done { parts.append("\(done)" + (row.total.map { " of \($0)" } ?? "") + " objects") }
        } else {
            parts.append(row.state.rawValue)
            if let started = row.startedAt, let finished = row.finishedAt {
                let seconds = Double(finished.microseconds - started.microseconds) / 1_000_000
                parts.append(String(format: "%.1f s", seconds))
            }
            if row.findings > 0 {
                let findings = row.findings == 1 ? "1 finding" : "\(row.findings) findings"
                parts.append("\(findings): wireloom job log \(row.id)")
            }
        }
        return parts.joined(separator: "  ")
    }
}
