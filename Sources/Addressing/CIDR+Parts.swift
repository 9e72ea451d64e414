extension CIDR {
    /// The prefixes of a longer length that together are this one, ascending; `nil` if the length is not longer, or
    /// there are more than `limit`.
    package func parts(ofLength length: Int, atMost limit: Int) -> [CIDR]? {
        guard length > prefixLength, length <= family.bitWidth, length - prefixLength < 31,
            1 << (length - prefixLength) <= limit
        else { return nil }
        return (0..<(1 << (length - prefixLength))).compactMap { index in
            let offset = UInt128(index) << UInt128(family.bitWidth - length)
            return network.advanced(by: offset).flatMap { CIDR(containing: $0, prefixLength: length) }
        }
    }

    /// The one prefix that these are together, each address of it in exactly one of them; `nil` if there is none.
    package init?(joining parts: [CIDR]) {
        let sorted = parts.sorted()
        guard let first = sorted.first, let last = sorted.last, first.family == last.family else { return nil }
        let same = (first.network.bits ^ last.last.bits).leadingZeroBitCount - (128 - first.family.bitWidth)
        guard let whole = CIDR(containing: first.network, prefixLength: same), whole.network == first.network,
            whole.last == last.last,
            zip(sorted, sorted.dropFirst()).allSatisfy({ $0.last.advanced(by: 1) == $1.network })
        else { return nil }
        self = whole
    }

    /// Every address, usable or not.
    package var range: AddressRange { AddressRange(unchecked: network, last) }

    /// The addresses that no host may have: none, the network address, or that and the broadcast address.
    package var unusable: [IPAddress] { [network, last].filter { !usable.contains($0) } }
}
