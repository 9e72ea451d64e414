import Controller

/// Rows in columns, no wider than the terminal: the shrinking columns give way first, then the widest. The items of a list
/// stand below each other.
struct Table {
    private let titles: [String]
    private let shrinks: [Bool]
    /// Of each row and column, the lines.
    private let cells: [[[String]]]

    init(_ columns: [Listing.Column], _ rows: [JSONValue]) {
        titles = columns.map(\.title)
        shrinks = columns.map(\.shrinks)
        cells = rows.map { row in columns.map { $0.isBar ? [Utilisation(row).bar] : Self.items(row[$0.field], $0) } }
    }

    func lines(width: Int = Output.width) -> [String] {
        var widths = titles.indices.map { column in
            max(titles[column].count, cells.flatMap { $0[column] }.map(\.count).max() ?? 0)
        }
        func total() -> Int { widths.reduce(0, +) + 2 * (widths.count - 1) }
        let willing = shrinks.indices.filter { shrinks[$0] }
        for (candidates, floor) in [
            (willing, 20), (willing, 10), (Array(widths.indices), 16), (Array(widths.indices), 8),
        ] {
            while total() > width, let widest = candidates.max(by: { widths[$0] < widths[$1] }), widths[widest] > floor
            {
                widths[widest] -= 1
            }
        }
        return ([titles.map { [$0] }] + cells).flatMap { row in
            (0..<(row.map(\.count).max() ?? 0)).map { place in
                line(row.map { place < $0.count ? $0[place] : "" }, widths)
            }
        }
    }

    private func line(_ row: [String], _ widths: [Int]) -> String {
        var line = ""
        for (column, text) in row.enumerated() {
            let shown =
                text.count > widths[column] ? String(text.prefix(widths[column] - 1)) + "…" : text
            line += shown
            if column < row.count - 1 { line += String(repeating: " ", count: widths[column] - shown.count + 2) }
        }
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    func write() {
        for line in lines() { print(line) }
    }

    /// What a cell holds: addresses and names of nested objects, each on a line of its own.
    private static func items(_ value: JSONValue, _ column: Listing.Column) -> [String] {
        switch value {
        case .null: return ["-"]
        case .array(let values):
            let items = values.flatMap { value -> [String] in
                if case .array(let addresses) = value["addresses"] { return addresses.compactMap { $0["ip"].text } }
                return [value["ip"].text ?? value["name"].text ?? value.text ?? ""]
            }
            return items.isEmpty ? ["-"] : items
        case .object(let fields): return [fields["name"]?.text ?? "-"]
        default:
            var text = (value.text ?? "-").split(separator: "\n").first.map(String.init) ?? "-"
            if text.hasPrefix(column.prefix) { text.removeFirst(column.prefix.count) }
            return column.separator.map { text.split(separator: $0).map(String.init) } ?? [text]
        }
    }
}
