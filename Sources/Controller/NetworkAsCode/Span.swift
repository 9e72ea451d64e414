/// A length of time as people write it: `90s`, `10m`, `1h`, `2d`.
enum Span {
    private static let units: [(name: String, microseconds: Int64)] = [
        ("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000), ("s", 1_000_000), ("ms", 1000), ("us", 1),
    ]
    /// A hundred years.
    private static let longest = Int64(36_500) * 86_400_000_000

    /// `nil` unless it is a whole number and a unit, of a hundred years at most.
    static func parse(_ text: String) -> Duration? {
        let digits = text.prefix { $0.isASCII && $0.isNumber }
        guard let count = Int64(digits), let unit = units.first(where: { $0.name == text.dropFirst(digits.count) })
        else { return nil }
        let (total, overflow) = count.multipliedReportingOverflow(by: unit.microseconds)
        return overflow || total > longest ? nil : .microseconds(total)
    }

    /// In the largest unit that says it exactly.
    static func text(_ duration: Duration) -> String {
        let parts = duration.components
        let total = parts.seconds * 1_000_000 + parts.attoseconds / 1_000_000_000_000
        guard total != 0, let unit = units.first(where: { total % $0.microseconds == 0 }) else { return "0s" }
        return "\(total / unit.microseconds)\(unit.name)"
    }
}
