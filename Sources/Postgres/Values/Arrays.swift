/// One-dimensional arrays: `{a,"b c",NULL}` as text, and the header with dimensions in binary.
enum ArrayForm {
    static func decode<Element: PostgresDecodable>(_ value: BinaryValue) throws -> [Element] {
        // int32 dimensions, int32 has-null flag, oid element type, then length and lower bound of each dimension.
        let bytes = value.bytes
        guard bytes.count >= 12 else { throw value.mismatch([Element].self) }
        let dimensions = value.integer(at: 0, as: Int32.self)
        if dimensions == 0 { return [] }
        guard dimensions == 1, bytes.count >= 20 else { throw value.mismatch([Element].self) }
        let type = TypeID(value.integer(at: 8, as: UInt32.self))
        let count = Int(value.integer(at: 12, as: Int32.self))
        guard count >= 0, count <= bytes.count / 4 else { throw value.mismatch([Element].self) }
        var elements: [Element] = []
        elements.reserveCapacity(count)
        var offset = 20
        for _ in 0..<count {
            guard offset + 4 <= bytes.count else { throw value.mismatch([Element].self) }
            let length = Int(value.integer(at: offset, as: Int32.self))
            offset += 4
            if length < 0 {
                guard let null = Element.decodedNull else { throw ValueMismatch("holds NULL in an array") }
                elements.append(null)
                continue
            }
            guard offset + length <= bytes.count else { throw value.mismatch([Element].self) }
            let slice = UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])
            elements.append(try Element.decode(BinaryValue(bytes: slice, type: type)))
            offset += length
        }
        return elements
    }

    static func append<Element: PostgresArrayElement>(_ values: [Element], to buffer: inout [UInt8]) {
        buffer.append(UInt8(ascii: "{"))
        var first = true
        for value in values {
            if !first { buffer.append(UInt8(ascii: ",")) }
            first = false
            value.appendElement(to: &buffer)
        }
        buffer.append(UInt8(ascii: "}"))
    }

    /// Quotes what stands in `buffer` from `start` if an array literal would read it otherwise.
    static func quote(from start: Int, in buffer: inout [UInt8]) {
        let text = buffer[start...]
        guard text.isEmpty || text.contains(where: Self.isSpecial) || isNullWord(text) else { return }
        let copy = Array(text)
        buffer.removeSubrange(start...)
        buffer.append(UInt8(ascii: "\""))
        for byte in copy {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { buffer.append(UInt8(ascii: "\\")) }
            buffer.append(byte)
        }
        buffer.append(UInt8(ascii: "\""))
    }

    private static func isSpecial(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "{"), UInt8(ascii: "}"), UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\\"): true
        default: byte <= 32
        }
    }

    private static func isNullWord(_ text: ArraySlice<UInt8>) -> Bool {
        text.count == 4 && text.elementsEqual("null".utf8) { $0 | 0x20 == $1 }
    }
}

extension PostgresEncodable {
    package static func appendArray(_ values: [Self], to buffer: inout [UInt8]) {
        ArrayForm.append(values, to: &buffer)
    }

    package func appendElement(to buffer: inout [UInt8]) {
        let start = buffer.count
        appendText(to: &buffer)
        ArrayForm.quote(from: start, in: &buffer)
    }

    package static func appendArrayText(_ values: [Self], to buffer: inout [UInt8]) {
        appendArray(values, to: &buffer)
    }
}

extension Optional: PostgresArrayElement where Wrapped: PostgresArrayElement {
    package func appendElement(to buffer: inout [UInt8]) {
        if let self { self.appendElement(to: &buffer) } else { buffer.append(contentsOf: "NULL".utf8) }
    }

    package static func appendArrayText(_ values: [Self], to buffer: inout [UInt8]) {
        ArrayForm.append(values, to: &buffer)
    }
}

extension Array: PostgresArrayElement where Element: PostgresArrayElement {}

extension Array: PostgresEncodable where Element: PostgresArrayElement {
    package func appendText(to buffer: inout [UInt8]) { Element.appendArrayText(self, to: &buffer) }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    package static func decode(_ value: BinaryValue) throws -> [Element] { try Element.decodeArray(value) }
}
