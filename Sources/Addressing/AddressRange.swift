/// A closed range of addresses of one family.
package struct AddressRange: Hashable, Sendable {
    package let first: IPAddress
    package let last: IPAddress

    /// `nil` if the families differ or `last` is before `first`.
    package init?(_ first: IPAddress, _ last: IPAddress) {
        guard first.family == last.family, first <= last else { return nil }
        self.first = first
        self.last = last
    }

    init(unchecked first: IPAddress, _ last: IPAddress) {
        self.first = first
        self.last = last
    }

    /// Number of addresses; saturates at 2^128 - 1 for the whole IPv6 space.
    package var count: UInt128 {
        let (count, overflow) = (last.bits - first.bits).addingReportingOverflow(1)
        return overflow ? .max : count
    }

    package func contains(_ address: IPAddress) -> Bool {
        address.family == first.family && first <= address && address <= last
    }

    package func contains(_ other: AddressRange) -> Bool {
        contains(other.first) && contains(other.last)
    }

    package func overlaps(_ other: AddressRange) -> Bool {
        first.family == other.first.family && first <= other.last && other.first <= last
    }
}

extension AddressRange: CustomStringConvertible {
    /// `FIRST-LAST`, or one address alone.
    ///
    /// - Throws: ``AddressSyntaxError``.
    package init(parsing text: String) throws {
        let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let first = try IPAddress(parsing: parts[0])
        let last = parts.count == 2 ? try IPAddress(parsing: parts[1]) : first
        guard let range = AddressRange(first, last) else {
            throw AddressSyntaxError("\"\(text)\" is not a range: it must rise, within one address family")
        }
        self = range
    }

    package var description: String { first == last ? "\(first)" : "\(first)-\(last)" }
}
