/// A property that a reading asks for.
enum InventoryProperty: Int16, CaseIterable {
    case name, parent

    case hostUUID, hostConnectionState, hostInMaintenanceMode, hostManagementServer, hostVersion
    case hostPhysicalNICs, hostVMkernelAdapters, hostSwitches, hostPortGroups, hostProxySwitches
    case hostRoutes, hostNetStacks, hostServices

    case machineHost, machinePowerState, machineConnectionState, machineBIOSUUID, machineInstanceUUID
    case machineIsTemplate, machineManagedBy, machineDevices
    case machineGuestNICs, machineToolsStatus, machineGuestHostName

    case opaqueSummary

    case switchUUID, switchConfig, switchHostMembers

    case portGroupKey, portGroupSwitch, portGroupDefaults, portGroupTags
    case portGroupUplink, portGroupBacking, portGroupLogicalSwitch

    var path: String {
        switch self {
        case .name: "name"
        case .parent: "parent"
        case .hostUUID: "summary.hardware.uuid"
        case .hostConnectionState, .machineConnectionState: "runtime.connectionState"
        case .hostInMaintenanceMode: "runtime.inMaintenanceMode"
        case .hostManagementServer: "summary.managementServerIp"
        case .hostVersion: "config.product.version"
        case .hostPhysicalNICs: "config.network.pnic"
        case .hostVMkernelAdapters: "config.network.vnic"
        case .hostSwitches: "config.network.vswitch"
        case .hostPortGroups: "config.network.portgroup"
        case .hostProxySwitches: "config.network.proxySwitch"
        case .hostRoutes: "config.network.ipRouteConfig"
        case .hostNetStacks: "config.network.netStackInstance"
        case .hostServices: "config.virtualNicManagerInfo.netConfig"
        case .machineHost: "runtime.host"
        case .machinePowerState: "runtime.powerState"
        case .machineBIOSUUID: "config.uuid"
        case .machineInstanceUUID: "config.instanceUuid"
        case .machineIsTemplate: "config.template"
        case .machineManagedBy: "config.managedBy"
        case .machineDevices: "config.hardware.device"
        case .machineGuestNICs: "guest.net"
        case .machineToolsStatus: "guest.toolsRunningStatus"
        case .machineGuestHostName: "guest.hostName"
        // The whole summary, because its fields beyond NetworkSummary's belong to a subclass.
        case .opaqueSummary: "summary"
        case .switchUUID: "uuid"
        // The whole of both, because private VLANs and VLANs belong to VMware's subclasses.
        case .switchConfig: "config"
        case .switchHostMembers: "summary.hostMember"
        case .portGroupKey: "key"
        case .portGroupSwitch: "config.distributedVirtualSwitch"
        case .portGroupDefaults: "config.defaultPortConfig"
        case .portGroupTags: "tag"
        case .portGroupUplink: "config.uplink"
        case .portGroupBacking: "config.backingType"
        case .portGroupLogicalSwitch: "config.logicalSwitchUuid"
        }
    }

    /// Servers of some version do not know it; a reading does without.
    var isOptional: Bool {
        switch self {
        case .hostNetStacks, .hostManagementServer, .hostProxySwitches, .machineManagedBy, .switchHostMembers,
            .portGroupUplink, .portGroupBacking, .portGroupLogicalSwitch, .portGroupTags, .portGroupKey:
            true
        default: false
        }
    }

    /// What each type is asked, beside what its base type is.
    static let byType: [(type: String, properties: [InventoryProperty])] = [
        ("Datacenter", [.name, .parent]),
        ("Folder", [.name, .parent]),
        ("ComputeResource", [.name, .parent]),
        (
            "HostSystem",
            [
                .name, .parent, .hostConnectionState, .hostInMaintenanceMode, .hostUUID, .hostManagementServer,
                .hostVersion, .hostPhysicalNICs, .hostVMkernelAdapters, .hostSwitches, .hostPortGroups,
                .hostProxySwitches, .hostRoutes, .hostNetStacks, .hostServices,
            ]
        ),
        (
            "VirtualMachine",
            [
                .name, .parent, .machineHost, .machinePowerState, .machineConnectionState, .machineBIOSUUID,
                .machineInstanceUUID, .machineIsTemplate, .machineManagedBy, .machineDevices, .machineGuestNICs,
                .machineToolsStatus, .machineGuestHostName,
            ]
        ),
        ("Network", [.name, .parent]),
        ("OpaqueNetwork", [.opaqueSummary]),
        (
            "DistributedVirtualPortgroup",
            [
                .portGroupKey, .portGroupSwitch, .portGroupDefaults, .portGroupTags, .portGroupUplink,
                .portGroupBacking, .portGroupLogicalSwitch,
            ]
        ),
        ("DistributedVirtualSwitch", [.name, .parent, .switchUUID, .switchConfig, .switchHostMembers]),
    ]

    /// A stand-alone host has none of these, and some versions refuse their names.
    static let vCenterTypes: Set<String> = ["DistributedVirtualPortgroup", "DistributedVirtualSwitch"]

    /// Property paths by index: two properties of one path share the first one's shape, and are told apart by type.
    static let paths: [String] = {
        var seen: Set<String> = []
        return allCases.map(\.path).filter { seen.insert($0).inserted }
    }()

    /// The index of the property's path in `paths`.
    var pathIndex: Int { Self.pathIndexes[Int(rawValue)] }

    private static let pathIndexes: [Int] = allCases.map { property in
        paths.firstIndex(of: property.path) ?? 0
    }
}

/// The properties that objects of a type are asked for, their base type's included.
struct AskedProperties {
    let list: [InventoryProperty]
    private let paths: UInt64

    static let none = AskedProperties([])

    init(of type: String) {
        if let known = Self.byType[type] {
            self = known
        } else if type.hasSuffix("DistributedVirtualSwitch") {
            self = Self.byType["DistributedVirtualSwitch"] ?? .none
        } else {
            self = .none
        }
    }

    private init(_ list: [InventoryProperty]) {
        self.list = list
        paths = list.reduce(0) { $0 | 1 << UInt64($1.pathIndex) }
    }

    func contains(pathIndex: Int) -> Bool { paths >> UInt64(pathIndex) & 1 == 1 }

    private static let bases = [
        "OpaqueNetwork": "Network", "DistributedVirtualPortgroup": "Network",
        "ClusterComputeResource": "ComputeResource",
    ]

    private static let byType: [String: AskedProperties] = {
        let own = Dictionary(uniqueKeysWithValues: InventoryProperty.byType.map { ($0.type, $0.properties) })
        var all = own.mapValues { AskedProperties($0) }
        for (type, base) in bases { all[type] = AskedProperties((own[base] ?? []) + (own[type] ?? [])) }
        return all
    }()
}
