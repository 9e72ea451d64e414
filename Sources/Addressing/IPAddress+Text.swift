/// Why a text is not an address, prefix, MAC or VLAN id: one sentence that quotes what was given.
package struct AddressSyntaxError: Error, Hashable, Sendable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

extension IPAddress: CustomStringConvertible, LosslessStringConvertible {
    package init?(_ text: String) {
        try? self.init(parsing: text)
    }

    /// Strict: dotted decimal without leading zeros, or RFC 4291 text; no spaces, no zone, no IPv4-mapped form.
    ///
    /// - Throws: ``AddressSyntaxError``.
    package init(parsing text: String) throws {
        if text.contains(where: \.isWhitespace) {
            throw AddressSyntaxError("\"\(text)\" is not an IP address: it has a space in it")
        }
        let utf8 = Array(text.utf8)
        if utf8.contains(UInt8(ascii: ":")) {
            guard let groups = Self.groups(of: utf8) else {
                throw AddressSyntaxError("\"\(text)\" is not an IPv6 address")
            }
            if let mapped = Self.mapped(groups) {
                throw AddressSyntaxError("\"\(text)\" is an IPv4-mapped IPv6 address; write \(mapped)")
            }
            self.init(family: .v6, bits: Self.bits(groups))
        } else {
            self.init(v4: try Self.dotted(utf8, text))
        }
    }

    /// The IPv4 address that an IPv6 text is another form of; `nil` for any other text.
    static func mapped(in text: String) -> IPAddress? { groups(of: Array(text.utf8)).flatMap(mapped) }

    private static func mapped(_ groups: [UInt16]) -> IPAddress? {
        let bits = bits(groups)
        return bits >> 32 == 0xFFFF ? IPAddress(v4: UInt32(bits & 0xFFFF_FFFF)) : nil
    }

    private static func bits(_ groups: [UInt16]) -> UInt128 { groups.reduce(0) { $0 << 16 | UInt128($1) } }

    private static func dotted(_ utf8: [UInt8], _ text: String) throws -> UInt32 {
        let parts = utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { throw AddressSyntaxError("\"\(text)\" is not an IP address") }
        var bits: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (48...57).contains($0) }) else {
                throw AddressSyntaxError("\"\(text)\" is not an IP address")
            }
            if part.count > 1, part.first == 48 {
                throw AddressSyntaxError(
                    "\"\(text)\" has a leading zero, which some programs read as octal; leave it out")
            }
            let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 48) }
            guard value <= 255 else { throw AddressSyntaxError("\"\(text)\" has a part above 255") }
            bits = bits << 8 | value
        }
        return bits
    }

    /// The eight groups of an IPv6 text, which may end in a dotted quad; `nil` if malformed.
    private static func groups(of utf8: [UInt8]) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        var halves: [[UInt8]] = [utf8]
        for index in utf8.indices.dropLast() where utf8[index] == colon && utf8[index + 1] == colon {
            halves = [Array(utf8[..<index]), Array(utf8[(index + 2)...])]
            break
        }
        func parse(_ half: [UInt8], last: Bool) -> [UInt16]? {
            if half.isEmpty { return [] }
            var groups: [UInt16] = []
            let parts = half.split(separator: colon, omittingEmptySubsequences: false)
            for (index, part) in parts.enumerated() {
                if last, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                    guard let quad = try? dotted(Array(part), "") else { return nil }
                    groups += [UInt16(quad >> 16), UInt16(quad & 0xFFFF)]
                    continue
                }
                guard (1...4).contains(part.count) else { return nil }
                var value: UInt16 = 0
                for digit in part {
                    guard let nibble = hexadecimalValue(digit) else { return nil }
                    value = value << 4 | UInt16(nibble)
                }
                groups.append(value)
            }
            return groups
        }
        guard let head = parse(halves[0], last: halves.count == 1) else { return nil }
        if halves.count == 1 { return head.count == 8 ? head : nil }
        guard let tail = parse(halves[1], last: true), head.count + tail.count <= 7 else { return nil }
        return head + Array(repeating: 0, count: 8 - head.count - tail.count) + tail
    }

    /// RFC 5952 for IPv6.
    package var description: String {
        if family == .v4 {
            return bytes.map(String.init).joined(separator: ".")
        }
        let groups = stride(from: 112, through: 0, by: -16).map { UInt16(truncatingIfNeeded: bits >> UInt128($0)) }
        // The longest run of zeros, the first of equals, two or more.
        var best = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || groups[index] != 0 {
            if index - start > max(best.count, 1) { best = start..<index }
            start = index + 1
        }
        func text(_ range: Range<Int>) -> String {
            groups[range].map { String($0, radix: 16) }.joined(separator: ":")
        }
        return best.isEmpty ? text(0..<8) : text(0..<best.lowerBound) + "::" + text(best.upperBound..<8)
    }
}

/// 0...15 for an ASCII hexadecimal digit, else `nil`.
func hexadecimalValue(_ digit: UInt8) -> UInt8? {
    switch digit {
    case 48...57: digit - 48
    case 65...70: digit - 55
    case 97...102: digit - 87
    default: nil
    }
}
