import Addressing

/// How much one wire is supported. Strong addresses decide; weak ones only between equals.
package struct Score: Hashable, Comparable, Sendable {
    var strong = 0
    var weak = 0

    package init(strong: Int = 0, weak: Int = 0) {
        self.strong = strong
        self.weak = weak
    }

    package var isNone: Bool { strong == 0 && weak == 0 }

    /// `1 management address and 3 VM addresses`; `nil` where it is none.
    package var words: String? {
        var parts: [String] = []
        if strong > 0 { parts.append(Wording.count(strong, "management address", "management addresses")) }
        if weak > 0 { parts.append(Wording.count(weak, "VM address", "VM addresses")) }
        return parts.isEmpty ? nil : Wording.list(parts, "and")
    }

    /// What the worse of two has fewer of.
    package static func shortage(of worse: Score, against better: Score) -> String {
        worse.strong < better.strong ? "management addresses" : "VM addresses"
    }

    package static func < (lhs: Score, rhs: Score) -> Bool { (lhs.strong, lhs.weak) < (rhs.strong, rhs.weak) }
}

/// The evidence of one scope, counted for every wire that it speaks for or against.
///
/// - A live adapter's address that another live NIC holds on a wire with another MAC is *contested* there: it supports
///   nothing on that wire, and the wire is no candidate, for two networks may use one CIDR.
/// - An address that was only last seen and that another live NIC holds by now has plainly passed on. It counts for
///   nothing, and against nothing: DHCP hands addresses on every day.
struct Tally {
    private struct Count {
        var strong: Set<IPAddress> = []
        var weak: Set<IPAddress> = []
        var contested: Set<IPAddress> = []
    }

    /// The wires that one host's evidence speaks for.
    private struct HostWires {
        var strong: Set<TopologySnapshot.WireID> = []
        var weak: Set<TopologySnapshot.WireID> = []
    }

    private var counts: [TopologySnapshot.WireID: Count] = [:]
    private var hosts: [TopologySnapshot.HostID: HostWires] = [:]

    mutating func add(_ evidence: TopologySnapshot.Evidence, for wire: TopologySnapshot.WireID) {
        if evidence.strength == .strong {
            counts[wire, default: Count()].strong.insert(evidence.address)
            hosts[evidence.host, default: HostWires()].strong.insert(wire)
        } else {
            counts[wire, default: Count()].weak.insert(evidence.address)
            hosts[evidence.host, default: HostWires()].weak.insert(wire)
        }
    }

    mutating func contest(_ address: IPAddress, on wire: TopologySnapshot.WireID) {
        counts[wire, default: Count()].contested.insert(address)
    }

    func score(_ wire: TopologySnapshot.WireID) -> Score {
        guard let count = counts[wire] else { return Score() }
        guard !count.contested.isEmpty else { return Score(strong: count.strong.count, weak: count.weak.count) }
        return Score(
            strong: count.strong.subtracting(count.contested).count,
            weak: count.weak.subtracting(count.contested).count)
    }

    /// The contested addresses of a wire, in order.
    func contested(_ wire: TopologySnapshot.WireID) -> [IPAddress] { counts[wire]?.contested.sorted() ?? [] }

    /// The wires with a contested address, in order.
    var contestedWires: [TopologySnapshot.WireID] {
        counts.filter { !$0.value.contested.isEmpty }.keys.sorted()
    }

    /// The wires that may be chosen, in order: supported and uncontested.
    var candidates: [TopologySnapshot.WireID] {
        counts.keys.filter { counts[$0]?.contested.isEmpty == true && !score($0).isNone }.sorted()
    }

    /// What each host by itself speaks for, by its strong evidence where it has any: only candidates and `own`.
    func wiresByHost(own: TopologySnapshot.WireID?) -> [TopologySnapshot.HostID: Set<TopologySnapshot.WireID>] {
        var eligible = Set(candidates)
        if let own { eligible.insert(own) }
        return hosts.mapValues { wires in
            let strong = wires.strong.intersection(eligible)
            return strong.isEmpty ? wires.weak.intersection(eligible) : strong
        }.filter { !$0.value.isEmpty }
    }

    /// All wires spoken for or against, best first.
    var table: [Support] {
        counts.keys.map { wire in
            let score = score(wire)
            return Support(wire: wire, strong: score.strong, weak: score.weak, contested: contested(wire))
        }.sorted {
            (Score(strong: $1.strong, weak: $1.weak), $0.wire) < (Score(strong: $0.strong, weak: $0.weak), $1.wire)
        }
    }
}

extension Tally {
    private struct Seat: Hashable {
        let subnet: TopologySnapshot.SubnetID
        let address: IPAddress
    }

    /// Counts all evidence of a snapshot. Out-of-site wires count only for a person's own link to them.
    static func count(_ snapshot: TopologySnapshot, _ directory: Directory) -> [Scope: Tally] {
        let subnets = ConfirmedSubnets(snapshot.confirmedSubnets)
        let inSite = Set(directory.wires.keys.filter(directory.isInSite))
        let holders = Dictionary(grouping: snapshot.holders) { Seat(subnet: $0.subnet, address: $0.address) }
        var tallies: [Scope: Tally] = [:]
        for evidence in snapshot.evidence where !evidence.address.isIgnored {
            guard let scope = directory.scope(of: evidence.switch, host: evidence.host) else { continue }
            let link = directory.links[scope]
            subnets.forEach(
                containing: evidence.address, on: evidence.portGroupVLAN, native: link?.nativeVLAN ?? .one
            ) { entry in
                let isPersons = link?.origin == .person && link?.wire == entry.wire
                guard isPersons || inSite.contains(entry.wire) else { return }
                let others = holders[Seat(subnet: entry.subnet, address: evidence.address)] ?? []
                let isHeldByAnother = others.contains { holder in
                    guard let mac = evidence.mac, holder.mac != mac else { return false }
                    guard let id = holder.switch, let host = holder.host else { return true }
                    return directory.scope(of: id, host: host) != scope
                }
                if !isHeldByAnother {
                    tallies[scope, default: Tally()].add(evidence, for: entry.wire)
                } else if evidence.live {
                    tallies[scope, default: Tally()].contest(evidence.address, on: entry.wire)
                }
            }
        }
        return tallies
    }
}
