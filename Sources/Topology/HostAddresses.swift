import Addressing

/// The VMkernel addresses of a snapshot by the link that they belong to, in canonical order.
struct HostAddresses {
    private var byScope: [Scope: [HostAddress]] = [:]

    /// An address and the VLAN that it is in, as its link has it.
    struct HostAddress {
        let item: TopologySnapshot.HostAddress
        /// The VLAN that a subnet for it has unless a trunk reaches another one already; `nil` where there is none.
        let vlan: VLANID?

        init(_ item: TopologySnapshot.HostAddress, native: VLANID) {
            self.item = item
            switch item.portGroupVLAN {
            case .untagged: vlan = native
            case .tagged(let id): vlan = id
            case .unmatchable: vlan = nil
            case .trunk(let ranges):
                // An adapter on a trunk sends untagged frames, so the native VLAN comes first if the trunk carries it.
                let carried = ranges.filter { $0.overlaps(1...4094) }.map { max($0.lowerBound, 1) }
                vlan =
                    item.portGroupVLAN.matches(native, native: native) ? native : carried.min().flatMap(VLANID.init)
            }
        }

        /// From the adapter's mask; `nil` without a usable one. A mask of length 0 would hold the world.
        var cidr: CIDR? {
            guard let length = item.prefixLength, length > 0 else { return nil }
            return CIDR(containing: item.address, prefixLength: length)
        }

        var isTrunk: Bool {
            if case .trunk = item.portGroupVLAN { true } else { false }
        }
    }

    init(_ snapshot: TopologySnapshot, _ directory: Directory) {
        for item in snapshot.hostAddresses where !item.address.isIgnored {
            guard let scope = directory.scope(of: item.switch, host: item.host) else { continue }
            byScope[scope, default: []].append(HostAddress(item, native: directory.nativeVLAN(of: scope)))
        }
        byScope = byScope.mapValues { $0.sorted(by: Self.precedes) }
    }

    static func precedes(_ lhs: HostAddress, _ rhs: HostAddress) -> Bool {
        let left = (lhs.item.address, lhs.item.host, lhs.item.prefixLength ?? -1)
        let right = (rhs.item.address, rhs.item.host, rhs.item.prefixLength ?? -1)
        return left == right ? "\(lhs.item.portGroupVLAN)" < "\(rhs.item.portGroupVLAN)" : left < right
    }

    func of(_ scope: Scope) -> [HostAddress] { byScope[scope] ?? [] }
}
