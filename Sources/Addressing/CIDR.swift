/// An IP prefix in CIDR notation: a network address without host bits, and a length.
package struct CIDR: Hashable, Comparable, Sendable {
    /// The network address; its host bits are zero.
    package let network: IPAddress
    /// 0...32 or 0...128.
    package let prefixLength: Int

    /// The prefix of `prefixLength` bits that contains `address`; `nil` if the length does not fit the family.
    package init?(containing address: IPAddress, prefixLength: Int) {
        guard (0...address.family.bitWidth).contains(prefixLength) else { return nil }
        self.prefixLength = prefixLength
        network = IPAddress(
            family: address.family,
            bits: address.bits & Self.mask(family: address.family, prefixLength: prefixLength))
    }

    /// The prefix of an address and a dotted mask; `nil` if the mask has a hole or another family.
    package init?(containing address: IPAddress, mask: IPAddress) {
        guard mask.family == address.family else { return nil }
        let ones = (~mask.bits & Self.all(mask.family)).leadingZeroBitCount - (128 - mask.family.bitWidth)
        guard mask.bits == Self.mask(family: mask.family, prefixLength: ones) else { return nil }
        self.init(containing: address, prefixLength: ones)
    }

    package var family: IPAddress.Family { network.family }

    /// The highest address of the prefix.
    package var last: IPAddress {
        IPAddress(
            family: family,
            bits: network.bits | (Self.all(family) & ~Self.mask(family: family, prefixLength: prefixLength)))
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.family == family
            && address.bits & Self.mask(family: family, prefixLength: prefixLength) == network.bits
    }

    package func overlaps(_ other: CIDR) -> Bool {
        prefixLength <= other.prefixLength ? contains(other.network) : other.contains(network)
    }

    /// The addresses a host may have: all of a /31, /32, /127, /128; else without the network address (IPv4 and
    /// IPv6: the subnet-router anycast address of RFC 4291) and, for IPv4, the broadcast address.
    package var usable: AddressRange {
        guard prefixLength < family.bitWidth - 1 else { return AddressRange(unchecked: network, last) }
        let first = IPAddress(family: family, bits: network.bits + 1)
        let end = family == .v4 ? IPAddress(family: family, bits: last.bits - 1) : last
        return AddressRange(unchecked: first, end)
    }

    /// IPv4 first, then by address, the wider prefix before the narrower.
    package static func < (lhs: CIDR, rhs: CIDR) -> Bool {
        (lhs.network, lhs.prefixLength) < (rhs.network, rhs.prefixLength)
    }

    private static func all(_ family: IPAddress.Family) -> UInt128 {
        family == .v4 ? UInt128(UInt32.max) : .max
    }

    private static func mask(family: IPAddress.Family, prefixLength: Int) -> UInt128 {
        all(family) & ~(prefixLength == 0 ? all(family) : (UInt128(1) << UInt128(family.bitWidth - prefixLength)) - 1)
    }
}

extension CIDR: CustomStringConvertible, LosslessStringConvertible {
    package init?(_ text: String) {
        try? self.init(parsing: text)
    }

    /// `address/length`, without host bits.
    ///
    /// - Throws: ``AddressSyntaxError``; for host bits it names the prefix that was probably meant.
    package init(parsing text: String) throws {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2 else {
            throw AddressSyntaxError("\"\(text)\" is not a prefix; write ADDRESS/LENGTH, as 10.0.4.0/24")
        }
        if let mapped = IPAddress.mapped(in: String(parts[0])), let length = Int(parts[1]), (96...128).contains(length)
        {
            throw AddressSyntaxError("\"\(text)\" is an IPv4-mapped IPv6 prefix; write \(mapped)/\(length - 96)")
        }
        let address = try IPAddress(parsing: String(parts[0]))
        guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
            parts[1].utf8.first != 48 || parts[1].utf8.count == 1,
            let length = Int(parts[1]), let cidr = CIDR(containing: address, prefixLength: length)
        else {
            throw AddressSyntaxError(
                "\"\(text)\" has no valid prefix length; it is a number up to \(address.family.bitWidth)")
        }
        guard cidr.network == address else {
            throw AddressSyntaxError("\"\(text)\" has host bits set; did you mean \(cidr)?")
        }
        self = cidr
    }

    package var description: String { "\(network)/\(prefixLength)" }
}
