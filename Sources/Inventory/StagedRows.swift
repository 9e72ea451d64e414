package import Addressing
internal import Postgres

/// Whose adapter it is.
package enum NICOwner: String, Sendable, PostgresRawRepresentable { case vm, host }

/// A host as it was read. `keep` names the columns that could not be read and so keep their last values.
package struct StagedHost: Sendable {
    package var id: String
    package var name: String
    package var uuid: String?
    package var datacenter: String?
    package var cluster: String?
    package var connectionState: String?
    package var inMaintenanceMode: Bool?
    package var version: String?
    package var managedBy: String?
    /// Default gateways of the default TCP/IP stack.
    package var gateways: [IPAddress]
    /// Whether its switches, port groups and VMkernel adapters were read; if not, those stay as they are.
    package var networkKnown: Bool
    package var keep: [String]
    package init(
        id: String, name: String, uuid: String?, datacenter: String?, cluster: String?, connectionState: String?,
        inMaintenanceMode: Bool?, version: String?, managedBy: String?, gateways: [IPAddress], networkKnown: Bool,
        keep: [String]
    ) {
        self.id = id
        self.name = name
        self.uuid = uuid
        self.datacenter = datacenter
        self.cluster = cluster
        self.connectionState = connectionState
        self.inMaintenanceMode = inMaintenanceMode
        self.version = version
        self.managedBy = managedBy
        self.gateways = gateways
        self.networkKnown = networkKnown
        self.keep = keep
    }
}

package enum SwitchKind: String, Sendable, PostgresRawRepresentable { case standard, distributed }

package struct StagedSwitch: Sendable {
    /// A distributed switch's managed-object id, or `host id/name`.
    package var id: String
    package var kind: SwitchKind
    package var name: String
    package var uuid: String?
    package var host: String?
    package var datacenter: String?
    /// Columns that could not be read and so keep their last values; `members`: which hosts it is on.
    package var keep: [String]
    package init(
        id: String, kind: SwitchKind, name: String, uuid: String?, host: String?, datacenter: String?,
        keep: [String] = []
    ) {
        self.id = id
        self.keep = keep
        self.kind = kind
        self.name = name
        self.uuid = uuid
        self.host = host
        self.datacenter = datacenter
    }
}

package struct StagedPortGroup: Sendable {
    /// A distributed port group's key, or `host id/name`.
    package var id: String
    /// `nil` where it could not be read: the last known one stays, and a port group without one is not stored.
    package var switchID: String?
    package var host: String?
    package var name: String
    package var kind: SwitchKind
    package var vlan: PortGroupVLAN
    /// `vlan` is the primary id of a private VLAN.
    package var isPrivate: Bool
    /// `nil` where it could not be read: what was last known stays, with the VLAN of an uplink.
    package var isUplink: Bool?
    /// If not, the last known VLAN stays.
    package var vlanKnown: Bool
    package init(
        id: String, switchID: String?, host: String?, name: String, kind: SwitchKind, vlan: PortGroupVLAN,
        isPrivate: Bool = false, isUplink: Bool? = false, vlanKnown: Bool = true
    ) {
        self.id = id
        self.switchID = switchID
        self.host = host
        self.name = name
        self.kind = kind
        self.vlan = vlan
        self.isPrivate = isPrivate
        self.isUplink = isUplink
        self.vlanKnown = vlanKnown
    }
}

/// A VM as it was read. `keep` names the columns that could not be read and so keep their last values.
package struct StagedVM: Sendable {
    package var id: String
    package var name: String
    package var instanceUUID: String?
    package var biosUUID: String?
    package var host: String?
    package var powerState: String?
    package var isTemplate: Bool
    package var tools: String?
    package var hostName: String?
    package var managedBy: String?
    /// Whether its devices were read; if not, its adapters stay as they are.
    package var adaptersKnown: Bool
    /// Whether what its guest reports was read; if not, its addresses stay as they are.
    package var guestKnown: Bool
    /// It is certain that nothing of it is live, whether its guest was read or not.
    package var isQuiet: Bool
    package var keep: [String]
    package init(
        id: String, name: String, instanceUUID: String?, biosUUID: String?, host: String?, powerState: String?,
        isTemplate: Bool, tools: String?, hostName: String?, managedBy: String?, adaptersKnown: Bool, guestKnown: Bool,
        isQuiet: Bool, keep: [String]
    ) {
        self.isQuiet = isQuiet
        self.id = id
        self.name = name
        self.instanceUUID = instanceUUID
        self.biosUUID = biosUUID
        self.host = host
        self.powerState = powerState
        self.isTemplate = isTemplate
        self.tools = tools
        self.hostName = hostName
        self.managedBy = managedBy
        self.adaptersKnown = adaptersKnown
        self.guestKnown = guestKnown
        self.keep = keep
    }
}

package enum NetworkKind: String, Sendable, PostgresRawRepresentable { case standard, distributed, opaque, none }

package struct StagedNIC: Sendable {
    package var owner: NICOwner
    package var ownerID: String
    /// A VM adapter's device key, or `vmk0`.
    package var device: String
    package var label: String?
    package var mac: MACAddress?
    package var connected: Bool?
    package var networkKind: NetworkKind
    /// For a standard network the port group's name on `host`.
    package var networkName: String?
    /// For a distributed network the port group's key.
    package var portGroupID: String?
    /// The host that the adapter is on; `nil` if unknown.
    package var host: String?
    package var services: [String]
    package var netStack: String?
    package var isManagement: Bool
    package init(
        owner: NICOwner, ownerID: String, device: String, label: String?, mac: MACAddress?, connected: Bool?,
        networkKind: NetworkKind, networkName: String?, portGroupID: String?, host: String?, services: [String] = [],
        netStack: String? = nil, isManagement: Bool = false
    ) {
        self.owner = owner
        self.ownerID = ownerID
        self.device = device
        self.label = label
        self.mac = mac
        self.connected = connected
        self.networkKind = networkKind
        self.networkName = networkName
        self.portGroupID = portGroupID
        self.host = host
        self.services = services
        self.netStack = netStack
        self.isManagement = isManagement
    }
}

/// An address that an adapter reports.
package struct StagedAddress: Sendable {
    package var owner: NICOwner
    package var ownerID: String
    /// A VM adapter's device key, or `vmk0`.
    package var device: String
    package var ip: IPAddress
    /// `nil` where the adapter does not tell.
    package var prefixLength: Int?
    /// Whether it is reported of now, not of when the adapter was last heard of.
    package var live: Bool
    package init(owner: NICOwner, ownerID: String, device: String, ip: IPAddress, prefixLength: Int?, live: Bool) {
        self.owner = owner
        self.ownerID = ownerID
        self.device = device
        self.ip = ip
        self.prefixLength = prefixLength
        self.live = live
    }
}

/// A VM with its adapters and what they report.
package struct StagedMachine: Sendable {
    package var vm: StagedVM
    package var nics: [StagedNIC]
    package var addresses: [StagedAddress]
    package init(_ vm: StagedVM, nics: [StagedNIC] = [], addresses: [StagedAddress] = []) {
        self.vm = vm
        self.nics = nics
        self.addresses = addresses
    }
}
