/// Rows in the text form of COPY: fields apart by tabs, rows by line ends, `\\N` for NULL.
package struct CopyText: Sendable {
    package internal(set) var bytes: [UInt8] = []
    /// Complete rows so far.
    package private(set) var rows = 0
    /// Fields of the current row so far.
    private(set) var fields = 0

    package init() {}

    package mutating func append(_ value: some PostgresEncodable) throws {
        separate()
        let start = bytes.count
        value.appendText(to: &bytes)
        try escape(from: start)
    }

    package mutating func appendNull() {
        separate()
        bytes.append(UInt8(ascii: "\\"))
        bytes.append(UInt8(ascii: "N"))
    }

    /// Fields of the current row; `nil` is NULL.
    package mutating func append(fields: [(any PostgresEncodable)?]) throws {
        for field in fields {
            if let field { try append(field) } else { appendNull() }
        }
    }

    package mutating func endRow() {
        bytes.append(UInt8(ascii: "\n"))
        fields = 0
        rows += 1
    }

    /// Complete rows, after those that are there.
    package mutating func append(rows other: CopyText) {
        bytes.append(contentsOf: other.bytes)
        rows += other.rows
    }

    /// Forgets the rows, and keeps the room for as many.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        rows = 0
        fields = 0
    }

    private mutating func separate() {
        if fields > 0 { bytes.append(UInt8(ascii: "\t")) }
        fields += 1
    }

    /// Escapes what the last field holds of COPY's own characters; most fields hold none.
    private mutating func escape(from start: Int) throws {
        let special = try bytes.withUnsafeBufferPointer { bytes in
            var special = false
            for index in start..<bytes.count {
                if bytes[index] == 0 { throw DatabaseError.nulCharacter }
                if Self.escaped(bytes[index]) != nil { special = true }
            }
            return special
        }
        guard special else { return }
        let field = Array(bytes[start...])
        bytes.removeSubrange(start...)
        for byte in field {
            if let escaped = Self.escaped(byte) {
                bytes.append(UInt8(ascii: "\\"))
                bytes.append(escaped)
            } else {
                bytes.append(byte)
            }
        }
    }

    private static func escaped(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\\"): byte
        case UInt8(ascii: "\n"): UInt8(ascii: "n")
        case UInt8(ascii: "\r"): UInt8(ascii: "r")
        case UInt8(ascii: "\t"): UInt8(ascii: "t")
        default: nil
        }
    }
}
