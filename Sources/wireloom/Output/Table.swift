import Controller

/// Rows in columns, no wider than the terminal. Where they would be, notes go below their rows and bars become short; then
/// the shrinking columns give way, then the widest, and last what names the row. The items of a list stand below each other.
struct Table {
    /// The shortest bar, with its brackets.
    private static let shortestBar = 6
    /// How many lines a note may have below its row.
    private static let longestNote = 4

    private let columns: [Listing.Column]
    private let rows: [JSONValue]
    /// Of each row and column, the lines.
    private let cells: [[[String]]]

    init(_ columns: [Listing.Column], _ rows: [JSONValue]) {
        self.columns = columns
        self.rows = rows
        cells = rows.map { row in columns.map { $0.isBar ? [Utilisation(row).bar] : Self.items(row[$0.field], $0) } }
    }

    func lines(width: Int = Output.width) -> [String] {
        var widths = columns.indices.map { column in
            max(columns[column].title.count, cells.flatMap { $0[column] }.map(\.count).max() ?? 0)
        }
        var shown = Array(columns.indices)
        func total() -> Int { shown.map { widths[$0] }.reduce(0, +) + 2 * (shown.count - 1) }
        let hasNotesBelow = total() > width && columns.contains(where: \.isNote)
        if hasNotesBelow { shown.removeAll { columns[$0].isNote } }
        let willing = shown.filter { columns[$0].shrinks }
        let others = shown.filter { !columns[$0].isKey && !columns[$0].isBar }
        for (candidates, floor) in [
            (shown.filter { columns[$0].isBar }, Self.shortestBar), (willing, 20), (willing, 10), (others, 16),
            (others, 8),
            (shown, 8),
        ] {
            while total() > width, let widest = candidates.max(by: { widths[$0] < widths[$1] }), widths[widest] > floor
            {
                widths[widest] -= 1
            }
        }
        let head = line(shown.map { Self.cut(columns[$0].title, widths[$0]) }, shown.map { widths[$0] })
        return [head]
            + rows.indices.flatMap { index -> [String] in
                let row = shown.map { column in
                    columns[column].isBar
                        ? [Utilisation(rows[index]).bar(of: widths[column] - 2)] : cells[index][column]
                }
                let body = (0..<(row.map(\.count).max() ?? 0)).map { place in
                    line(
                        zip(shown, row).map { column, items in
                            place < items.count ? cut(items[place], widths[column], in: columns[column]) : ""
                        }, shown.map { widths[$0] })
                }
                return body + (hasNotesBelow ? notes(of: rows[index], width: width) : [])
            }
    }

    private func line(_ row: [String], _ widths: [Int]) -> String {
        let line = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.joined(separator: "  ")
        return String(line.reversed().drop { $0 == " " }.reversed())
    }

    private func notes(of row: JSONValue, width: Int) -> [String] {
        columns.filter(\.isNote).flatMap { column -> [String] in
            var lines = wrap(row[column.field].text ?? "", width: width - 4).map { Self.cut($0, width - 4) }
            if lines.count > Self.longestNote { lines = lines.prefix(Self.longestNote - 1) + ["…"] }
            return lines.map { "    " + $0 }
        }
    }

    /// Names differ at their ends as often as at their beginnings; a sentence is read from its beginning.
    private func cut(_ text: String, _ width: Int, in column: Listing.Column) -> String {
        guard text.count > width, !column.isNote else { return Self.cut(text, width) }
        let head = width / 2
        return text.prefix(head) + "…" + text.suffix(width - head - 1)
    }

    private static func cut(_ text: String, _ width: Int) -> String {
        text.count > width ? text.prefix(width - 1) + "…" : text
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
