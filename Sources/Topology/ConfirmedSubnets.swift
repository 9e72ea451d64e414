import Addressing

/// Finds the confirmed subnets that contain an address, by one hash look-up for each prefix length in use.
///
/// A walk over all subnets for each address would be 5,000,000 comparisons for 10,000 addresses and 500 subnets, in
/// the transaction that holds the topology lock.
struct ConfirmedSubnets {
    struct Entry {
        let subnet: TopologySnapshot.SubnetID
        let wire: TopologySnapshot.WireID
    }

    private var entries: [CIDR: [VLANID: [Entry]]] = [:]
    private var lengths: [IPAddress.Family: [Int]] = [:]

    init(_ subnets: [TopologySnapshot.Subnet]) {
        var seen: [IPAddress.Family: Set<Int>] = [:]
        for subnet in subnets {
            let entry = Entry(subnet: subnet.id, wire: subnet.wire)
            entries[subnet.cidr, default: [:]][subnet.vlan, default: []].append(entry)
            seen[subnet.cidr.family, default: []].insert(subnet.cidr.prefixLength)
        }
        lengths = seen.mapValues { $0.sorted() }
    }

    /// Calls `body` for each confirmed subnet that contains the address and whose VLAN the port group carries, in no
    /// particular order.
    func forEach(
        containing address: IPAddress, on portGroup: PortGroupVLAN, native: VLANID, _ body: (Entry) -> Void
    ) {
        for length in lengths[address.family] ?? [] {
            guard let cidr = CIDR(containing: address, prefixLength: length), let byVLAN = entries[cidr] else {
                continue
            }
            switch portGroup {
            case .untagged: byVLAN[native]?.forEach(body)
            case .tagged(let vlan): byVLAN[vlan]?.forEach(body)
            case .trunk, .unmatchable:
                for (vlan, entries) in byVLAN where portGroup.matches(vlan, native: native) {
                    entries.forEach(body)
                }
            }
        }
    }
}

extension IPAddress {
    /// Whether it is an address that never counts: not one host's on one network.
    var isIgnored: Bool { isLoopback || isLinkLocal || isMulticast || isUnspecifiedOrBroadcast }
}
