import FoundationEssentials

/// A `json` or `jsonb` value as its text.
package struct JSON: Hashable, Sendable {
    package var text: String

    package init(text: String) {
        self.text = text
    }

    /// - Throws: `EncodingError`. Keys are sorted, so that equal values have equal texts.
    package init(encoding value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        text = String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// - Throws: `DecodingError`.
    package func decoded<Value: Decodable>(as type: Value.Type = Value.self) throws -> Value {
        try JSONDecoder().decode(type, from: Data(text.utf8))
    }
}

extension JSON: PostgresEncodable, PostgresDecodable {
    package func appendText(to buffer: inout [UInt8]) { text.appendText(to: &buffer) }

    package static func decode(_ value: BinaryValue) throws -> JSON {
        switch value.type {
        case .json:
            return JSON(text: String(decoding: value.bytes, as: UTF8.self))
        case .jsonb where value.bytes.first == 1:
            // A version byte goes before the text.
            return JSON(text: String(decoding: value.bytes.dropFirst(), as: UTF8.self))
        default:
            throw value.mismatch(JSON.self)
        }
    }
}
