extension InventoryRecord {
    /// The record of an object; `nil` for one of a type that tells nothing here.
    init?(_ change: ObjectChange) {
        switch change.object.type {
        case "VirtualMachine": self = .virtualMachine(VirtualMachineRecord(change))
        case "HostSystem": self = .host(HostRecord(change))
        case "Datacenter": self = .container(ContainerRecord(change, .datacenter))
        case "Folder": self = .container(ContainerRecord(change, .folder))
        case "ComputeResource": self = .container(ContainerRecord(change, .computeResource))
        case "ClusterComputeResource": self = .container(ContainerRecord(change, .cluster))
        case "Network": self = .network(NetworkRecord(change, isOpaque: false))
        case "OpaqueNetwork": self = .network(NetworkRecord(change, isOpaque: true))
        case "DistributedVirtualPortgroup": self = .distributedPortGroup(DistributedPortGroupRecord(change))
        // vCenter says VmwareDistributedVirtualSwitch, and may have others.
        case let type where type.hasSuffix("DistributedVirtualSwitch"):
            self = .distributedSwitch(DistributedSwitchRecord(change))
        default: return nil
        }
    }
}

extension ObjectChange {
    func text(_ property: InventoryProperty) -> String? { self[property]?.text }
    func items(_ property: InventoryProperty) -> [ElementView] { self[property].map { Array($0.children) } ?? [] }

    /// vSphere stores `/`, `\` and `%` in inventory names escaped.
    var displayName: String { unescapedName(text(.name) ?? "") }
}

/// Undoes the three escapes of inventory names, and no other.
func unescapedName(_ stored: String) -> String {
    guard stored.utf8.contains(UInt8(ascii: "%")) else { return stored }
    var name = ""
    var rest = Substring(stored)
    while let first = rest.first {
        let replacement: Character? =
            switch rest.prefix(3).lowercased() {
            case "%2f": "/"
            case "%5c": "\\"
            case "%25": "%"
            default: nil
            }
        name.append(replacement ?? first)
        rest.removeFirst(replacement == nil ? 1 : 3)
    }
    return name
}

extension ContainerRecord {
    init(_ change: ObjectChange, _ kind: Kind) {
        self.init(
            id: change.object.value, kind: kind, name: change.displayName, parent: change.text(.parent),
            unreadable: change.unreadable)
    }
}

extension NetworkRecord {
    init(_ change: ObjectChange, isOpaque: Bool) {
        self.init(
            id: change.object.value, name: change.displayName, parent: change.text(.parent), isOpaque: isOpaque,
            opaqueNetworkID: change[.opaqueSummary]?.child(.opaqueNetworkId)?.text, unreadable: change.unreadable)
    }
}

extension DistributedSwitchRecord {
    init(_ change: ObjectChange) {
        let config = change[.switchConfig]
        var hosts: [String] = []
        func add(_ host: String?) {
            if let host, !hosts.contains(host) { hosts.append(host) }
        }
        for member in config?.children(.host) ?? [] { add(member.child(.config)?.child(.host)?.text) }
        for member in change.items(.switchHostMembers) { add(member.text) }
        self.init(
            id: change.object.value, name: change.displayName, parent: change.text(.parent),
            uuid: change.text(.switchUUID) ?? "", hosts: hosts,
            uplinkPortGroups: config?.children(.uplinkPortgroup).compactMap(\.text) ?? [],
            privateVLANs: config.flatMap(Self.privateVLANs),
            mtu: config?.child(.maxMtu)?.int.flatMap { $0 > 0 ? $0 : nil },
            unreadable: change.unreadable)
    }

    /// secondary -> primary; a promiscuous entry has both alike. `nil` unless the configuration is VMware's own.
    private static func privateVLANs(_ config: ElementView) -> [Int: Int]? {
        guard config.typeIs("VMwareDVSConfigInfo") else { return nil }
        var primaries: [Int: Int] = [:]
        for entry in config.children(.pvlanConfig) {
            guard let primary = entry.child(.primaryVlanId)?.int, let secondary = entry.child(.secondaryVlanId)?.int
            else { continue }
            primaries[secondary] = primary
        }
        return primaries
    }
}

extension DistributedPortGroupRecord {
    init(_ change: ObjectChange) {
        let tags = change.items(.portGroupTags).compactMap { $0.child(.key)?.text }
        self.init(
            id: change.object.value, key: change.text(.portGroupKey) ?? change.object.value,
            name: change.displayName, distributedSwitch: change.text(.portGroupSwitch),
            vlan: change.isUnreadable(.portGroupDefaults) ? nil : Self.vlan(change[.portGroupDefaults]?.child(.vlan)),
            isUplink: change[.portGroupUplink]?.bool == true || tags.contains("SYSTEM/DVS.UPLINKPG"),
            isNSX: change.text(.portGroupBacking)?.lowercased() == "nsx" || change.text(.portGroupLogicalSwitch) != nil,
            unreadable: change.unreadable)
    }

    /// `vlanId` is a number in one class and ranges in another, so the class decides.
    static func vlan(_ spec: ElementView?) -> VLAN {
        guard let spec, let type = spec.type else { return .unknown("") }
        switch type {
        case "VmwareDistributedVirtualSwitchVlanIdSpec":
            return spec.child(.vlanId)?.int.map(VLAN.id) ?? .unknown(type)
        case "VmwareDistributedVirtualSwitchTrunkVlanSpec":
            return .trunk(
                spec.children(.vlanId).compactMap { range in
                    guard let start = range.child(.start)?.int, let end = range.child(.end)?.int, start <= end else {
                        return nil
                    }
                    return start...end
                })
        case "VmwareDistributedVirtualSwitchPvlanSpec":
            return spec.child(.pvlanId)?.int.map(VLAN.privateVLAN) ?? .unknown(type)
        default: return .unknown(type)
        }
    }
}

extension ElementView {
    /// The children of one name.
    func children(_ name: ElementName) -> [ElementView] { children.filter { $0.name == name } }
}
