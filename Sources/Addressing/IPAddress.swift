/// An IPv4 or IPv6 address, in one type so that no rule is ever written twice.
///
/// The bits are right-aligned in 128: an IPv4 address occupies the low 32. Addresses order by family
/// (IPv4 first), then numerically.
package struct IPAddress: Hashable, Comparable, Sendable {
    package enum Family: UInt8, Hashable, Comparable, Sendable {
        case v4 = 4
        case v6 = 6

        /// Number of bits in an address: 32 or 128.
        package var bitWidth: Int { self == .v4 ? 32 : 128 }

        package static func < (lhs: Family, rhs: Family) -> Bool { lhs.rawValue < rhs.rawValue }
    }

    package let family: Family
    package let bits: UInt128

    /// - Precondition: an IPv4 address has no bit above the low 32.
    package init(family: Family, bits: UInt128) {
        precondition(family == .v6 || bits <= UInt128(UInt32.max), "an IPv4 address has 32 bits")
        self.family = family
        self.bits = bits
    }

    package init(v4 bits: UInt32) {
        self.init(family: .v4, bits: UInt128(bits))
    }

    package static func < (lhs: IPAddress, rhs: IPAddress) -> Bool {
        (lhs.family, lhs.bits) < (rhs.family, rhs.bits)
    }

    /// The address `distance` further on; `nil` where that leaves the family's space.
    package func advanced(by distance: UInt128) -> IPAddress? {
        let (sum, overflow) = bits.addingReportingOverflow(distance)
        guard !overflow, family == .v6 || sum <= UInt128(UInt32.max) else { return nil }
        return IPAddress(family: family, bits: sum)
    }

    /// The address before this one; `nil` at the start of the family's space.
    package var predecessor: IPAddress? {
        bits == 0 ? nil : IPAddress(family: family, bits: bits - 1)
    }

    /// The network-order bytes: 4 or 16.
    package var bytes: [UInt8] {
        stride(from: family.bitWidth - 8, through: 0, by: -8).map { UInt8(truncatingIfNeeded: bits >> UInt128($0)) }
    }

    /// - Parameter bytes: network order; `nil` unless there are 4 or 16.
    package init?(bytes: some Collection<UInt8>) {
        guard bytes.count == 4 || bytes.count == 16 else { return nil }
        self.init(family: bytes.count == 4 ? .v4 : .v6, bits: bytes.reduce(0) { $0 << 8 | UInt128($1) })
    }
}

extension IPAddress {
    /// 127/8 and ::1.
    package var isLoopback: Bool {
        family == .v4 ? bits >> 24 == 127 : bits == 1
    }

    /// 169.254/16 (RFC 3927) and fe80::/10 (RFC 4291).
    package var isLinkLocal: Bool {
        family == .v4 ? bits >> 16 == 0xA9FE : bits >> 118 == 0x3FA
    }

    /// 224/4 and ff00::/8.
    package var isMulticast: Bool {
        family == .v4 ? bits >> 28 == 0xE : bits >> 120 == 0xFF
    }

    /// 0/8 and ::, and the limited broadcast address: they name no interface.
    package var isUnspecifiedOrBroadcast: Bool {
        family == .v4 ? bits >> 24 == 0 || bits == UInt128(UInt32.max) : bits == 0
    }
}
