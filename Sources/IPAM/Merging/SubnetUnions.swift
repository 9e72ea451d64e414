internal import Addressing

/// Which subnets of wires that become one wire become one subnet (DESIGN.md 3.3). Decides; writes nothing.
///
/// - Subnets of one VLAN and CIDR become one, a person's before an unconfirmed one, then the target's, then the oldest.
/// - An unconfirmed subnet that overlaps a person's goes into it; of unconfirmed ones alone, the widest takes the others.
/// - Two of a person's that overlap otherwise, and gateways or DNS that disagree, are clashes.
struct SubnetUnions {
    struct Member {
        let ref: SubnetRef
        let wire: String
        let isOnTarget: Bool
        let dns: [IPAddress]
        let dnsSuffix: String?

        var title: String { "\(ref.title) of wire \(wire)" }
    }

    /// A member that goes into another.
    struct Pair: Equatable {
        let member: Int64
        let survivor: Int64
    }

    private(set) var pairs: [Pair] = []
    private(set) var clashes: [String] = []

    /// Every subnet that takes another in, or goes into one, ascending.
    var united: [Int64] { Set(pairs.flatMap { [$0.member, $0.survivor] }).sorted() }

    init(_ members: [Member]) {
        let byVLAN = Dictionary(grouping: members) { $0.ref.vlan }
        for vlan in byVLAN.keys.sorted() {
            let sorted = (byVLAN[vlan] ?? []).sorted(by: Self.precedes)
            unite(sorted.filter(\.ref.isConfirmed), sorted.filter { !$0.ref.isConfirmed })
        }
    }

    /// Who stays of two with one CIDR; the wider comes before the narrower.
    private static func precedes(_ lhs: Member, _ rhs: Member) -> Bool {
        if lhs.ref.cidr.prefixLength != rhs.ref.cidr.prefixLength {
            return lhs.ref.cidr.prefixLength < rhs.ref.cidr.prefixLength
        }
        if lhs.isOnTarget != rhs.isOnTarget { return lhs.isOnTarget }
        return lhs.ref.id < rhs.ref.id
    }

    private mutating func unite(_ confirmed: [Member], _ unconfirmed: [Member]) {
        var kept: [[Member]] = []
        for member in confirmed {
            for other in kept where other[0].ref.cidr != member.ref.cidr && other[0].ref.cidr.overlaps(member.ref.cidr)
            {
                clashes.append(
                    "subnet \(other[0].title) and subnet \(member.title) overlap on VLAN \(member.ref.vlan)")
            }
            join(member, &kept) { $0.cidr == member.ref.cidr }
        }
        var wide: [[Member]] = []
        for member in unconfirmed {
            let takers = kept.filter { $0[0].ref.cidr.overlaps(member.ref.cidr) }
            if takers.isEmpty {
                join(member, &wide) { $0.cidr.overlaps(member.ref.cidr) }
            } else {
                pairs += takers.map { Pair(member: member.ref.id, survivor: $0[0].ref.id) }
            }
        }
    }

    /// Adds a member to the group whose first one takes it, or begins a group.
    private mutating func join(_ member: Member, _ groups: inout [[Member]], where takes: (SubnetRef) -> Bool) {
        guard let index = groups.firstIndex(where: { takes($0[0].ref) }) else { return groups.append([member]) }
        pairs.append(Pair(member: member.ref.id, survivor: groups[index][0].ref.id))
        for other in groups[index] where other.ref.cidr == member.ref.cidr { compare(other, member) }
        groups[index].append(member)
    }

    private mutating func compare(_ one: Member, _ other: Member) {
        func disagree(_ what: String, _ mine: String?, _ theirs: String?) {
            guard let mine, let theirs, mine != theirs else { return }
            clashes.append(
                "subnet \(one.title) and subnet \(other.title) have different \(what): \(mine) and \(theirs)")
        }
        func text(_ dns: [IPAddress]) -> String? {
            dns.isEmpty ? nil : dns.map(\.description).joined(separator: ",")
        }
        disagree("gateways", one.ref.gateway?.description, other.ref.gateway?.description)
        disagree("DNS servers", text(one.dns), text(other.dns))
        disagree("DNS suffixes", one.dnsSuffix, other.dnsSuffix)
    }
}
