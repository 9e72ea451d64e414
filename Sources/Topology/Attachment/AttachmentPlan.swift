package import Addressing

/// The host of a new VM and the port group of each of its adapters, with what else would have done and what would not.
package struct AttachmentPlan: Hashable, Sendable {
    package struct Attachment: Hashable, Sendable {
        package let portGroup: AttachmentQuestion.PortGroup
        package let `switch`: TopologySnapshot.Switch
        /// Those that would have done as well, the best first.
        package let alternatives: [AttachmentQuestion.PortGroup]
        package let refused: [PortGroupRefusal]
    }

    package let host: AttachmentQuestion.Host
    /// By adapter.
    package let attachments: [Attachment]
    /// The other hosts that would have done, the best first.
    package let alternatives: [AttachmentQuestion.Host]
    package let refused: [HostRefusal]
}

/// Why a port group is none for an adapter.
package struct PortGroupRefusal: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        case uplink
        case trunk
        /// NSX-backed, or its VLAN could not be read.
        case unmatchable
        /// Its switch is linked to no wire on this host.
        case unlinked
        case otherWire(String)
        /// It carries this VLAN.
        case otherVLAN(VLANID)
        case otherPrivateVLAN(primary: VLANID)
    }

    package let portGroup: AttachmentQuestion.PortGroup
    package let switchName: String
    package let reason: Reason

    /// `apps (dvs-core): VLAN 30`.
    package var sentence: String { "\(portGroup.name) (\(switchName)): \(why)" }

    package var why: String {
        switch reason {
        case .uplink: "an uplink"
        case .trunk: "a trunk, on which the guest would have to tag its frames"
        case .unmatchable: "no VLAN to match, because it is NSX-backed or its VLAN cannot be read"
        case .unlinked: "its switch is linked to no wire"
        case .otherWire(let wire): "its switch is on wire \(wire)"
        case .otherVLAN(let vlan): "VLAN \(vlan)"
        case .otherPrivateVLAN(let primary): "a private VLAN with the primary id \(primary)"
        }
    }
}

/// Why a host is none for the VM.
package struct HostRefusal: Hashable, Sendable {
    package enum Reason: Hashable, Sendable {
        case notConnected(String?)
        case maintenance
        /// It is in this one, and the template in another.
        case otherDatacenter(String?)
        /// No port group of the host does for this adapter, counted from 1.
        case noPortGroup(adapter: Int, AttachmentQuestion.Adapter, wire: String, seen: [PortGroupRefusal])
    }

    package let host: AttachmentQuestion.Host
    package let reason: Reason

    package var sentence: String { "\(host.name): \(why)" }

    package var why: String {
        switch reason {
        case .notConnected(let state): return "its connection state is \(state ?? "unknown")"
        case .maintenance: return "it is in maintenance mode"
        case .otherDatacenter(let name):
            return name.map { "it is in datacenter \($0), and the template is not" } ?? "its datacenter is not known"
        case .noPortGroup(let adapter, let wanted, let wire, let seen):
            let start =
                "no port group for VLAN \(wanted.vlan) of wire \(wire)"
                + (adapter > 1 ? " (network adapter \(adapter))" : "")
            if seen.isEmpty { return start + "; it has no port group at all" }
            let shown = seen.prefix(Self.shown).map(\.sentence).joined(separator: ", ")
            let rest = seen.count > Self.shown ? ", and \(seen.count - Self.shown) more" : ""
            return "\(start); it has \(shown)\(rest)"
        }
    }

    private static let shown = 6
}

/// Why no host does.
package struct NoAttachment: Error, Hashable, Sendable {
    /// Every host that was looked at.
    package let refused: [HostRefusal]
    /// The wires that were looked for.
    package let wires: [String]
    /// `cluster Production`, `the account`.
    package let place: String

    package var sentence: String {
        guard let first = refused.first else { return "\(place) has no host" }
        if refused.count == 1 { return "host \(first.host.name) cannot have it: \(first.why)" }
        let shown = refused.prefix(Self.shown).map(\.sentence).joined(separator: "; ")
        let rest = refused.count > Self.shown ? "; and \(refused.count - Self.shown) more hosts" : ""
        return "no host of \(place) can have it: \(shown)\(rest)"
    }

    /// What shows where port groups are missing.
    package var fix: String {
        wires.map { WireloomCommand.line(["wire", "coverage", $0]) }.joined(separator: "\n")
    }

    private static let shown = 5
}

/// Chooses the host and the port groups: of the hosts that have one for every adapter the least loaded, then by name; of the
/// port groups that match a distributed one, then by name.
///
/// Never a trunk, an uplink, one without a VLAN to match, or one whose VLAN only its namesake on another host carries: a
/// standard port group is its own host's alone. A private VLAN counts by its primary id, and after all others, because an
/// isolated port reaches less than a subnet promises.
package func planAttachment(_ question: AttachmentQuestion) throws(NoAttachment) -> AttachmentPlan {
    let planner = AttachmentPlanner(question)
    let (place, hosts) = planner.candidates
    var fitting: [(host: AttachmentQuestion.Host, attachments: [AttachmentPlan.Attachment])] = []
    var refused: [HostRefusal] = []
    for host in hosts {
        switch planner.attach(to: host) {
        case .success(let attachments): fitting.append((host, attachments))
        case .failure(let reason): refused.append(HostRefusal(host: host, reason: reason.reason))
        }
    }
    guard let best = fitting.first else {
        let wires = Set(question.adapters.map { planner.name(of: $0.wire) }).sorted()
        throw NoAttachment(refused: refused, wires: wires, place: place)
    }
    return AttachmentPlan(
        host: best.host, attachments: best.attachments, alternatives: fitting.dropFirst().map(\.host), refused: refused)
}

