package import Addressing

/// What choosing the host and the port groups of a new VM depends on, read in one transaction (DESIGN.md 3.6).
///
/// As with ``TopologySnapshot``, the order of the arrays means nothing.
package struct AttachmentQuestion: Hashable, Sendable {
    package typealias HostID = TopologySnapshot.HostID
    package typealias SwitchID = TopologySnapshot.SwitchID
    package typealias WireID = TopologySnapshot.WireID

    package struct Host: Hashable, Sendable {
        package var id: HostID
        package var name: String
        /// `nil` for a stand-alone host.
        package var cluster: String?
        package var datacenter: String?
        /// `connected`, `disconnected`, `notResponding`; `nil` where it was never read.
        package var connectionState: String?
        package var inMaintenance: Bool
        /// How many VMs are on it or about to be.
        package var load: Int

        package init(
            id: HostID, name: String, cluster: String? = nil, datacenter: String? = nil,
            connectionState: String? = "connected", inMaintenance: Bool = false, load: Int = 0
        ) {
            self.id = id
            self.name = name
            self.cluster = cluster
            self.datacenter = datacenter
            self.connectionState = connectionState
            self.inMaintenance = inMaintenance
            self.load = load
        }
    }

    package struct PortGroup: Hashable, Sendable {
        /// A distributed port group's key, or `host-12/name`.
        package var id: String
        package var name: String
        package var `switch`: SwitchID
        package var vlan: PortGroupVLAN
        /// Whether `vlan` is the primary id of a private VLAN.
        package var isPrivate: Bool
        package var isUplink: Bool

        package init(
            id: String, name: String, switch: SwitchID, vlan: PortGroupVLAN, isPrivate: Bool = false,
            isUplink: Bool = false
        ) {
            self.id = id
            self.name = name
            self.switch = `switch`
            self.vlan = vlan
            self.isPrivate = isPrivate
            self.isUplink = isUplink
        }
    }

    /// What one adapter is to reach: the VLAN of the subnets that it gets addresses of.
    package struct Adapter: Hashable, Sendable {
        package var wire: WireID
        package var vlan: VLANID

        package init(wire: WireID, vlan: VLANID) {
            self.wire = wire
            self.vlan = vlan
        }
    }

    package enum Choice: Hashable, Sendable {
        case any
        case host(HostID)
        /// By name.
        case cluster(String)
    }

    package var hosts: [Host]
    /// With the hosts that they are on.
    package var switches: [TopologySnapshot.Switch]
    package var portGroups: [PortGroup]
    package var links: [TopologySnapshot.Link]
    /// For sentences.
    package var wireNames: [WireID: String]
    package var adapters: [Adapter]
    package var choice: Choice
    /// The template's: what is made of it stays there. `nil` where it is not known.
    package var datacenter: String?

    package init(
        hosts: [Host], switches: [TopologySnapshot.Switch], portGroups: [PortGroup], links: [TopologySnapshot.Link],
        wireNames: [WireID: String], adapters: [Adapter], choice: Choice = .any, datacenter: String? = nil
    ) {
        self.hosts = hosts
        self.switches = switches
        self.portGroups = portGroups
        self.links = links
        self.wireNames = wireNames
        self.adapters = adapters
        self.choice = choice
        self.datacenter = datacenter
    }
}
