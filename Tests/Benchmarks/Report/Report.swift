import Foundation

/// The table of all measurements: printed, kept as JSON in `.build/bench.json`, and written between the markers of
/// `docs/benchmarks.md`, whose prose stays. A run of some benchmarks replaces their lines alone.
struct Report: Codable {
    private struct Section: Codable {
        var benchmark: String
        var measuredAt: String
        var machine: Machine
        var measurements: [Measurement]
    }

    private static let markers = (start: "<!-- table: written by make bench -->", end: "<!-- end of the table -->")
    private static let json = "\(Workshop.root)/.build/bench.json"
    private static let document = "\(Workshop.root)/docs/benchmarks.md"

    private var sections: [Section]
    private var machine: Machine

    private enum CodingKeys: String, CodingKey { case sections, machine }

    /// Begins with what earlier runs on this checkout measured.
    init(machine: Machine) throws {
        self.machine = machine
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let kept = FileManager.default.contents(atPath: Self.json).flatMap {
            try? decoder.decode(Report.self, from: $0)
        }
        sections = kept?.sections ?? []
    }

    mutating func replace(_ benchmark: String, by measurements: [Measurement]) {
        let section = Section(
            benchmark: benchmark, measuredAt: Date().ISO8601Format(), machine: machine, measurements: measurements)
        sections.removeAll { $0.benchmark == benchmark }
        sections.append(section)
        let order = Benchmarks.all.map(\.name)
        sections.sort { (order.firstIndex(of: $0.benchmark) ?? 0) < (order.firstIndex(of: $1.benchmark) ?? 0) }
    }

    var table: String {
        var lines = [
            "| benchmark | measured | result | floor | ratio | aim | reached |", "|---|---|---|---|---|---|---|",
        ]
        for section in sections {
            for item in section.measurements {
                lines.append(
                    "| \(section.benchmark) | \(item.what) | \(item.value) | \(item.floor) | \(item.shown) "
                        + "| \(item.aim) | \(item.verdict) |")
            }
        }
        return (lines + [""] + machine.lines.map { "- \($0)" }).joined(separator: "\n")
    }

    func write() throws {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(self).write(to: URL(fileURLWithPath: Self.json))

        let text = try String(contentsOfFile: Self.document, encoding: .utf8)
        guard let start = text.range(of: Self.markers.start), let end = text.range(of: Self.markers.end) else {
            throw BenchmarkError("docs/benchmarks.md has lost the markers of its table")
        }
        let written = text[..<start.upperBound] + "\n\n\(table)\n\n" + text[end.lowerBound...]
        try String(written).write(toFile: Self.document, atomically: true, encoding: .utf8)
    }
}
