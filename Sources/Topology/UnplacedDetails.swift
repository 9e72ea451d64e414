package import Addressing

/// What is known about one unplaced address, for the sentence and the commands; give what the reason needs.
package struct UnplacedDetails: Hashable, Sendable {
    /// A subnet that contains the address but cannot take it.
    package struct Subnet: Hashable, Sendable {
        package var name: String
        package var wire: String
        package var vlan: VLANID
        /// `vlan_mismatch`: how many addresses are placed in it.
        package var placed: Int

        package init(name: String, wire: String, vlan: VLANID, placed: Int = 0) {
            self.name = name
            self.wire = wire
            self.vlan = vlan
            self.placed = placed
        }
    }

    /// A subnet that would take the address in.
    package struct NewSubnet: Hashable, Sendable {
        package var name: String
        package var cidr: CIDR
        package var vlan: VLANID

        package init(name: String, cidr: CIDR, vlan: VLANID) {
            self.name = name
            self.cidr = cidr
            self.vlan = vlan
        }
    }

    /// Whom a change of the switch's link concerns besides this address.
    package struct Others: Hashable, Sendable {
        /// Those that the same link gives a place.
        package var ofLink = 0
        /// Those of them on the same host.
        package var onHost = 0

        package init(ofLink: Int = 0, onHost: Int = 0) {
            self.ofLink = ofLink
            self.onHost = onHost
        }
    }

    package var address: IPAddress
    package var account: String
    /// The port group's name; `nil` where the adapter is on none.
    package var portGroup: String?
    package var portGroupVLAN: PortGroupVLAN
    /// The switch's name.
    package var `switch`: String?
    /// What a command calls the switch: its name, or its id where the name is not enough.
    package var switchCall: String?
    /// The host that the link is for: of a standard switch always, of a distributed one where it is pinned.
    package var host: String?
    /// The adapter's host, where the link is for all of a distributed switch and could be pinned for this one.
    package var pinHost: String?
    package var nativeVLAN: VLANID
    /// The switch's wire; `nil` where it has none.
    package var wire: String?
    /// `no_link`: the wires with equal support.
    package var candidates: [String]
    /// `held_by_other`: who has it, as `VM web-1 (vc-a)` or `job 12 for VM web-2`.
    package var holder: String?
    /// `ambiguous`, `vlan_mismatch`, `other_wire`: the subnets that contain the address.
    package var subnets: [Subnet]
    /// `vlan_mismatch` and `other_wire`: who else would have to go along.
    package var others = Others()
    /// `no_subnet`: the subnet to offer; `nil` where the port group carries no VLAN that a subnet could have.
    package var creation: NewSubnet?

    package init(
        address: IPAddress, account: String, portGroup: String? = nil, portGroupVLAN: PortGroupVLAN = .unmatchable,
        switch: String? = nil, switchCall: String? = nil, host: String? = nil, pinHost: String? = nil,
        nativeVLAN: VLANID = .one, wire: String? = nil, candidates: [String] = [], holder: String? = nil,
        subnets: [Subnet] = [], others: Others = Others(), creation: NewSubnet? = nil
    ) {
        self.address = address
        self.account = account
        self.portGroup = portGroup
        self.portGroupVLAN = portGroupVLAN
        self.switch = `switch`
        self.switchCall = switchCall ?? `switch`
        self.host = host
        self.pinHost = pinHost
        self.nativeVLAN = nativeVLAN
        self.wire = wire
        self.candidates = candidates
        self.holder = holder
        self.subnets = subnets
        self.others = others
        self.creation = creation
    }
}
