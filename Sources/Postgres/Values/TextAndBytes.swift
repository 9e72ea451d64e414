package import FoundationEssentials

extension String: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { buffer.append(contentsOf: utf8) }

    /// Text types, `json`, `jsonb` and enums.
    package static func decode(_ value: BinaryValue) throws -> String {
        switch value.type {
        case .text, .varchar, .bpchar, .name, .json, .unknown, .char:
            return String(decoding: value.bytes, as: UTF8.self)
        case .jsonb:
            return try JSON.decode(value).text
        case let type where type.isUserDefined:
            return String(decoding: value.bytes, as: UTF8.self)
        default:
            throw value.mismatch(String.self)
        }
    }
}

/// Here for its arrays, which are `bytea`.
extension UInt8: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { IntegerForm.append(self, to: &buffer) }

    package static func decode(_ value: BinaryValue) throws -> UInt8 { try IntegerForm.decode(value) }

    package static func appendArray(_ values: [UInt8], to buffer: inout [UInt8]) {
        HexForm.appendBytea(values, to: &buffer)
    }

    package static func decodeArray(_ value: BinaryValue) throws -> [UInt8] {
        try value.expect(.bytea, for: [UInt8].self)
        return Array(value.bytes)
    }
}

extension Data: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { HexForm.appendBytea(self, to: &buffer) }

    package static func decode(_ value: BinaryValue) throws -> Data {
        try value.expect(.bytea, for: Data.self)
        return Data(value.bytes)
    }
}

extension UUID: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) {
        withUnsafeBytes(of: uuid) { bytes in
            for (index, byte) in bytes.enumerated() {
                if index == 4 || index == 6 || index == 8 || index == 10 { buffer.append(UInt8(ascii: "-")) }
                HexForm.append(byte, to: &buffer)
            }
        }
    }

    package static func decode(_ value: BinaryValue) throws -> UUID {
        try value.expect(.uuid, bytes: 16, for: UUID.self)
        return UUID(uuid: value.bytes.loadUnaligned(as: uuid_t.self))
    }
}

enum HexForm {
    static func append(_ byte: UInt8, to buffer: inout [UInt8]) {
        buffer.append(digit(byte >> 4))
        buffer.append(digit(byte & 15))
    }

    static func digit(_ nibble: UInt8) -> UInt8 { nibble < 10 ? 48 + nibble : 87 + nibble }

    static func appendBytea(_ bytes: some Collection<UInt8>, to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "\\"))
        buffer.append(UInt8(ascii: "x"))
        buffer.reserveCapacity(buffer.count + 2 * bytes.count)
        for byte in bytes { append(byte, to: &buffer) }
    }
}