private struct AttachmentPlanner {
    struct Refused: Error { let reason: HostRefusal.Reason }

    let question: AttachmentQuestion
    private let switches: [TopologySnapshot.SwitchID: TopologySnapshot.Switch]
    private let links: [Scope: TopologySnapshot.Link]
    private let portGroups: [AttachmentQuestion.PortGroup]

    init(_ question: AttachmentQuestion) {
        self.question = question
        switches = Dictionary(question.switches.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        links = Dictionary(
            question.links.map { (Scope(switch: $0.switch, host: $0.host), $0) },
            uniquingKeysWith: { first, second in first.wire <= second.wire ? first : second })
        portGroups = question.portGroups
    }

    /// The hosts that may be looked at, the best first.
    var candidates: (place: String, hosts: [AttachmentQuestion.Host]) {
        let (place, hosts): (String, [AttachmentQuestion.Host]) =
            switch question.choice {
            case .any: ("the account", question.hosts)
            case .host(let id):
                ("the account", question.hosts.filter { $0.id == id })
            case .cluster(let name): ("cluster \(name)", question.hosts.filter { $0.cluster == name })
            }
        return (place, hosts.sorted { ($0.load, $0.name, $0.id) < ($1.load, $1.name, $1.id) })
    }

    func name(of wire: TopologySnapshot.WireID) -> String { question.wireNames[wire] ?? wire.description }

    func attach(to host: AttachmentQuestion.Host) -> Result<[AttachmentPlan.Attachment], Refused> {
        guard host.connectionState == "connected" else {
            return .failure(Refused(reason: .notConnected(host.connectionState)))
        }
        if host.inMaintenance { return .failure(Refused(reason: .maintenance)) }
        if let datacenter = question.datacenter, host.datacenter != datacenter {
            return .failure(Refused(reason: .otherDatacenter(host.datacenter)))
        }
        let local = portGroups.compactMap { group -> (AttachmentQuestion.PortGroup, TopologySnapshot.Switch)? in
            guard let item = switches[group.switch], item.hosts.contains(where: { $0.id == host.id }) else {
                return nil
            }
            return (group, item)
        }.sorted { rank($0) < rank($1) }

        var attachments: [AttachmentPlan.Attachment] = []
        for (index, adapter) in question.adapters.enumerated() {
            var fitting: [(AttachmentQuestion.PortGroup, TopologySnapshot.Switch)] = []
            var refused: [PortGroupRefusal] = []
            for (group, item) in local {
                if let reason = refusal(of: group, on: item, host.id, for: adapter) {
                    refused.append(PortGroupRefusal(portGroup: group, switchName: item.name, reason: reason))
                } else {
                    fitting.append((group, item))
                }
            }
            guard let (group, item) = fitting.first else {
                return .failure(
                    Refused(
                        reason: .noPortGroup(adapter: index + 1, adapter, wire: name(of: adapter.wire), seen: refused)))
            }
            attachments.append(
                AttachmentPlan.Attachment(
                    portGroup: group, switch: item, alternatives: fitting.dropFirst().map(\.0), refused: refused))
        }
        return .success(attachments)
    }

    private func rank(_ candidate: (AttachmentQuestion.PortGroup, TopologySnapshot.Switch)) -> (
        Int, Int, String, String
    ) {
        let (group, item) = candidate
        let isStandard = if case .standard = item.kind { true } else { false }
        return (group.isPrivate ? 1 : 0, isStandard ? 1 : 0, group.name, group.id)
    }

    /// `nil` where the port group does.
    private func refusal(
        of group: AttachmentQuestion.PortGroup, on item: TopologySnapshot.Switch, _ host: TopologySnapshot.HostID,
        for adapter: AttachmentQuestion.Adapter
    ) -> PortGroupRefusal.Reason? {
        if group.isUplink { return .uplink }
        if case .trunk = group.vlan { return .trunk }
        if group.vlan == .unmatchable { return .unmatchable }
        guard let link = links[Scope(switch: item.id, host: host)] ?? links[Scope(switch: item.id, host: nil)] else {
            return .unlinked
        }
        guard link.wire == adapter.wire else { return .otherWire(name(of: link.wire)) }
        if group.vlan.matches(adapter.vlan, native: link.nativeVLAN) { return nil }
        let carried: VLANID = if case .tagged(let id) = group.vlan { id } else { link.nativeVLAN }
        return group.isPrivate ? .otherPrivateVLAN(primary: carried) : .otherVLAN(carried)
    }
}
