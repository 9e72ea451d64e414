internal import Addressing

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
                + "\(portGroup) \(details.vlanPhrase)\(vlanAdvice(details))."
        case .otherWire:
            return "The address \(address) is in \(details.subnetAndWireList), but the \(link) is on "
                + "\(details.wire.map { "wire \($0)" } ?? "another wire")\(wireAdvice(details))."
        case .noSubnet:
            return Self.noSubnetMessage
        }
    }

    /// The command lines that would settle it, one a line; of several for one thing a person takes one.
    ///
    /// A change that takes other addresses out of their subnets is not among them: then a command that shows the evidence
    /// is, and the message says what is more likely wrong.
    package func fix(_ details: UnplacedDetails) -> String {
        let commands = changes(details)
        if !commands.isEmpty { return commands.joined(separator: "\n") }
        switch self {
        case .noLink: return WireloomCommand.line(["sync", details.account])
        case .heldByOther: return WireloomCommand.line(["ip", "find", details.address.description])
        default: return WireloomCommand.line(["explain", "ip", details.address.description])
        }
    }

    private func changes(_ details: UnplacedDetails) -> [String] {
        switch self {
        case .unmapped, .ambiguous, .heldByOther:
            return []
        case .noLink:
            return details.candidates.sorted().compactMap { details.link(to: $0, native: details.nativeVLAN) }
        case .vlanMismatch:
            switch details.portGroupVLAN {
            case .tagged(let vlan):
                return details.namedSubnets.filter { $0.placed == 0 }.prefix(1).map {
                    WireloomCommand.line(["subnet", "update", $0.name, "--vlan", vlan.description])
                }
            case .untagged:
                guard let wire = details.wire else { return [] }
                return details.namedSubnets.prefix(1).compactMap { details.link(to: wire, native: $0.vlan) }
            case .trunk, .unmatchable:
                return []
            }
        case .otherWire:
            var seen: Set<String> = []
            let links = details.targets.compactMap { details.link(to: $0.wire, native: $0.native) }
            return Array(links.filter { seen.insert($0).inserted }.prefix(Self.namedAtMost))
        case .noSubnet:
            guard let wire = details.wire, let new = details.creation else { return [] }
            return [
                WireloomCommand.line([
                    "subnet", "create", new.name, "--wire", wire, "--cidr", new.cidr.description, "--vlan",
                    new.vlan.description,
                ]),
                WireloomCommand.line(["sync", details.account]),
            ]
        }
    }

    /// What is more likely wrong than the VLAN of a subnet or link that others are placed by.
    private func vlanAdvice(_ details: UnplacedDetails) -> String {
        guard changes(details).isEmpty, let subnet = details.namedSubnets.first else { return "" }
        switch details.portGroupVLAN {
        case .tagged:
            return
                ". Others are placed in it, so rather the adapter is on the wrong port group: connect it to one of VLAN "
                + "\(subnet.vlan), or give it another address"
        case .untagged:
            return
                ". Others are placed by that VLAN, so rather the adapter is on the wrong port group: connect it to one "
                + "of VLAN \(subnet.vlan), or give it another address"
        case .trunk, .unmatchable:
            return ""
        }
    }

    private func wireAdvice(_ details: UnplacedDetails) -> String {
        guard changes(details).isEmpty else { return "" }
        guard !details.targets.isEmpty else { return ", and the adapter's port group has another VLAN" }
        let count = Wording.count(
            details.others.ofLink, "other address has its place", "other addresses have their places")
        return ", where \(count) by the same link. Rather the adapter is on the wrong network, or has the wrong address"
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

    /// `other_wire`: the wires where the address would have a place, with the native VLAN that it takes. On the others it
    /// would only have another reason.
    fileprivate var targets: [(wire: String, native: VLANID)] {
        namedSubnets.compactMap { subnet in
            if portGroupVLAN == .untagged { return (subnet.wire, subnet.vlan) }
            return portGroupVLAN.matches(subnet.vlan, native: nativeVLAN) ? (subnet.wire, nativeVLAN) : nil
        }
    }

    /// The command that links the switch, or only the host's part of it where others depend on the rest; `nil` where
    /// others depend on that, too.
    fileprivate func link(to wire: String, native: VLANID) -> String? {
        guard let name = switchCall, others.ofLink == 0 || (pinHost != nil && others.onHost == 0) else { return nil }
        return WireloomCommand.link(
            switch: name, wire: wire, host: others.ofLink == 0 ? host : pinHost, account: account, nativeVLAN: native)
    }
}
