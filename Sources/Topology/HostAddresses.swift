import Addressing

/// The VMkernel addresses of a snapshot by the link that they belong to, in canonical order.
struct HostAddresses {
    private var byScope: [Scope: [HostAddress]] = [:]

    /// An address and the VLANs that it can be in, where it is.
    struct HostAddress {
        let item: TopologySnapshot.HostAddress
        /// The VLANs that a subnet for it may have, the first choice first.
        let vlans: [VLANID]

        init(_ item: TopologySnapshot.HostAddress, native: VLANID) {
            self.item = item
            switch item.portGroupVLAN {
            case .untagged: vlans = [native]
            case .tagged(let vlan): vlans = [vlan]
            case .unmatchable: vlans = []
            case .trunk(let ranges):
                // An adapter on a trunk sends untagged frames, so the native VLAN comes first if the trunk carries it.
                let carried = Set(ranges.flatMap { $0.clamped(to: 0...4095) }).sorted().compactMap(VLANID.init)
                vlans = item.portGroupVLAN.matches(native, native: native) ? [native] + carried : carried
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

    private static func precedes(_ lhs: HostAddress, _ rhs: HostAddress) -> Bool {
        let left = (lhs.item.address, lhs.item.host, lhs.item.prefixLength ?? -1)
        let right = (rhs.item.address, rhs.item.host, rhs.item.prefixLength ?? -1)
        return left == right ? lhs.vlans.lexicographicallyPrecedes(rhs.vlans) : left < right
    }

    func of(_ scope: Scope) -> [HostAddress] { byScope[scope] ?? [] }
}
