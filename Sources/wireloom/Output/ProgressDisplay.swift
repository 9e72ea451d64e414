import Foundation
import Jobs
import Postgres

/// The progress of jobs: rewritten in place on a terminal, a plain line for each change elsewhere. On standard error.
///
/// What does not fit on the terminal is counted, and shown as a whole at the end.
final class ProgressDisplay {
    private let isTerminal = isatty(STDERR_FILENO) == 1
    private var shown: [JobID: String] = [:]
    private var lines = 0

    func show(_ rows: [JobRow]) {
        let ordered = rows.sorted { $0.id < $1.id }
        if isTerminal {
            draw(fitting(ordered, height: Output.height ?? .max))
        } else {
            for row in ordered {
                let key = "\(row.state.rawValue) \(row.phase ?? "")"
                if shown.updateValue(key, forKey: row.id) != key { Output.note(line(row)) }
            }
        }
    }

    func finish(_ rows: [JobRow]) {
        if isTerminal { draw(rows.sorted { $0.id < $1.id }.map(line)) } else { show(rows) }
        for row in rows.sorted(by: { $0.id < $1.id }) {
            if let error = row.error { Output.note("\(row.label): \(error)") }
        }
    }

    /// Over what was drawn before.
    private func draw(_ lines: [String]) {
        var text = self.lines > 0 ? "\u{1B}[\(self.lines)A\u{1B}[J" : ""
        for line in lines { text += "\(line.prefix(Output.width - 1))\n" }
        self.lines = lines.count
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// A line for each job, or for as many as the terminal has room for: the running ones first, then what has ended.
    private func fitting(_ rows: [JobRow], height: Int) -> [String] {
        guard rows.count >= height else { return rows.map(line) }
        let ranked =
            rows.filter { $0.state == .running } + rows.filter(\.state.isFinal).reversed()
            + rows.filter { $0.state == .queued }
        let room = max(1, height - 2)
        let counts = Dictionary(grouping: ranked.dropFirst(room), by: \.state).mapValues(\.count)
        let rest = JobState.allCases.compactMap { state in counts[state].map { "\($0) more \(state.rawValue)" } }
        return ranked.prefix(room).map(line) + ["… " + rest.joined(separator: ", ")]
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
