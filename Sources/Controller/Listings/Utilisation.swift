/// How much of a subnet's or wire's addresses is what, as a bar: `[##=..     ]`.
package struct Utilisation: Sendable {
    /// Cells between the brackets where there is room for them.
    private static let cells = 10

    private let total: Double
    private let shares: [(count: Double, mark: Character)]

    /// - Parameter row: with the fields of `subnet list`; numbers, or above 2^53 texts.
    package init(_ row: JSONValue) {
        func count(_ field: String) -> Double { row[field].text.flatMap(Double.init) ?? 0 }
        total = count("total")
        shares = [
            (count("held"), "#"), (count("reserved"), "="), (count("quarantined"), "~"), (count("free"), "."),
        ]
    }

    /// Held `#`, reserved `=`, quarantined `~`, free `.`, in no pool blank. What there is some of has a cell while there
    /// are cells.
    package var bar: String { bar(of: Self.cells) }

    /// - Parameter cells: between the brackets.
    package func bar(of cells: Int) -> String {
        var bar = ""
        var reached = 0.0
        for share in shares where share.count > 0 && total > 0 {
            reached += share.count
            let end = Int((reached / total * Double(cells)).rounded())
            bar += String(repeating: share.mark, count: min(cells - bar.count, max(1, end - bar.count)))
        }
        return "[" + bar + String(repeating: " ", count: cells - bar.count) + "]"
    }
}
