import Controller

/// Rows in columns, no wider than the terminal: the shrinking columns give way first, then the widest.
struct Table {
    private let titles: [String]
    private let shrinks: [Bool]
    private let cells: [[String]]

    init(_ columns: [Listing.Column], _ rows: [JSONValue]) {
        titles = columns.map(\.title)
        shrinks = columns.map(\.shrinks)
        cells = rows.map { row in columns.map { $0.isBar ? Utilisation(row).bar : Self.text(row[$0.field]) } }
    }

    func lines(width: Int = Output.width) -> [String] {
        var widths = titles.indices.map { column in
            max(titles[column].count, cells.map { $0[column].count }.max() ?? 0)
        }
        func total() -> Int { widths.reduce(0, +) + 2 * (widths.count - 1) }
        let willing = shrinks.indices.filter { shrinks[$0] }
        for (candidates, floor) in [
            (willing, 20), (Array(widths.indices), 16), (willing, 8), (Array(widths.indices), 8),
        ] {
            while total() > width, let widest = candidates.max(by: { widths[$0] < widths[$1] }), widths[widest] > floor
            {
                widths[widest] -= 1
            }
        }
        return ([titles] + cells).map { row in
            var line = ""
            for (column, text) in row.enumerated() {
                let shown =
                    text.count > widths[column] ? String(text.prefix(widths[column] - 1)) + "…" : text
                line += shown
                if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - shown.count + 2) }
            }
            return String(line.reversed().drop { $0 == " " }.reversed())
        }
    }

    func write() {
        for line in lines() { print(line) }
    }

    /// A value in a cell: addresses and names of nested objects in a row.
    private static func text(_ value: JSONValue) -> String {
        switch value {
        case .null: return "-"
        case .array(let values):
            let parts = values.flatMap { value -> [String] in
                if case .array(let addresses) = value["addresses"] { return addresses.compactMap { $0["ip"].text } }
                return [value["ip"].text ?? value["name"].text ?? value.text ?? ""]
            }
            return parts.isEmpty ? "-" : parts.joined(separator: " ")
        case .object(let fields): return fields["name"]?.text ?? "-"
        default: return (value.text ?? "-").split(separator: "\n").first.map(String.init) ?? "-"
        }
    }
}
