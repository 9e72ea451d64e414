package import Addressing

/// What is known that speaks for or against two wires being one network.
package struct SuggestionSnapshot: Sendable {
    package struct Wire: Sendable {
        package let id: TopologySnapshot.WireID
        package let name: String
        package let site: String?
        /// A person made it or touched it.
        package let isPersons: Bool
        package let switches: Int

        package init(id: TopologySnapshot.WireID, name: String, site: String?, isPersons: Bool, switches: Int) {
            self.id = id
            self.name = name
            self.site = site
            self.isPersons = isPersons
            self.switches = switches
        }
    }

    package struct Subnet: Sendable {
        package let wire: TopologySnapshot.WireID
        package let cidr: CIDR
        package let vlan: VLANID
        package let gateway: IPAddress?
        package let isConfirmed: Bool

        package init(
            wire: TopologySnapshot.WireID, cidr: CIDR, vlan: VLANID, gateway: IPAddress?, isConfirmed: Bool
        ) {
            self.wire = wire
            self.cidr = cidr
            self.vlan = vlan
            self.gateway = gateway
            self.isConfirmed = isConfirmed
        }
    }

    /// Something that was seen of both of two wires.
    package struct Shared: Sendable, Hashable {
        package let pair: WirePair
        /// A VM with its address, a physical switch, or a VLAN with its prefix, as a person is told of it.
        package let what: String

        package init(_ pair: WirePair, _ what: String) {
            self.pair = pair
            self.what = what
        }
    }

    package var wires: [Wire] = []
    package var subnets: [Subnet] = []
    /// VMs that had one address on hosts of both.
    package var keptAddresses: [Shared] = []
    /// Physical switches that hosts of both are plugged into, by CDP or LLDP.
    package var physicalSwitches: [Shared] = []
    /// VLANs with prefixes that hosts of both saw on their physical adapters.
    package var observedNetworks: [Shared] = []
    /// Addresses that different adapters hold in subnets of both, on one VLAN.
    package var conflicts: Set<WirePair> = []
    package var rejected: Set<WirePair> = []

    package init() {}
}

/// Two wires, the lower id first.
package struct WirePair: Hashable, Sendable, Comparable {
    package let first: TopologySnapshot.WireID
    package let second: TopologySnapshot.WireID

    package init(_ one: TopologySnapshot.WireID, _ other: TopologySnapshot.WireID) {
        first = min(one, other)
        second = max(one, other)
    }

    package static func < (lhs: WirePair, rhs: WirePair) -> Bool {
        (lhs.first, lhs.second) < (rhs.first, rhs.second)
    }
}

/// That two wires may be one network.
package struct MergeSuggestion: Sendable, Hashable {
    package let pair: WirePair
    /// 20 to 100; no probability, only an order.
    package let score: Int
    /// Sentences, the weightiest first.
    package let evidence: [String]
    /// Which of the two takes the other in.
    package let target: TopologySnapshot.WireID
}

/// Which wires may be one network, best first. A pure function of the snapshot.
///
/// | evidence | first | each more | at most |
/// |---|---|---|---|
/// | a VM kept its address on hosts of both | 40 | 15 | 70 |
/// | one CIDR, VLAN and gateway | 30 | 10 | 50 |
/// | one VLAN and prefix observed | 20 | 10 | 40 |
/// | one physical switch | 25 | 5 | 35 |
/// | one CIDR and VLAN, a gateway unknown | 15 | 5 | 25 |
///
/// Not proposed: under 20 in all; wires of different sites; what a person rejected; what a merge would refuse, because
/// gateways differ, subnets overlap otherwise, or an address has two holders.
package func suggestMerges(_ snapshot: SuggestionSnapshot) -> [MergeSuggestion] {
    let wires = Dictionary(snapshot.wires.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    var cases: [WirePair: SuggestionCase] = [:]
    for item in snapshot.keptAddresses { cases[item.pair, default: .init()].kept.insert(item.what) }
    for item in snapshot.physicalSwitches { cases[item.pair, default: .init()].switches.insert(item.what) }
    for item in snapshot.observedNetworks { cases[item.pair, default: .init()].observed.insert(item.what) }
    for (_, subnets) in Dictionary(grouping: snapshot.subnets, by: { SubnetKey(cidr: $0.cidr, vlan: $0.vlan) }) {
        for (index, one) in subnets.enumerated() {
            for other in subnets[..<index] where other.wire != one.wire {
                cases[WirePair(one.wire, other.wire), default: .init()].compare(one, other)
            }
        }
    }
    let byWire = Dictionary(grouping: snapshot.subnets.filter(\.isConfirmed), by: \.wire)
    return cases.compactMap { pair, found -> MergeSuggestion? in
        guard let first = wires[pair.first], let second = wires[pair.second], first.id != second.id,
            first.site == nil || second.site == nil || first.site == second.site,
            !snapshot.conflicts.contains(pair), !snapshot.rejected.contains(pair), !found.isContradicted,
            found.score >= 20,
            !(byWire[pair.first] ?? []).contains(where: { one in
                (byWire[pair.second] ?? []).contains {
                    $0.vlan == one.vlan && $0.cidr != one.cidr && $0.cidr.overlaps(one.cidr)
                }
            })
        else { return nil }
        return MergeSuggestion(
            pair: pair, score: found.score, evidence: found.sentences, target: target(first, second))
    }.sorted { ($1.score, $0.pair) < ($0.score, $1.pair) }
}

private func target(_ first: SuggestionSnapshot.Wire, _ second: SuggestionSnapshot.Wire) -> TopologySnapshot.WireID {
    if first.isPersons != second.isPersons { return first.isPersons ? first.id : second.id }
    return second.switches > first.switches ? second.id : first.id
}

private struct SubnetKey: Hashable {
    let cidr: CIDR
    let vlan: VLANID
}

/// What was found of one pair.
private struct SuggestionCase {
    var kept: Set<String> = []
    var switches: Set<String> = []
    var observed: Set<String> = []
    private var same: Set<String> = []
    private var similar: Set<String> = []
    private(set) var isContradicted = false

    mutating func compare(_ one: SuggestionSnapshot.Subnet, _ other: SuggestionSnapshot.Subnet) {
        let what = "\(one.cidr) on VLAN \(one.vlan)"
        switch (one.gateway, other.gateway) {
        case (let mine?, let theirs?) where mine != theirs: isContradicted = true
        case (let mine?, .some): same.insert("\(what) with gateway \(mine)")
        default: similar.insert(what)
        }
    }

    private static func points(_ items: Set<String>, _ first: Int, _ more: Int, _ most: Int) -> Int {
        items.isEmpty ? 0 : min(most, first + more * (items.count - 1))
    }

    private var parts: [(points: Int, start: String, items: Set<String>)] {
        [
            (Self.points(kept, 40, 15, 70), "had one address on hosts of both:", kept),
            (Self.points(same, 30, 10, 50), "both have", same),
            (Self.points(observed, 20, 10, 40), "hosts of both observe", observed),
            (Self.points(switches, 25, 5, 35), "hosts of both are plugged into", switches),
            (Self.points(similar, 15, 5, 25), "both have, with a gateway unknown,", similar),
        ]
    }

    var score: Int { min(100, parts.map(\.points).reduce(0, +)) }

    var sentences: [String] {
        parts.filter { $0.points > 0 }.sorted { $0.points > $1.points }.map { part in
            "\(part.start) \(Wording.list(part.items.sorted(), "and", limit: 4))"
        }
    }
}
