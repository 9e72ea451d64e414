/// What one reading of an account tells of one managed object, with the names of the vSphere API.
///
/// Every record carries `unreadable`: the property paths that the server refused for this object, with the fault's
/// type name. A path in `unreadable` was not read; it is never the same as empty.
package enum InventoryRecord: Sendable {
    case container(ContainerRecord)
    case host(HostRecord)
    case virtualMachine(VirtualMachineRecord)
    case network(NetworkRecord)
    case distributedSwitch(DistributedSwitchRecord)
    case distributedPortGroup(DistributedPortGroupRecord)
    /// An object that was handed over, or never seen, left the inventory while it was read.
    case removed(id: String)
}

/// `property path -> vSphere fault type`, such as `["guest.net": "NoPermission"]`.
package typealias UnreadableProperties = [String: String]

/// A Datacenter, Folder or ComputeResource (ClusterComputeResource): names and parents for paths.
package struct ContainerRecord: Sendable {
    package enum Kind: String, Sendable { case datacenter, folder, computeResource, cluster }
    package var id: String
    package var kind: Kind
    package var name: String
    package var parent: String?
    package var unreadable: UnreadableProperties
}

/// A HostSystem.
package struct HostRecord: Sendable {
    package var id: String
    package var name: String
    /// The ComputeResource or ClusterComputeResource.
    package var parent: String?
    /// `summary.hardware.uuid`.
    package var uuid: String?
    /// `runtime.connectionState`: connected, disconnected, notResponding.
    package var connectionState: String?
    package var inMaintenanceMode: Bool?
    package var version: String?
    /// `summary.managementServerIp`: set where a vCenter manages the host.
    package var managementServerIP: String?
    /// `nil` where `config.network` is unset (a disconnected host) or any part of it unreadable: keep what was last known.
    package var network: HostNetworkRecord?
    package var unreadable: UnreadableProperties
}

/// HostNetworkInfo (`config.network.*`) and `config.virtualNicManagerInfo.netConfig`.
package struct HostNetworkRecord: Sendable {
    package struct PhysicalNIC: Sendable {
        package var key: String
        package var device: String
        package var mac: String?
        package var linkSpeedMb: Int?
    }
    /// HostVirtualNic.
    package struct VMkernelAdapter: Sendable {
        package var key: String
        package var device: String
        package var mac: String?
        /// The standard port group's name; `nil` where empty.
        package var portGroup: String?
        package var distributedSwitchUUID: String?
        package var distributedPortGroupKey: String?
        package var opaqueNetworkID: String?
        package var netStack: String?
        /// Address texts as received, with prefix length (from the dotted mask for IPv4); `nil` if absent.
        package var addresses: [ReportedAddress]
        /// The nicTypes of netConfig that *select* this adapter: management, vmotion, vsan, faultToleranceLogging, …
        package var services: [String]
    }
    /// HostVirtualSwitch.
    package struct StandardSwitch: Sendable {
        package var key: String
        package var name: String
        /// Device names (vmnic0) of its uplinks.
        package var uplinks: [String]
        package var mtu: Int?
    }
    /// HostPortGroup.
    package struct StandardPortGroup: Sendable {
        package var key: String
        package var name: String
        package var vlanID: Int
        package var switchName: String
    }
    /// HostProxySwitch: this host's part of a distributed switch.
    package struct ProxySwitch: Sendable {
        package var distributedSwitchUUID: String
        package var uplinks: [String]
    }
    package var physicalNICs: [PhysicalNIC]
    package var vmkernelAdapters: [VMkernelAdapter]
    package var switches: [StandardSwitch]
    package var portGroups: [StandardPortGroup]
    package var proxySwitches: [ProxySwitch]
    /// `ipRouteConfig.defaultGateway` and the per-netstack ones, keyed by netstack (`defaultTcpipStack`).
    package var gateways: [String: [String]]
}

