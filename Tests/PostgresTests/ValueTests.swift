import Addressing
import Foundation
import Postgres
import Support
import Testing

enum Colour: String, PostgresRawRepresentable, CaseIterable { case red, green }

struct WireID: RawRepresentable, Hashable, PostgresRawRepresentable { let rawValue: Int64 }

/// Every value goes to the server and back; the server's own text says that it understood.
@Suite struct ValueTests {
    /// One for all: they leave nothing in it that another would meet.
    private static let shared = Result { try ScratchDatabase(migrated: false) }
    private let scratch: ScratchDatabase

    init() throws {
        scratch = try Self.shared.get()
    }

    private func check<T: PostgresCodable & Equatable>(_ value: T, _ type: String, _ text: String? = nil) throws {
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT $1::\(type) AS v, ($1::\(type))::text AS t", value).one()
            let decoded: T = try row.get("v")
            #expect(decoded == value, "\(type)")
            if let text { #expect(try row.get("t") == text) }
            // The same through COPY, whose escaping differs.
            try connection.script("CREATE TEMP TABLE v (v \(type))")
            try connection.copyIn("v", columns: ["v"], rows: [[value], [nil]])
            let copied = try connection.query("SELECT v FROM v ORDER BY v IS NULL")
            #expect(try copied.map { try $0.get(0, as: T?.self) } == [value, nil], "\(type)")
            try connection.script("DROP TABLE v")
        }
    }

    @Test("numbers, to the ends of their ranges")
    func numbers() throws {
        try check(true, "boolean", "true")
        try check(false, "boolean", "false")
        for value in [0, 1, -1, 10, .max, .min] { try check(value, "bigint", String(value)) }
        for value: Int16 in [0, .max, .min] { try check(value, "smallint", String(value)) }
        for value: Int32 in [0, .max, .min] { try check(value, "integer", String(value)) }
        for value: Int64 in [0, .max, .min] { try check(value, "bigint", String(value)) }
        for value: UInt128 in [0, 1, 10_000, 100_000_000, 9_999_999_999, 1 << 64, .max] {
            try check(value, "numeric", String(value))
        }
        for value in [0.0, -0.5, 1e300, .leastNonzeroMagnitude, .pi, .infinity, -.infinity] {
            try check(value, "double precision")
        }
        try scratch.database.withConnection { connection in
            let nan: Double = try connection.query("SELECT $1::float8", Double.nan).one().get(0)
            #expect(nan.isNaN)
        }
    }

    @Test("an integer is read from any integer type that holds it, and from a whole numeric")
    func integerWidths() throws {
        try scratch.database.withConnection { connection in
            let row = try connection.query(
                """
                SELECT 5::smallint AS a, -6::integer AS b, sum(x) AS c, 123456789012::bigint AS d, 1.5::numeric AS e,
                    -100000000::numeric AS f, 'NaN'::numeric AS g, 40000::numeric AS h
                FROM (VALUES (1::bigint), (2)) AS v (x)
                """
            ).one()
            #expect(try row.get("a") == 5)
            #expect(try row.get("b") == -6)
            #expect(try row.get("c") == 3)
            #expect(try row.get("f") == -100_000_000)
            #expect(throws: DatabaseError.self) { try row.get("d", as: Int32.self) }
            #expect(throws: DatabaseError.self) { try row.get("e", as: Int.self) }
            #expect(throws: DatabaseError.self) { try row.get("f", as: UInt128.self) }
            #expect(throws: DatabaseError.self) { try row.get("g", as: Int.self) }
            #expect(throws: DatabaseError.self) { try row.get("h", as: Int16.self) }
            #expect(try row.get("h", as: Int32.self) == 40_000)
        }
    }

    static let texts = [
        "", " ", "plain", "it's", "tab\tline\nreturn\rback\\slash\\N", "\"quoted\"", "{a,b}", "NULL", "null", "\\.",
        "名前 🦊",
    ]

    @Test("text of any characters", arguments: texts)
    func text(_ text: String) throws {
        try check(text, "text", text)
        try check(text, "varchar")
        try check(JSON(text: try JSON(encoding: [text]).text), "json")
    }

