internal import Addressing
internal import IPAM
internal import Postgres

extension NetworkPlan {
    /// A subnet as it will be, and where the file says so; `nil` where it says nothing of it.
    struct Goal {
        let subnet: NetworkState.Subnet
        let position: NetworkFile.Position?
    }

    /// Which subnet of those there are each entry speaks of; `nil`: none, it is a new one.
    ///
    /// The one in its very place first, so that names that changed places are renamed and every address stays where it is.
    /// Then the one of its name. Then, where that one was found to be another entry's by its place, whichever has that
    /// entry's name, and so on: names and places that moved round in a chain.
    static func match(_ entries: [NetworkFile.SubnetEntry], with subnets: [NetworkState.Subnet]) -> [Int?] {
        struct Place: Hashable {
            let wire: String
            let cidr: CIDR
        }
        let byPlace = Dictionary(grouping: subnets.indices) { Place(wire: subnets[$0].wire, cidr: subnets[$0].cidr) }
        let byName = Dictionary(
            subnets.indices.map { (subnets[$0].name, $0) }, uniquingKeysWith: { first, _ in first })
        var found = [Int?](repeating: nil, count: entries.count)
        var taken: [Int: Int] = [:]
        for (index, entry) in entries.enumerated() {
            let here = (byPlace[Place(wire: entry.wire, cidr: entry.cidr)] ?? []).filter { taken[$0] == nil }
            let fitting = entry.vlan.map { vlan in here.filter { subnets[$0].vlan == vlan } } ?? here
            guard
                let subnet = fitting.first(where: { subnets[$0].name == entry.name })
                    ?? (fitting.count == 1 ? fitting[0] : nil)
            else { continue }
            found[index] = subnet
            taken[subnet] = index
        }
        for (index, entry) in entries.enumerated() where found[index] == nil {
            var name = entry.name
            var steps = 0
            while let subnet = byName[name], let other = taken[subnet], steps <= entries.count {
                name = entries[other].name
                steps += 1
                // Its own name: it is in its place already.
                if byName[name] == subnet { break }
            }
            if let subnet = byName[name], taken[subnet] == nil {
                found[index] = subnet
                taken[subnet] = index
            }
        }
        return found
    }

    /// Fills ``subnets``, deletions first.
    ///
    /// - Returns: every subnet that will be there.
    mutating func planSubnets(
        _ state: NetworkState, _ file: NetworkFile, _ prune: Bool, _ now: Timestamp,
        _ problems: inout [NetworkFileError.Problem]
    ) throws -> [Goal] {
        let entries = file.subnets ?? []
        let found = Self.match(entries, with: state.subnets)
        var goals: [Goal] = []
        var updates: [Step<NetworkState.Subnet>] = []
        for (entry, index) in zip(entries, found) {
            let before = index.map { state.subnets[$0] }
            let after = Self.goal(entry, before, now)
            goals.append(Goal(subnet: after, position: entry.position))
            if before != after { updates.append(.init(before: before, after: after)) }
            problems += Self.check(after, before).map { .init(position: entry.position, sentence: $0) }
        }
        let matched = Set(found.compactMap { $0 })
        let rest = state.subnets.indices.filter { !matched.contains($0) }.map { state.subnets[$0] }
        if prune, file.subnets != nil {
            subnets = rest.map { .init(before: $0, after: nil) }
        } else {
            goals += rest.map { Goal(subnet: $0, position: nil) }
        }
        // Those that are there before new ones, so that a new one finds what it needs free.
        subnets += updates.filter { $0.before != nil } + updates.filter { $0.before == nil }
        return goals
    }

    /// A new subnet's list that the file has not is empty.
    private static func goal(
        _ entry: NetworkFile.SubnetEntry, _ before: NetworkState.Subnet?, _ now: Timestamp
    ) -> NetworkState.Subnet {
        NetworkState.Subnet(
            id: before?.id, name: entry.name, wire: entry.wire, cidr: entry.cidr,
            vlan: entry.vlan ?? before?.vlan ?? .one, gateway: entry.gateway ?? before?.gateway,
            dns: entry.dns ?? before?.dns ?? [], dnsSuffix: entry.dnsSuffix ?? before?.dnsSuffix,
            description: entry.description ?? before?.description,
            pools: entry.pools?.sorted { $0.range.first < $1.range.first } ?? before?.pools ?? [],
            reservations: entry.reservations.map { list in
                list.filter { $0.expires.map { $0 > now } ?? true }.sorted { $0.range.first < $1.range.first }
            } ?? before?.reservations ?? [])
    }

    /// What is wrong with a subnet by itself. Words that it has already stay as they are.
    private static func check(_ subnet: NetworkState.Subnet, _ before: NetworkState.Subnet?) -> [String] {
        var reasons = SubnetRequest(
            name: subnet.name, cidr: subnet.cidr, vlan: subnet.vlan, gateway: subnet.gateway, dns: subnet.dns,
            dnsSuffix: subnet.dnsSuffix == before?.dnsSuffix ? nil : subnet.dnsSuffix,
            description: subnet.description == before?.description ? nil : subnet.description, pools: subnet.pools
        ).problems.map(\.detail)
        for (index, reservation) in subnet.reservations.enumerated() {
            if !subnet.cidr.contains(reservation.range.first) || !subnet.cidr.contains(reservation.range.last) {
                reasons.append(
                    "subnet \(subnet.name): the reservation \(reservation.range) is not inside \(subnet.cidr)")
            }
            if index > 0, subnet.reservations[index - 1].range.overlaps(reservation.range) {
                reasons.append(
                    "subnet \(subnet.name): the reservations \(subnet.reservations[index - 1].range) and "
                        + "\(reservation.range) overlap")
            }
        }
        return reasons
    }

    func checkNames(_ goals: [Goal], _ problems: inout [NetworkFileError.Problem]) {
        for (name, same) in Dictionary(grouping: goals, by: \.subnet.name) where same.count > 1 {
            guard let told = same.first(where: { $0.position != nil }),
                let other = same.first(where: { $0.position == nil })
            else { continue }
            problems.append(
                .init(
                    position: told.position,
                    sentence:
                        "there is another subnet \"\(name)\" (\(other.subnet.cidr) on wire \(other.subnet.wire)), "
                        + "which the file leaves out; name that one, too, or prune"))
        }
    }

    /// No two subnets of one wire and VLAN overlap (I2).
    func checkOverlaps(_ goals: [Goal], _ problems: inout [NetworkFileError.Problem]) {
        struct Segment: Hashable {
            let wire: String
            let vlan: VLANID
        }
        for same in Dictionary(grouping: goals, by: { Segment(wire: $0.subnet.wire, vlan: $0.subnet.vlan) }).values {
            var widest: Goal?
            for goal in same.sorted(by: { $0.subnet.cidr < $1.subnet.cidr }) {
                if let other = widest, other.subnet.cidr.overlaps(goal.subnet.cidr) {
                    // A name that the file has twice is told by itself.
                    if other.subnet.name == goal.subnet.name, other.position != nil, goal.position != nil { continue }
                    let (told, beside) = goal.position == nil ? (other, goal) : (goal, other)
                    problems.append(
                        .init(
                            position: told.position,
                            sentence: "subnet \(told.subnet.name) (\(told.subnet.cidr)) overlaps "
                                + "\(beside.subnet.name) (\(beside.subnet.cidr)) on VLAN \(goal.subnet.vlan) of wire "
                                + goal.subnet.wire))
                } else {
                    widest = goal
                }
            }
        }
    }
}
