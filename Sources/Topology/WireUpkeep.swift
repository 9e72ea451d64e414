import Addressing

/// Keeps the automatic wires that no person touched as their hosts are now: recomputes their unconfirmed subnets, and
/// lets a wire go that no switch is linked to.
struct WireUpkeep {
    typealias WireID = TopologySnapshot.WireID
    typealias Existing = TopologySnapshot.UnconfirmedSubnet

    struct Result {
        var changes: [SubnetChange] = []
        var removals: [WireID] = []
        var findings: [Finding] = []
    }

    private let snapshot: TopologySnapshot
    private let directory: Directory
    private let hostAddresses: HostAddresses
    /// The scopes of each wire after the decision.
    private let scopes: [WireID: [Scope]]

    /// - Parameter linked: the existing wire that each scope has after the decision.
    init(
        _ snapshot: TopologySnapshot, _ directory: Directory, linked: [Scope: WireID], _ hostAddresses: HostAddresses
    ) {
        self.snapshot = snapshot
        self.directory = directory
        self.hostAddresses = hostAddresses
        scopes = Dictionary(grouping: linked.keys.sorted()) { linked[$0] ?? WireID(0) }
    }

    func run() -> Result {
        var result = Result()
        let existing = Dictionary(grouping: snapshot.unconfirmedSubnets, by: \.subnet.wire)
        let confirmed = Dictionary(grouping: snapshot.confirmedSubnets, by: \.wire)
        // Links of switches that the snapshot does not have are not decided on; they keep their wires.
        let undecided = Set(snapshot.links.filter { directory.switches[$0.switch] == nil }.map(\.wire))
        for wire in directory.wires.values.sorted(by: { $0.id < $1.id })
        where wire.origin == .automatic && !wire.touched {
            if let scopes = scopes[wire.id] {
                // What other accounts' hosts need is not seen from here, so it is only ever added to.
                let isShared = wire.linksElsewhere > 0 || undecided.contains(wire.id)
                recompute(
                    wire, scopes, existing[wire.id] ?? [], confirmed[wire.id] ?? [], isShared: isShared, &result)
            } else if wire.linksElsewhere == 0, !undecided.contains(wire.id) {
                result.removals.append(wire.id)
            }
        }
        return result
    }

    private func recompute(
        _ wire: TopologySnapshot.Wire, _ scopes: [Scope], _ existing: [Existing],
        _ confirmed: [TopologySnapshot.Subnet], isShared: Bool, _ result: inout Result
    ) {
        let plan = SubnetPlan(scopes.flatMap(hostAddresses.of), on: "wire \(wire.name)", directory)
        result.findings += plan.findings
        let byVLAN = Dictionary(grouping: existing, by: \.subnet.vlan)
        var updates: [SubnetChange] = []
        var creations: [SubnetChange] = []
        var removals: [SubnetChange] = []
        for vlan in Set(plan.blocks.keys).union(byVLAN.keys).sorted() {
            var fit = SubnetFit(
                existing: byVLAN[vlan] ?? [],
                wanted: (plan.blocks[vlan] ?? []).filter { block in
                    !confirmed.contains { $0.vlan == vlan && $0.cidr.overlaps(block.cidr) }
                },
                keepsAll: isShared)
            fit.run()
            updates += fit.updates
            creations += fit.creations.map {
                .create(wire.id, NewSubnet(cidr: $0.cidr, vlan: vlan, gateway: $0.gateway))
            }
            removals += fit.removals.map { .remove($0) }
            result.findings += fit.keptWider.map { subnet in
                Finding(
                    code: .subnetKeptWider, subject: "\(subnet.cidr) (VLAN \(vlan))",
                    message: "Subnet \(subnet.name) of wire \(wire.name) stays \(subnet.cidr), wider than the masks of "
                        + "its hosts' adapters, because other addresses are held in it.",
                    fix: WireloomCommand.line(["ip", "list", subnet.name]))
            }
        }
        result.changes += updates + creations + removals
    }
}