/// An address as a guest or a host reports it, not yet believed.
package struct ReportedAddress: Hashable, Sendable {
    /// The text received.
    package var text: String
    /// `nil` if unknown or implausible (the simulator's 0).
    package var prefixLength: Int?
    /// manual, dhcp, linklayer, random, other; `nil` if unknown.
    package var origin: String?
    /// preferred, deprecated, tentative, duplicate, invalid, …; `nil` if unknown.
    package var state: String?

    package init(text: String, prefixLength: Int?, origin: String?, state: String?) {
        self.text = text
        self.prefixLength = prefixLength
        self.origin = origin
        self.state = state
    }
}

/// A VirtualMachine.
package struct VirtualMachineRecord: Sendable {
    /// VirtualEthernetCard: a device with a MAC address.
    package struct Adapter: Sendable {
        package enum Backing: Hashable, Sendable {
            /// VirtualEthernetCardNetworkBackingInfo: the port group's name, on the VM's host.
            case network(name: String, id: String?)
            case distributedPort(switchUUID: String, portGroupKey: String?)
            case opaque(id: String, type: String)
            case none
        }
        package var key: Int
        package var label: String?
        /// The concrete class, such as VirtualVmxnet3.
        package var type: String
        package var mac: String?
        package var backing: Backing
        package var connected: Bool?
    }
    /// GuestNicInfo.
    package struct GuestNIC: Sendable {
        package var deviceConfigID: Int
        package var mac: String?
        package var connected: Bool
        package var addresses: [ReportedAddress]
    }
    package var id: String
    package var name: String
    package var parent: String?
    package var host: String?
    /// `config.uuid`.
    package var biosUUID: String?
    package var instanceUUID: String?
    package var isTemplate: Bool?
    /// poweredOn, poweredOff, suspended.
    package var powerState: String?
    package var connectionState: String?
    /// `config.managedBy.extensionKey`: set for agent VMs such as vCLS.
    package var managedBy: String?
    /// `guest.toolsRunningStatus`: guestToolsRunning, guestToolsNotRunning, guestToolsExecutingScripts.
    package var toolsRunningStatus: String?
    package var guestHostName: String?
    /// `nil` where `config.hardware.device` is unset or unreadable: keep what was last known.
    package var adapters: [Adapter]?
    /// `nil` where `guest.net` was unreadable; unset is empty.
    package var guestNICs: [GuestNIC]?
    package var unreadable: UnreadableProperties
}

/// A Network or OpaqueNetwork (not a distributed port group).
package struct NetworkRecord: Sendable {
    package var id: String
    package var name: String
    package var parent: String?
    package var isOpaque: Bool
    package var opaqueNetworkID: String?
    package var unreadable: UnreadableProperties
}

/// A DistributedVirtualSwitch.
package struct DistributedSwitchRecord: Sendable {
    package var id: String
    package var name: String
    package var parent: String?
    /// As received; compare by hexadecimal digits alone.
    package var uuid: String
    /// Member hosts, from `config.host` and `summary.hostMember`.
    package var hosts: [String]
    package var uplinkPortGroups: [String]
    /// secondary id -> primary id, promiscuous entries included (primary -> primary); `nil` if unreadable or not a VMware DVS.
    package var privateVLANs: [Int: Int]?
    package var mtu: Int?
    package var unreadable: UnreadableProperties
}

/// A DistributedVirtualPortgroup.
package struct DistributedPortGroupRecord: Sendable {
    package enum VLAN: Hashable, Sendable {
        case id(Int)
        case trunk([ClosedRange<Int>])
        case privateVLAN(Int)
        /// A spec of another type, or none: its name.
        case unknown(String)
    }
    package var id: String
    /// `config.key`, normally equal to `id`.
    package var key: String
    package var name: String
    package var distributedSwitch: String?
    /// `nil` if `config.defaultPortConfig` was unreadable.
    package var vlan: VLAN?
    /// By `config.uplink`, or the tag SYSTEM/DVS.UPLINKPG; the switch's list and the name pattern are the reader's to add.
    package var isUplink: Bool
    /// `config.backingType` nsx, or a logical switch UUID.
    package var isNSX: Bool
    package var unreadable: UnreadableProperties
}
