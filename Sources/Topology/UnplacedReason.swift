package import Addressing

/// Why an address that a NIC reports is in no subnet (DESIGN.md 3.4), in the order in which the reasons are tried.
package enum UnplacedReason: String, Hashable, Sendable, CaseIterable {
    /// The adapter is on no port group that has a VLAN to match.
    case unmapped
    /// The switch has no wire.
    case noLink = "no_link"
    /// A trunk carries several subnets that contain the address.
    case ambiguous
    /// Another NIC, or a running job for another VM, holds the address.
    case heldByOther = "held_by_other"
    /// A subnet of the right wire contains the address, but its VLAN is not the port group's.
    case vlanMismatch = "vlan_mismatch"
    /// A confirmed subnet contains the address, but on another wire.
    case otherWire = "other_wire"
    /// No subnet contains the address.
    case noSubnet = "no_subnet"
}

/// What is known about one unplaced address, for the sentence and the commands; give what the reason needs.
package struct UnplacedDetails: Hashable, Sendable {
    /// A subnet that contains the address but cannot take it.
    package struct Subnet: Hashable, Sendable {
        package var name: String
        package var wire: String
        package var vlan: VLANID

        package init(name: String, wire: String, vlan: VLANID) {
            self.name = name
            self.wire = wire
            self.vlan = vlan
        }
    }

    package var address: IPAddress
    package var account: String
    /// The port group's name; `nil` where the adapter is on none.
    package var portGroup: String?
    package var portGroupVLAN: PortGroupVLAN
    /// The switch's name, or its id where the name is not enough.
    package var `switch`: String?
    /// The host that the link is for: of a standard switch always, of a distributed one where a pin is meant.
    package var host: String?
    package var nativeVLAN: VLANID
    /// The switch's wire; `nil` where it has none.
    package var wire: String?
    /// `no_link`: the wires with equal support.
    package var candidates: [String]
    /// `held_by_other`: who has it, as `VM web-1 (vc-a)` or `job 12 for VM web-2`.
    package var holder: String?
    /// `ambiguous`, `vlan_mismatch`, `other_wire`: the subnets that contain the address.
    package var subnets: [Subnet]
    /// `no_subnet`: the prefix to offer, where more is known than the address.
    package var prefix: CIDR?

    package init(
        address: IPAddress, account: String, portGroup: String? = nil, portGroupVLAN: PortGroupVLAN = .unmatchable,
        switch: String? = nil, host: String? = nil, nativeVLAN: VLANID = .one, wire: String? = nil,
        candidates: [String] = [], holder: String? = nil, subnets: [Subnet] = [], prefix: CIDR? = nil
    ) {
        self.address = address
        self.account = account
        self.portGroup = portGroup
        self.portGroupVLAN = portGroupVLAN
        self.switch = `switch`
        self.host = host
        self.nativeVLAN = nativeVLAN
        self.wire = wire
        self.candidates = candidates
        self.holder = holder
        self.subnets = subnets
        self.prefix = prefix
    }
}

extension UnplacedReason {
    package static let noSubnetMessage =
        "This IP address belongs to no IP subnet. Add an IP subnet that contains it and sync the account again."

    package static let noSubnetMessageInChinese = "该IP地址无归属IP子网!请添加包含该IP地址的IP子网并重新同步云账号"

    /// How many other wires or subnets a sentence names.
    private static let namedAtMost = 3

    /// What is wrong, in English.
    package func message(_ details: UnplacedDetails) -> String {
        let address = details.address
        let portGroup = details.portGroup.map { "port group \($0)" } ?? "no port group"
        let link = details.switchPhrase
        switch self {
        case .unmapped:
            return details.portGroup == nil
                ? "The adapter that reports \(address) is on no port group, so its VLAN is not known."
                : "The adapter that reports \(address) is on \(portGroup), which has no VLAN that could be matched to a "
                    + "subnet's."
        case .noLink where details.candidates.isEmpty:
            return "The \(link), on which \(address) was seen, is linked to no wire."
        case .noLink:
            return "The \(link), on which \(address) was seen, is linked to no wire, because the evidence for "
                + "\(Wording.list(details.candidates.sorted(), "and", limit: 8)) is equal."
        case .ambiguous:
            return "The trunk \(portGroup) carries several subnets that contain \(address): \(details.subnetList); "
                + "leave one of their VLANs out of the trunk, or keep only one of these subnets on its wire."
        case .heldByOther:
            return "The address \(address) is held by \(details.holder ?? "another adapter")."
        case .vlanMismatch:
            return "A subnet of the right wire contains \(address), but in another VLAN: \(details.subnetList), while "
                + "\(portGroup) \(details.vlanPhrase)."
        case .otherWire:
            return "The address \(address) is in \(details.subnetAndWireList), but the \(link) is on "
                + "\(details.wire.map { "wire \($0)" } ?? "another wire")."
        case .noSubnet:
            return Self.noSubnetMessage
        }
    }

