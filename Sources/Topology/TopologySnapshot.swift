package import Addressing

/// What linking one account's switches depends on, read in one transaction (DESIGN.md 3.2).
///
/// Everything that the rules may look at is in here, so that ``decide(_:)`` needs no database, clock or log and a
/// decision can be explained from its input. The order of the arrays means nothing; sorting is the decision's duty.
package struct TopologySnapshot: Hashable, Sendable {
    /// The account's name, for naming automatic wires.
    package var account: String
    /// The account's site; `nil` for none. Automatic decisions consider wires of this site or of none.
    package var site: String?
    /// Every switch of the account that the inventory has.
    package var switches: [Switch]
    /// The account's links as they are before the decision.
    package var links: [Link]
    /// Every wire that a link, a subnet or a name in this snapshot may refer to; safest is all of them.
    package var wires: [Wire]
    /// The confirmed subnets of all wires: they alone prove anything.
    package var confirmedSubnets: [Subnet]
    /// The unconfirmed subnets of the automatic wires that this account's switches are linked to.
    package var unconfirmedSubnets: [UnconfirmedSubnet]
    /// The addresses seen on the account's switches that count: management VMkernel adapters and VMs.
    package var evidence: [Evidence]
    /// Who holds the addresses of ``evidence`` in confirmed subnets, where that is a live NIC.
    package var holders: [Holder]
    /// Every VMkernel address that is not ignored, whatever its services: the material of rule 5.
    package var hostAddresses: [HostAddress]

    package init(
        account: String,
        site: String? = nil,
        switches: [Switch] = [],
        links: [Link] = [],
        wires: [Wire] = [],
        confirmedSubnets: [Subnet] = [],
        unconfirmedSubnets: [UnconfirmedSubnet] = [],
        evidence: [Evidence] = [],
        holders: [Holder] = [],
        hostAddresses: [HostAddress] = []
    ) {
        self.account = account
        self.site = site
        self.switches = switches
        self.links = links
        self.wires = wires
        self.confirmedSubnets = confirmedSubnets
        self.unconfirmedSubnets = unconfirmedSubnets
        self.evidence = evidence
        self.holders = holders
        self.hostAddresses = hostAddresses
    }
}

extension TopologySnapshot {
    /// A switch within its account: a distributed switch's managed-object id, or `host-12/vSwitch0`.
    package struct SwitchID: Hashable, Comparable, Sendable, CustomStringConvertible {
        package let rawValue: String

        package init(_ rawValue: String) { self.rawValue = rawValue }

        package static func < (lhs: SwitchID, rhs: SwitchID) -> Bool { lhs.rawValue < rhs.rawValue }

        package var description: String { rawValue }
    }

    /// A host within its account: its managed-object id, as `host-12`.
    package struct HostID: Hashable, Comparable, Sendable, CustomStringConvertible {
        package let rawValue: String

        package init(_ rawValue: String) { self.rawValue = rawValue }

        package static func < (lhs: HostID, rhs: HostID) -> Bool { lhs.rawValue < rhs.rawValue }

        package var description: String { rawValue }
    }

    /// A wire's row.
    package struct WireID: Hashable, Comparable, Sendable, CustomStringConvertible {
        package let rawValue: Int64

        package init(_ rawValue: Int64) { self.rawValue = rawValue }

        package static func < (lhs: WireID, rhs: WireID) -> Bool { lhs.rawValue < rhs.rawValue }

        package var description: String { String(rawValue) }
    }

    /// A subnet's row.
    package struct SubnetID: Hashable, Comparable, Sendable, CustomStringConvertible {
        package let rawValue: Int64

        package init(_ rawValue: Int64) { self.rawValue = rawValue }

        package static func < (lhs: SubnetID, rhs: SubnetID) -> Bool { lhs.rawValue < rhs.rawValue }

        package var description: String { String(rawValue) }
    }

    /// Who made a link or a wire.
    package enum Origin: String, Hashable, Sendable {
        /// A person; no decision ever changes it.
        case person
        /// A decision.
        case automatic
    }

    package struct Host: Hashable, Sendable {
        package var id: HostID
        /// For messages, commands and names of wires.
        package var name: String

        package init(id: HostID, name: String) {
            self.id = id
            self.name = name
        }
    }

    package struct Switch: Hashable, Sendable {
        package enum Kind: Hashable, Sendable {
            /// A vSwitch of one host.
            case standard(Host)
            /// A distributed switch and the hosts that are members of it now.
            case distributed([Host])
        }

        package var id: SwitchID
        package var name: String
        package var kind: Kind
        /// The datacenter's name, for a wire's second choice of name; `nil` where there is none.
        package var datacenter: String?
        /// What a command must call the switch to mean this one; `nil`: the name (with `--host` for a standard
        /// switch), or the id where another switch of the snapshot answers to the same name.
        package var reference: String?

        package init(
            id: SwitchID, name: String, kind: Kind, datacenter: String? = nil, reference: String? = nil
        ) {
            self.id = id
            self.name = name
            self.kind = kind
            self.datacenter = datacenter
            self.reference = reference
        }

        /// The member hosts.
        package var hosts: [Host] {
            switch kind {
            case .standard(let host): [host]
            case .distributed(let hosts): hosts
            }
        }
    }