    @Test("arrays of texts of any characters, with and without NULL")
    func textArrays() throws {
        try check(Self.texts, "text[]")
        try check([String](), "text[]", "{}")
        try check(Self.texts.map(Optional.some) + [nil], "text[]")
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT ARRAY['a', NULL] AS a, ARRAY[[1,2],[3,4]] AS b").one()
            #expect(throws: DatabaseError.self) { try row.get("a", as: [String].self) }
            #expect(throws: DatabaseError.self) { try row.get("b", as: [Int].self) }
        }
    }

    @Test("arrays of every kind of value")
    func arrays() throws {
        try check([1, -2, .max], "bigint[]", "{1,-2,9223372036854775807}")
        try check([1, nil, 3] as [Int64?], "bigint[]", "{1,NULL,3}")
        try check([true, false], "boolean[]")
        try check([IPAddress("10.0.0.1")!, IPAddress("2001:db8::1")!], "inet[]", "{10.0.0.1,2001:db8::1}")
        try check([CIDR("10.0.0.0/8")!], "cidr[]", "{10.0.0.0/8}")
        try check([MACAddress("00:50:56:ab:cd:ef")!], "macaddr[]")
        try check([Timestamp(microseconds: 5), Timestamp(microseconds: 0)], "timestamptz[]")
        try check([UUID(), UUID()], "uuid[]")
        try check([Colour.red, .green], "text[]", "{red,green}")
        try check([JSON(text: "{\"a\": [1, 2]}")], "jsonb[]")
        try check([Duration.seconds(90)], "interval[]")
        try check([Data([0, 255])], "bytea[]")
    }

    @Test("bytes of every value")
    func bytes() throws {
        let all = (0...255).map(UInt8.init)
        try check(all, "bytea")
        try check([UInt8](), "bytea", "\\x")
        try check(Data(all), "bytea")
    }

    @Test("UUIDs, enums, ids and JSON")
    func identifiers() throws {
        let uuid = UUID()
        try check(uuid, "uuid", uuid.uuidString.lowercased())
        try check(Colour.green, "text", "green")
        try check(WireID(rawValue: 7), "bigint", "7")
        try check(JSON(text: "{\"a\": 1}"), "jsonb", "{\"a\": 1}")
        try scratch.database.withConnection { connection in
            try connection.script("CREATE TYPE colour AS ENUM ('red', 'green', 'blue')")
            let row = try connection.query("SELECT $1::colour AS known, 'blue'::colour AS unknown", Colour.red).one()
            #expect(try row.get("known") == Colour.red)
            let error = #expect(throws: DatabaseError.self) { try row.get("unknown", as: Colour.self) }
            #expect(error?.detail == "the column \"unknown\" of a result holds a value that is no Colour")
        }
    }

    @Test("JSON of a value reads back as the value, with sorted keys")
    func json() throws {
        let json = try JSON(encoding: ["b": 1, "a": 2])
        #expect(json.text == "{\"a\":2,\"b\":1}")
        #expect(try json.decoded() == ["a": 2, "b": 1])
    }

    @Test("addresses, prefixes, MACs and VLAN ids of both families")
    func addresses() throws {
        for text in ["0.0.0.0", "10.0.4.17", "255.255.255.255", "::", "::1", "2001:db8::a:0:0:1", "fe80::1"] {
            try check(IPAddress(text)!, "inet", text + (text.contains(":") ? "/128" : "/32"))
        }
        for text in ["0.0.0.0/0", "10.0.4.0/24", "10.0.4.17/32", "::/0", "2001:db8::/32", "2001:db8::1/128"] {
            try check(CIDR(text)!, "cidr", text)
            try check(CIDR(text)!, "inet")
        }
        try check(MACAddress("00:50:56:ab:cd:ef")!, "macaddr", "00:50:56:ab:cd:ef")
        try check(VLANID(4094)!, "integer", "4094")
    }

    @Test("what would lose a mask, host bits or a VLAN's range is refused")
    func refusedAddresses() throws {
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT '10.0.0.1/24'::inet AS a, 4095 AS v").one()
            #expect(throws: DatabaseError.self) { try row.get("a", as: IPAddress.self) }
            #expect(throws: DatabaseError.self) { try row.get("a", as: CIDR.self) }
            #expect(throws: DatabaseError.self) { try row.get("v", as: VLANID.self) }
        }
    }

    @Test("moments to the microsecond, before and after 1970 and 2000")
    func timestamps() throws {
        try check(Timestamp(microseconds: 0), "timestamptz", "1970-01-01 00:00:00+00")
        try check(Timestamp(microseconds: -1), "timestamptz", "1969-12-31 23:59:59.999999+00")
        try check(Timestamp("2000-02-29T23:59:59.5Z")!, "timestamptz", "2000-02-29 23:59:59.5+00")
        try check(Timestamp("0001-01-01T00:00:00Z")!, "timestamptz", "0001-01-01 00:00:00+00")
        try check(Timestamp("9999-12-31T23:59:59.999999Z")!, "timestamptz")
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let range =
                Timestamp("0001-01-01T00:00:00Z")!.microseconds...Timestamp("9999-12-31T00:00:00Z")!.microseconds
            try check(Timestamp(microseconds: Int64.random(in: range, using: &random)), "timestamptz")
        }
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT 'infinity'::timestamptz AS a, '-infinity'::timestamptz AS b").one()
            #expect(throws: DatabaseError.self) { try row.get("a", as: Timestamp.self) }
            #expect(throws: DatabaseError.self) { try row.get("b", as: Timestamp.self) }
        }
    }

    @Test("durations to the microsecond; days and months are refused")
    func durations() throws {
        try check(Duration.zero, "interval", "00:00:00")
        try check(Duration.seconds(3600), "interval", "01:00:00")
        try check(Duration.milliseconds(-1500), "interval", "-00:00:01.5")
        try check(Duration.microseconds(1), "interval", "00:00:00.000001")
        try check(Duration.seconds(86_400 * 4000), "interval", "96000:00:00")
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT '1 day'::interval AS d, '1 month'::interval AS m").one()
            #expect(throws: DatabaseError.self) { try row.get("d", as: Duration.self) }
            #expect(throws: DatabaseError.self) { try row.get("m", as: Duration.self) }
        }
    }
}
