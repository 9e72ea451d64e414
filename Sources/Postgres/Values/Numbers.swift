extension Bool: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) {
        buffer.append(self ? UInt8(ascii: "t") : UInt8(ascii: "f"))
    }

    package static func decode(_ value: BinaryValue) throws -> Bool {
        try value.expect(.bool, bytes: 1, for: Bool.self)
        return value.bytes[0] != 0
    }
}

/// Integers read from any integer type that holds them, and from a whole `numeric` (what `sum` yields).
enum IntegerForm {
    static func append<T: FixedWidthInteger>(_ value: T, to buffer: inout [UInt8]) {
        // 39 digits of 128 bits and a sign.
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 40) { digits in
            var position = 40
            var rest = value.magnitude
            repeat {
                let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
                position -= 1
                digits.initializeElement(at: position, to: 48 + UInt8(truncatingIfNeeded: digit))
                rest = quotient
            } while rest != 0
            if value < 0 {
                position -= 1
                digits.initializeElement(at: position, to: UInt8(ascii: "-"))
            }
            buffer.append(contentsOf: UnsafeBufferPointer(rebasing: digits[position...]))
        }
    }

    static func decode<T: FixedWidthInteger>(_ value: BinaryValue) throws -> T {
        let wide: Int64
        switch (value.type, value.bytes.count) {
        case (.int8, 8): wide = value.integer(as: Int64.self)
        case (.int4, 4): wide = Int64(value.integer(as: Int32.self))
        case (.int2, 2): wide = Int64(value.integer(as: Int16.self))
        case (.oid, 4): wide = Int64(value.integer(as: UInt32.self))
        // Digits of base 10,000 are gathered in a type that is sure to hold one.
        case (.numeric, 8...) where T.bitWidth >= 64: return try numeric(value)
        case (.numeric, 8...): wide = try numeric(value)
        default: throw value.mismatch(T.self)
        }
        guard let narrow = T(exactly: wide) else { throw ValueMismatch("holds a number that does not fit \(T.self)") }
        return narrow
    }

    /// int16 digit count, weight of the first, sign, display scale, then digits of base 10,000.
    private static func numeric<T: FixedWidthInteger>(_ value: BinaryValue) throws -> T {
        let count = Int(value.integer(at: 0, as: Int16.self))
        let weight = Int(value.integer(at: 2, as: Int16.self))
        let sign = value.integer(at: 4, as: UInt16.self)
        guard sign == 0 || sign == 0x4000, count >= 0, value.bytes.count >= 8 + 2 * count else {
            throw value.mismatch(T.self)
        }
        let misfit = ValueMismatch("holds a number that does not fit \(T.self)")
        // A digit beyond the weight is a fraction; trailing zeros are not stored.
        guard count == 0 || (weight >= 0 && count <= weight + 1) else { throw misfit }
        guard count > 0 else { return 0 }
        var total: T = 0
        for index in 0...weight {
            let digit = index < count ? Int(value.integer(at: 8 + 2 * index, as: Int16.self)) : 0
            let (product, overflow) = total.multipliedReportingOverflow(by: 10_000)
            let (sum, spill) =
                sign == 0
                ? product.addingReportingOverflow(T(digit)) : product.subtractingReportingOverflow(T(digit))
            guard !overflow, !spill else { throw misfit }
            total = sum
        }
        return total
    }
}

extension Int: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { IntegerForm.append(self, to: &buffer) }
    package static func decode(_ value: BinaryValue) throws -> Int { try IntegerForm.decode(value) }
}

extension Int16: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { IntegerForm.append(self, to: &buffer) }
    package static func decode(_ value: BinaryValue) throws -> Int16 { try IntegerForm.decode(value) }
}

extension Int32: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { IntegerForm.append(self, to: &buffer) }
    package static func decode(_ value: BinaryValue) throws -> Int32 { try IntegerForm.decode(value) }
}

extension Int64: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { IntegerForm.append(self, to: &buffer) }
    package static func decode(_ value: BinaryValue) throws -> Int64 { try IntegerForm.decode(value) }
}

/// `numeric`: counts of addresses in an IPv6 subnet.
extension UInt128: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { IntegerForm.append(self, to: &buffer) }
    package static func decode(_ value: BinaryValue) throws -> UInt128 { try IntegerForm.decode(value) }
}

extension Double: PostgresEncodable, PostgresDecodable {
    /// The shortest text that reads back as the same number; infinities and NaN are PostgreSQL's own words.
    package func appendText(to buffer: inout [UInt8]) {
        if isInfinite {
            buffer.append(contentsOf: (self < 0 ? "-Infinity" : "Infinity").utf8)
        } else if isNaN {
            buffer.append(contentsOf: "NaN".utf8)
        } else {
            buffer.append(contentsOf: description.utf8)
        }
    }

    package static func decode(_ value: BinaryValue) throws -> Double {
        switch (value.type, value.bytes.count) {
        case (.float8, 8): Double(bitPattern: value.integer(as: UInt64.self))
        case (.float4, 4): Double(Float(bitPattern: value.integer(as: UInt32.self)))
        default: throw value.mismatch(Double.self)
        }
    }
}