    package struct Link: Hashable, Sendable {
        package var `switch`: SwitchID
        /// The one host that the link is for, where a person pinned it so; `nil`: every host without a pin. On a
        /// standard switch both mean the same.
        package var host: HostID?
        package var wire: WireID
        /// What an untagged port group's frames belong to.
        package var nativeVLAN: VLANID
        package var origin: Origin

        package init(
            switch: SwitchID, host: HostID? = nil, wire: WireID, nativeVLAN: VLANID = .one, origin: Origin
        ) {
            self.switch = `switch`
            self.host = host
            self.wire = wire
            self.nativeVLAN = nativeVLAN
            self.origin = origin
        }
    }

    package struct Wire: Hashable, Sendable {
        package var id: WireID
        package var name: String
        /// `nil` for none: every account may be linked to it.
        package var site: String?
        package var origin: Origin
        /// Whether a person ever changed it or a subnet of it; a person's own wire counts as touched anyway.
        package var touched: Bool
        /// How many links to it other accounts have.
        package var linksElsewhere: Int

        package init(
            id: WireID, name: String, site: String? = nil, origin: Origin, touched: Bool = false,
            linksElsewhere: Int = 0
        ) {
            self.id = id
            self.name = name
            self.site = site
            self.origin = origin
            self.touched = touched
            self.linksElsewhere = linksElsewhere
        }
    }

    package struct Subnet: Hashable, Sendable {
        package var id: SubnetID
        package var wire: WireID
        package var cidr: CIDR
        package var vlan: VLANID
        /// For messages.
        package var name: String

        package init(id: SubnetID, wire: WireID, cidr: CIDR, vlan: VLANID, name: String) {
            self.id = id
            self.wire = wire
            self.cidr = cidr
            self.vlan = vlan
            self.name = name
        }
    }

    /// A subnet that an earlier decision made and no person confirmed.
    package struct UnconfirmedSubnet: Hashable, Sendable {
        package var subnet: Subnet
        package var gateway: IPAddress?
        /// From the lowest to the highest address held in it by anything but the adapters in ``hostAddresses``, which
        /// are placed anew by this decision; `nil` if there is none. A subnet never loses what it holds. (Counting
        /// those adapters too is safe; what they leave is then removed one sync later.)
        package var held: AddressRange?

        package init(subnet: Subnet, gateway: IPAddress? = nil, held: AddressRange? = nil) {
            self.subnet = subnet
            self.gateway = gateway
            self.held = held
        }
    }

    /// One address seen on a switch.
    package struct Evidence: Hashable, Sendable {
        package enum Strength: Hashable, Sendable {
            /// The host's management VMkernel adapter.
            case strong
            /// A VM's adapter.
            case weak
        }

        package var `switch`: SwitchID
        package var host: HostID
        package var portGroupVLAN: PortGroupVLAN
        package var address: IPAddress
        package var mac: MACAddress?
        package var strength: Strength
        /// `false` for an address that was only last seen.
        package var live: Bool

        package init(
            switch: SwitchID, host: HostID, portGroupVLAN: PortGroupVLAN, address: IPAddress, mac: MACAddress?,
            strength: Strength, live: Bool
        ) {
            self.switch = `switch`
            self.host = host
            self.portGroupVLAN = portGroupVLAN
            self.address = address
            self.mac = mac
            self.strength = strength
            self.live = live
        }
    }

    /// A live NIC, of any account, that holds an address of a confirmed subnet.
    package struct Holder: Hashable, Sendable {
        package var subnet: SubnetID
        package var address: IPAddress
        package var mac: MACAddress
        /// The switch and host of the NIC where it is of this account, else `nil`: two adapters of one link that
        /// claim one address tell nothing about the wire.
        package var `switch`: SwitchID?
        package var host: HostID?

        package init(
            subnet: SubnetID, address: IPAddress, mac: MACAddress, switch: SwitchID? = nil, host: HostID? = nil
        ) {
            self.subnet = subnet
            self.address = address
            self.mac = mac
            self.switch = `switch`
            self.host = host
        }
    }

    /// One address of a VMkernel adapter.
    package struct HostAddress: Hashable, Sendable {
        package var `switch`: SwitchID
        package var host: HostID
        package var portGroupVLAN: PortGroupVLAN
        package var address: IPAddress
        /// From the adapter's mask; `nil` where it was not read or is none.
        package var prefixLength: Int?
        /// The default gateways of the adapter's TCP/IP stack, of either family.
        package var gateways: [IPAddress]

        package init(
            switch: SwitchID, host: HostID, portGroupVLAN: PortGroupVLAN, address: IPAddress, prefixLength: Int?,
            gateways: [IPAddress] = []
        ) {
            self.switch = `switch`
            self.host = host
            self.portGroupVLAN = portGroupVLAN
            self.address = address
            self.prefixLength = prefixLength
            self.gateways = gateways
        }
    }
}
