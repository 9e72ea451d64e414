#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A moment, to the microsecond, as `timestamptz` keeps it: no time zone, no rounding on the way.
package struct Timestamp: Hashable, Comparable, Sendable {
    /// Microseconds since 1970-01-01T00:00:00Z, leap seconds not counted.
    package let microseconds: Int64

    package init(microseconds: Int64) {
        self.microseconds = microseconds
    }

    package init(secondsSince1970 seconds: Int64) {
        self.init(microseconds: seconds * 1_000_000)
    }

    /// The beginning of its second, as it is told in sentences.
    package var wholeSecond: Timestamp {
        Timestamp(microseconds: microseconds.flooredDivision(by: 1_000_000).quotient * 1_000_000)
    }

    /// The local clock. Code that decides takes a moment as an argument; only the edges ask for this one.
    package static var now: Timestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }

    package static func < (lhs: Timestamp, rhs: Timestamp) -> Bool { lhs.microseconds < rhs.microseconds }

    /// Finer parts than a microsecond of the duration are dropped.
    package static func + (moment: Timestamp, distance: Duration) -> Timestamp {
        Timestamp(microseconds: moment.microseconds + distance.wholeMicroseconds)
    }

    package static func - (moment: Timestamp, distance: Duration) -> Timestamp {
        Timestamp(microseconds: moment.microseconds - distance.wholeMicroseconds)
    }

    package static func - (later: Timestamp, earlier: Timestamp) -> Duration {
        .microseconds(later.microseconds - earlier.microseconds)
    }
}

extension Duration {
    /// Truncated toward zero.
    package var wholeMicroseconds: Int64 {
        components.seconds * 1_000_000 + components.attoseconds / 1_000_000_000_000
    }
}

extension Timestamp: CustomStringConvertible, LosslessStringConvertible {
    /// RFC 3339 in UTC: `2026-03-01T12:00:00Z`, with up to six digits of a second where there are any.
    package var description: String {
        var buffer: [UInt8] = []
        append(to: &buffer, separator: UInt8(ascii: "T"))
        buffer.append(UInt8(ascii: "Z"))
        return String(decoding: buffer, as: UTF8.self)
    }

    private func append(to buffer: inout [UInt8], separator: UInt8) {
        let (seconds, fraction) = microseconds.flooredDivision(by: 1_000_000)
        let (days, second) = seconds.flooredDivision(by: 86_400)
        let (year, month, day) = CivilDate.date(days: days)
        Self.append(year, width: 4, to: &buffer)
        buffer.append(UInt8(ascii: "-"))
        Self.append(month, width: 2, to: &buffer)
        buffer.append(UInt8(ascii: "-"))
        Self.append(day, width: 2, to: &buffer)
        buffer.append(separator)
        Self.append(second / 3600, width: 2, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        Self.append(second / 60 % 60, width: 2, to: &buffer)
        buffer.append(UInt8(ascii: ":"))
        Self.append(second % 60, width: 2, to: &buffer)
        guard fraction != 0 else { return }
        buffer.append(UInt8(ascii: "."))
        Self.append(fraction, width: 6, to: &buffer)
        while buffer.last == UInt8(ascii: "0") { buffer.removeLast() }
    }

    private static func append(_ number: Int64, width: Int, to buffer: inout [UInt8]) {
        let start = buffer.count
        IntegerForm.append(number, to: &buffer)
        let missing = width - (buffer.count - start)
        if missing > 0 { buffer.insert(contentsOf: repeatElement(UInt8(ascii: "0"), count: missing), at: start) }
    }

    /// Reads RFC 3339 with `Z` or an offset; `nil` for anything else. Digits beyond the microsecond are dropped.
    package init?(_ text: String) {
        var parser = RFC3339(text)
        guard let moment = parser.parse() else { return nil }
        self = moment
    }
}

extension Timestamp: PostgresEncodable, PostgresDecodable {
    /// Microseconds from 1970 to 2000, where PostgreSQL counts from.
    private static let epoch: Int64 = 946_684_800_000_000

    package func appendText(to buffer: inout [UInt8]) {
        append(to: &buffer, separator: UInt8(ascii: " "))
        buffer.append(contentsOf: "+00".utf8)
    }

    package static func decode(_ value: BinaryValue) throws -> Timestamp {
        try value.expect(.timestamptz, bytes: 8, for: Timestamp.self)
        let (microseconds, overflow) = value.integer(as: Int64.self).addingReportingOverflow(epoch)
        // The infinities are the ends of the range.
        guard !overflow, value.integer(as: Int64.self) != .min else { throw ValueMismatch("holds an infinite time") }
        return Timestamp(microseconds: microseconds)
    }
}

extension Duration: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) {
        let total = wholeMicroseconds
        if total < 0 { buffer.append(UInt8(ascii: "-")) }
        let (seconds, fraction) = total.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
        IntegerForm.append(seconds, to: &buffer)
        buffer.append(UInt8(ascii: "."))
        let digits = buffer.count
        IntegerForm.append(fraction + 1_000_000, to: &buffer)
        buffer.remove(at: digits)
        buffer.append(contentsOf: " s".utf8)
    }

    /// An `interval` without months and days, whose length would depend on the calendar.
    package static func decode(_ value: BinaryValue) throws -> Duration {
        try value.expect(.interval, bytes: 16, for: Duration.self)
        guard value.integer(at: 8, as: Int64.self) == 0 else {
            throw ValueMismatch("holds an interval of days or months, which have no fixed length; store hours")
        }
        return .microseconds(value.integer(as: Int64.self))
    }
}
