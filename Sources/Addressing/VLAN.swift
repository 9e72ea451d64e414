/// An IEEE 802.1Q VLAN id that a subnet may have: 1...4094.
package struct VLANID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let rawValue: Int

    /// `nil` outside 1...4094: 0 is priority tagging, 4095 is reserved.
    package init?(_ rawValue: Int) {
        guard (1...4094).contains(rawValue) else { return nil }
        self.rawValue = rawValue
    }

    /// What an untagged frame belongs to where nobody says otherwise.
    package static let one = VLANID(1)!

    package static func < (lhs: VLANID, rhs: VLANID) -> Bool { lhs.rawValue < rhs.rawValue }

    package var description: String { String(rawValue) }
}

/// What a port group does with VLAN tags, as the rule for matching it to subnets needs it (DESIGN.md 3.1).
package enum PortGroupVLAN: Hashable, Sendable {
    /// VLAN id 0: frames leave untagged, on whatever the link calls native.
    case untagged
    /// Tagged with one id. A private VLAN is here with its *primary* id.
    case tagged(VLANID)
    /// Every id of the ranges, tagged by the guest; ids outside 1...4094 in a range carry nothing.
    case trunk([ClosedRange<Int>])
    /// No VLAN to match: an uplink, an NSX segment, a private VLAN whose primary could not be read.
    case unmatchable

    /// Whether a subnet of `vlan` is reachable here, on a link whose untagged frames belong to `native`.
    package func matches(_ vlan: VLANID, native: VLANID) -> Bool {
        switch self {
        case .untagged: vlan == native
        case .tagged(let id): vlan == id
        case .trunk(let ranges): ranges.contains { $0.contains(vlan.rawValue) }
        case .unmatchable: false
        }
    }
}
