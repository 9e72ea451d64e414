/// Links the switches of one account to wires by the rules of DESIGN.md 3.2.
///
/// A pure function: it neither knows nor needs the order in which the snapshot was read. Deciding again on what a
/// decision made changes nothing.
///
/// Two switches of one account influence each other only through the names of new wires: what a switch's addresses say
/// is counted against *confirmed* subnets alone, and a decision confirms none.
package func decide(_ snapshot: TopologySnapshot) -> TopologyDecision {
    let directory = Directory(snapshot)
    let tallies = Tally.count(snapshot, directory)
    let hostAddresses = HostAddresses(snapshot, directory)
    var names = WireNames(taken: snapshot.wires.map(\.name))
    var decision = TopologyDecision()
    var wires: [Scope: TopologySnapshot.WireID] = [:]

    for scope in directory.scopes {
        let tally = tallies[scope] ?? Tally()
        let verdict = LinkRules(directory: directory, scope: scope, tally: tally).verdict()
        let action: LinkDecision.Action
        switch verdict.outcome {
        case .keep(let wire):
            action = .keep(wire)
            wires[scope] = wire
        case .link(let wire):
            action = .link(to: wire)
            wires[scope] = wire
        case .unlinked(let candidates):
            action = .leaveUnlinked(candidates: candidates)
        case .alone:
            let plan = SubnetPlan(hostAddresses.of(scope), on: directory.phrase(scope), directory)
            decision.findings += plan.findings
            action = .createWire(
                NewWire(
                    names: names.take(directory.wireNames(for: scope.switch)), site: snapshot.site,
                    subnets: plan.subnets))
        }
        decision.links.append(
            LinkDecision(
                switch: scope.switch, host: scope.host, action: action, rule: verdict.rule,
                nativeVLAN: directory.nativeVLAN(of: scope), support: tally.table))
        decision.findings += verdict.findings
    }

    let kept = WireUpkeep(snapshot, directory, linked: wires, hostAddresses).run()
    decision.subnetChanges = kept.changes
    decision.wiresToRemove = kept.removals
    decision.findings += kept.findings
    decision.findings.sort {
        ($0.subject, $0.code.rawValue, $0.message, $0.fix ?? "")
            < ($1.subject, $1.code.rawValue, $1.message, $1.fix ?? "")
    }
    return decision
}

/// Hands out names of new wires, so that two switches of one decision do not ask for the same.
private struct WireNames {
    private var taken: Set<String>

    init(taken: [String]) { self.taken = Set(taken) }

    /// The free ones of the names, at least the last, and books the first of them.
    mutating func take(_ names: [String]) -> [String] {
        let free = names.filter { !taken.contains($0) }
        let offered = free.isEmpty ? names.suffix(1) : free
        if let first = offered.first { taken.insert(first) }
        return Array(offered)
    }
}
