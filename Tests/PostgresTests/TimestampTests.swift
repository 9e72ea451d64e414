import Foundation
import Postgres
import Testing

@Suite struct TimestampTests {
    @Test("the text of every day of 800 years agrees with the calendar, and reads back")
    func everyDay() throws {
        // A walk by months' lengths, as a model of what the arithmetic claims.
        var (year, month, day) = (1600, 1, 1)
        var moment = try #require(Timestamp("1600-01-01T00:00:00Z"))
        while year < 2400 {
            let expected = String(format: "%04d-%02d-%02dT00:00:00Z", year, month, day)
            guard moment.description == expected, Timestamp(expected) == moment else {
                Issue.record("\(moment) where \(expected) is due")
                return
            }
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            day += 1
            if day > lengths[month - 1] { (month, day) = (month + 1, 1) }
            if month > 12 { (year, month) = (year + 1, 1) }
            moment = moment + .seconds(86_400)
        }
        #expect(Timestamp(secondsSince1970: 0).description == "1970-01-01T00:00:00Z")
    }

    @Test(
        "a fraction has as many digits as it needs",
        arguments: [(500_000, "00.5Z"), (1, "00.000001Z"), (0, "00Z"), (59_120_000, "59.12Z")])
    func fraction(_ microseconds: Int64, _ end: String) {
        let text = Timestamp(microseconds: microseconds).description
        #expect(text == "1970-01-01T00:00:" + end)
        #expect(Timestamp(text)?.microseconds == microseconds)
    }

    @Test("offsets, small letters and long fractions are read")
    func read() {
        let noon = Timestamp("2026-03-01T12:00:00Z")
        #expect(Timestamp("2026-03-01T13:30:00+01:30") == noon)
        #expect(Timestamp("2026-03-01T04:00:00-08:00") == noon)
        #expect(Timestamp("2026-03-01t12:00:00.0000009z") == noon)
    }

    @Test(
        "what is no RFC 3339 moment is refused",
        arguments: [
            "", "2026-03-01", "2026-03-01T12:00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:60:00Z", "2026-03-01T12:00:60Z", "2026-03-01T12:00:00.Z", "2026-03-01T12:00:00+1:00",
            "2026-03-01T12:00:00Zx", "26-03-01T12:00:00Z", "2026-3-1T12:00:00Z", "2026-00-10T12:00:00Z",
        ])
    func refused(_ text: String) {
        #expect(Timestamp(text) == nil)
    }

    @Test("moments and durations add up")
    func arithmetic() {
        let moment = Timestamp(microseconds: 1_000)
        #expect(moment + .milliseconds(2) == Timestamp(microseconds: 3_000))
        #expect(moment - .seconds(1) == Timestamp(microseconds: -999_000))
        #expect((moment + .seconds(5)) - moment == .seconds(5))
        #expect(moment < moment + .microseconds(1))
    }
}
