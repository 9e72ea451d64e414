package import Addressing

/// What follows from a ``TopologySnapshot``, in canonical order: equal snapshots give equal decisions, however their
/// arrays were ordered.
///
/// Apply in this order, in one transaction: links and their new wires; subnet updates (what one absorbs first), then
/// creations; placement of every NIC; subnet removals and wire removals, each only while nothing is held in it.
package struct TopologyDecision: Hashable, Sendable {
    /// One for every switch, and one for every host pin, by switch and host.
    package var links: [LinkDecision]
    /// Changes to the unconfirmed subnets of wires that exist and that no person touched: updates, creations, removals.
    package var subnetChanges: [SubnetChange]
    /// Automatic wires that no person touched and that no switch is linked to any more.
    package var wiresToRemove: [TopologySnapshot.WireID]
    /// What a person should know, by subject and code.
    package var findings: [Finding]

    package init(
        links: [LinkDecision] = [], subnetChanges: [SubnetChange] = [],
        wiresToRemove: [TopologySnapshot.WireID] = [], findings: [Finding] = []
    ) {
        self.links = links
        self.subnetChanges = subnetChanges
        self.wiresToRemove = wiresToRemove
        self.findings = findings
    }
}

/// What becomes of one link, and why.
package struct LinkDecision: Hashable, Sendable {
    package enum Action: Hashable, Sendable {
        /// The link stays as it is.
        case keep(TopologySnapshot.WireID)
        /// A new automatic link, or an automatic one that moves here.
        case link(to: TopologySnapshot.WireID)
        /// A new automatic wire for this switch alone, and an automatic link to it.
        case createWire(NewWire)
        /// No link. The candidates are equally supported; none where every host has a pin of its own.
        case leaveUnlinked(candidates: [TopologySnapshot.WireID])
    }

    /// The rule of DESIGN.md 3.2 that won, for `explain switch`.
    package enum Rule: String, Hashable, Sendable, CaseIterable {
        /// 1: a person made the link.
        case person
        /// 2: an automatic link stays.
        case sticky
        /// 2: an automatic link without support moves to the only wire that has some.
        case moved
        /// 3: the only best-supported wire.
        case best
        /// 4: several equally supported wires.
        case tie
        /// 5: no support.
        case alone
        /// Every host of the distributed switch has a pin, so the switch needs no link.
        case allHostsPinned = "all_hosts_pinned"
    }

    package var `switch`: TopologySnapshot.SwitchID
    /// The pinned host; `nil` for the switch's own link.
    package var host: TopologySnapshot.HostID?
    package var action: Action
    package var rule: Rule
    /// The native VLAN that the support was counted with and that a new link has.
    package var nativeVLAN: VLANID
    /// Every wire that some address of this link speaks for or against, best first, for `explain switch`.
    package var support: [Support]

    package init(
        switch: TopologySnapshot.SwitchID, host: TopologySnapshot.HostID?, action: Action, rule: Rule,
        nativeVLAN: VLANID, support: [Support]
    ) {
        self.switch = `switch`
        self.host = host
        self.action = action
        self.rule = rule
        self.nativeVLAN = nativeVLAN
        self.support = support
    }
}

/// A wire to create for one switch.
package struct NewWire: Hashable, Sendable {
    /// Names in order of preference; take the first that no wire has. Those of the snapshot's wires and of wires
    /// created earlier in the decision are left out, unless that would leave none.
    package var names: [String]
    package var site: String?
    /// Its unconfirmed subnets, without overlap within a VLAN.
    package var subnets: [NewSubnet]

    package init(names: [String], site: String?, subnets: [NewSubnet]) {
        self.names = names
        self.site = site
        self.subnets = subnets
    }
}

/// An unconfirmed subnet to create, without a pool.
package struct NewSubnet: Hashable, Sendable {
    package var cidr: CIDR
    package var vlan: VLANID
    /// The hosts' own default gateway where it lies inside.
    package var gateway: IPAddress?

    package init(cidr: CIDR, vlan: VLANID, gateway: IPAddress?) {
        self.cidr = cidr
        self.vlan = vlan
        self.gateway = gateway
    }
}

/// A change to the unconfirmed subnets of an existing automatic wire.
package enum SubnetChange: Hashable, Sendable {
    /// The subnet gets this CIDR and gateway; before that, the absorbed subnets give it their addresses and go.
    case update(
        TopologySnapshot.SubnetID, cidr: CIDR, gateway: IPAddress?, absorbing: [TopologySnapshot.SubnetID])
    case create(TopologySnapshot.WireID, NewSubnet)
    /// No host address is in it any more and nothing else is held in it.
    case remove(TopologySnapshot.SubnetID)
}

/// How much the addresses of one link speak for one wire.
package struct Support: Hashable, Sendable {
    package var wire: TopologySnapshot.WireID
    /// Distinct management addresses.
    package var strong: Int
    /// Distinct VM addresses.
    package var weak: Int
    /// Addresses, in order, that another live NIC holds on the wire with another MAC. They support nothing, and a wire
    /// that has one is no candidate for a new link.
    package var contested: [IPAddress]

    package init(wire: TopologySnapshot.WireID, strong: Int, weak: Int, contested: [IPAddress] = []) {
        self.wire = wire
        self.strong = strong
        self.weak = weak
        self.contested = contested
    }
}

/// Something that a person should look at, though the decision stands.
package struct Finding: Hashable, Sendable {
    /// Stable: for metrics, filters and tests.
    package enum Code: String, Hashable, Sendable, CaseIterable {
        /// A person's link, but another wire has more support.
        case contraryEvidence = "contrary_evidence"
        /// An automatic link that stays, but another wire has more support.
        case betterWire = "better_wire"
        /// Unlinked: several wires are equally supported.
        case tiedWires = "tied_wires"
        /// The hosts of a distributed switch speak for different wires.
        case splitByHost = "split_by_host"
        /// An address on the switch is held on the wire by another live adapter.
        case addressConflict = "address_conflict"
        /// Adapters of one VLAN have masks that disagree; the wider CIDR was taken.
        case maskDisagreement = "mask_disagreement"
        /// A VMkernel address without a usable mask got a subnet of its own.
        case unknownMask = "unknown_mask"
        /// An unconfirmed subnet is wider than its adapters' masks say, because addresses are held in it.
        case subnetKeptWider = "subnet_kept_wider"
    }

    package var code: Code
    /// What it is about, as a person would name it.
    package var subject: String
    /// One sentence.
    package var message: String
    /// The command lines that would settle it, one a line; `nil` where no command does.
    package var fix: String?

    package init(code: Code, subject: String, message: String, fix: String? = nil) {
        self.code = code
        self.subject = subject
        self.message = message
        self.fix = fix
    }
}