    /// The command lines that would settle it, one a line; of several for one thing a person takes one.
    package func fix(_ details: UnplacedDetails) -> String {
        let explain = WireloomCommand.line(["explain", "ip", details.address.description])
        switch self {
        case .unmapped, .ambiguous:
            return explain
        case .noLink:
            guard let name = details.switch, !details.candidates.isEmpty else {
                return WireloomCommand.line(["sync", details.account])
            }
            return details.candidates.sorted().map { details.linkCommand(name, $0) }.joined(separator: "\n")
        case .heldByOther:
            return WireloomCommand.line(["ip", "find", details.address.description])
        case .vlanMismatch:
            guard let subnet = details.namedSubnets.first else { return explain }
            switch details.portGroupVLAN {
            case .tagged(let vlan):
                return WireloomCommand.line(["subnet", "update", subnet.name, "--vlan", vlan.description])
            case .untagged:
                guard let name = details.switch, let wire = details.wire else { return explain }
                return WireloomCommand.link(switch: name, wire: wire, host: details.host, nativeVLAN: subnet.vlan)
            case .trunk, .unmatchable:
                return explain
            }
        case .otherWire:
            guard let name = details.switch else { return explain }
            // Elsewhere the address would only have another reason, and its neighbours no place.
            var seen: Set<String> = []
            let links = details.namedSubnets.compactMap { subnet -> String? in
                switch details.portGroupVLAN {
                case .untagged:
                    WireloomCommand.link(
                        switch: name, wire: subnet.wire, host: details.host, nativeVLAN: subnet.vlan)
                case let vlan where vlan.matches(subnet.vlan, native: details.nativeVLAN):
                    details.linkCommand(name, subnet.wire)
                default: nil
                }
            }.filter { seen.insert($0).inserted }
            return links.isEmpty ? explain : links.prefix(Self.namedAtMost).joined(separator: "\n")
        case .noSubnet:
            return details.creation + "\n" + WireloomCommand.line(["sync", details.account])
        }
    }
}

extension UnplacedDetails {
    fileprivate var namedSubnets: [Subnet] {
        subnets.sorted { ($0.wire, $0.name, $0.vlan) < ($1.wire, $1.name, $1.vlan) }
    }

    fileprivate var subnetList: String {
        Wording.list(namedSubnets.map { "\($0.name) (VLAN \($0.vlan))" }, "and", limit: 3)
    }

    fileprivate var subnetAndWireList: String {
        Wording.list(namedSubnets.map { "subnet \($0.name) of wire \($0.wire)" }, "and", limit: 3)
    }

    fileprivate var switchPhrase: String {
        "switch" + (`switch`.map { " \($0)" } ?? "") + (host.map { " of host \($0)" } ?? "")
    }

    fileprivate var vlanPhrase: String {
        switch portGroupVLAN {
        case .untagged: "is untagged, which is VLAN \(nativeVLAN) there"
        case .tagged(let vlan): "has VLAN \(vlan)"
        case .trunk: "is a trunk that does not carry it"
        case .unmatchable: "has none"
        }
    }

    fileprivate func linkCommand(_ name: String, _ wire: String) -> String {
        WireloomCommand.link(switch: name, wire: wire, host: host, nativeVLAN: nativeVLAN)
    }

    /// The creation of a subnet for the address: in the prefix given, else in the /24 or /64 that most networks have.
    fileprivate var creation: String {
        let usual = CIDR(containing: address, prefixLength: address.family == .v4 ? 24 : 64)
        let cidr = prefix.flatMap { $0.contains(address) ? $0 : nil } ?? usual
        let text = cidr?.description ?? address.description
        var words = ["subnet", "create", text.split(separator: "/").joined(separator: "-")]
        if let wire { words += ["--wire", wire] }
        words += ["--cidr", text]
        switch portGroupVLAN {
        case .tagged(let vlan): words += ["--vlan", vlan.description]
        case .untagged where nativeVLAN != .one: words += ["--vlan", nativeVLAN.description]
        case .untagged, .trunk, .unmatchable: break
        }
        return WireloomCommand.line(words)
    }
}
