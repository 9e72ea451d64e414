/// An EUI-48 hardware address.
package struct MACAddress: Hashable, Comparable, Sendable, CustomStringConvertible, LosslessStringConvertible {
    /// The low 48 bits.
    package let bits: UInt64

    package init(bits: UInt64) {
        self.bits = bits & 0xFFFF_FFFF_FFFF
    }

    /// Six hexadecimal pairs, separated by `:` or `-`, in either case; `nil` otherwise.
    package init?(_ text: String) {
        let parts = text.utf8.split(omittingEmptySubsequences: false) {
            $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "-")
        }
        guard parts.count == 6 else { return nil }
        var bits: UInt64 = 0
        for part in parts {
            guard part.count == 2, let high = hexadecimalValue(part.first!), let low = hexadecimalValue(part.last!)
            else { return nil }
            bits = bits << 8 | UInt64(high << 4 | low)
        }
        self.bits = bits
    }

    package static func < (lhs: MACAddress, rhs: MACAddress) -> Bool { lhs.bits < rhs.bits }

    package var description: String {
        stride(from: 40, through: 0, by: -8).map { shift in
            let octet = UInt8(truncatingIfNeeded: bits >> UInt64(shift))
            return (octet < 16 ? "0" : "") + String(octet, radix: 16)
        }.joined(separator: ":")
    }
}
