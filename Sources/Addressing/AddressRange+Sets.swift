extension AddressRange {
    /// The addresses in both; `nil` for none.
    package func intersection(_ other: AddressRange) -> AddressRange? {
        guard overlaps(other) else { return nil }
        return AddressRange(max(first, other.first), min(last, other.last))
    }

    /// What is left without the other's addresses: none, one or two ranges, ascending.
    package func subtracting(_ other: AddressRange) -> [AddressRange] {
        guard overlaps(other) else { return [self] }
        var pieces: [AddressRange] = []
        if first < other.first, let end = other.first.predecessor {
            pieces += [AddressRange(first, end)].compactMap { $0 }
        }
        if other.last < last, let start = other.last.advanced(by: 1) {
            pieces += [AddressRange(start, last)].compactMap { $0 }
        }
        return pieces
    }
}
