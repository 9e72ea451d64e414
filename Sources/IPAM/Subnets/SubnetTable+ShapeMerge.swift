internal import Addressing
package import Postgres

extension SubnetTable {
    /// Makes several subnets into the one that they are together. The first keeps its id, and its name if none is given.
    ///
    /// They must be of one wire, VLAN, DNS servers and suffix, have not more than one gateway, and be exactly one prefix
    /// with no address missing. The caller holds the topology lock and places the adapters of the whole prefix again.
    ///
    /// - Throws: ``NetworkError`` with code `invalid`, or `clash` with everything that stands in the way.
    package static func merge(_ subnets: [SubnetRef], name: String?, in connection: Connection) throws -> Int64 {
        guard let keeper = subnets.first, subnets.count > 1 else {
            throw NetworkError(.invalid, "a merge takes two subnets or more")
        }
        var seen: Set<Int64> = []
        if let twice = subnets.first(where: { !seen.insert($0.id).inserted }) {
            throw NetworkError(.invalid, "subnet \(twice.title) cannot be merged with itself")
        }
        let ids = subnets.map(\.id)
        try lockWhole(ids.sorted(), in: connection)
        let name = name ?? keeper.name
        let whole = CIDR(joining: subnets.map(\.cidr))
        var obstacles = try takenNames([name], but: ids, in: connection)
        obstacles += try differences(subnets, in: connection)
        if let whole {
            for subnet in subnets {
                obstacles += try holders(
                    of: whole.unusable.filter { subnet.cidr.usable.contains($0) }, in: subnet,
                    becoming: "the network or broadcast address of \(whole)", in: connection)
            }
        } else {
            obstacles.append(contentsOf: misfits(subnets.map(\.cidr)))
        }
        let gateway = subnets.compactMap(\.gateway).first
        if let whole, let gateway, !whole.usable.contains(gateway) {
            obstacles.append("the gateway \(gateway) would be the network or broadcast address of \(whole)")
        }
        try refuse(
            "subnets \(subnets.map(\.title).joined(separator: ", ")) cannot be merged", obstacles)
        guard let whole else { return keeper.id }

        for subnet in subnets {
            for edge in whole.unusable where subnet.cidr.usable.contains(edge) {
                if let one = AddressRange(edge, edge) { try PoolTable.remove(one, of: subnet.id, in: connection) }
            }
        }
        try deferShapes(in: connection)
        try connection.execute(
            """
            UPDATE subnet SET name = $2::text, cidr = $3::cidr, gateway = $4::inet, confirmed = true,
                description = coalesce(description, (
                    SELECT o.description FROM unnest($5::bigint[]) WITH ORDINALITY u (id, place) JOIN subnet o USING (id)
                    WHERE o.description IS NOT NULL ORDER BY u.place LIMIT 1))
            WHERE id = $1::bigint
            """, keeper.id, name, whole, gateway, ids)
        for other in subnets.dropFirst() {
            try connection.execute(
                "UPDATE pool SET subnet_id = $2::bigint WHERE subnet_id = $1::bigint", other.id, keeper.id)
            try carry(from: other.id, to: [(keeper.id, other.cidr.range)], in: connection)
            try connection.execute("DELETE FROM subnet WHERE id = $1::bigint", other.id)
        }
        try checkShapes(in: connection)
        try connection.execute("UPDATE wire SET touched = true WHERE id = $1::bigint AND NOT touched", keeper.wire)
        return keeper.id
    }

    /// In what they differ and may not.
    private static func differences(_ subnets: [SubnetRef], in connection: Connection) throws -> [String] {
        let facts = try connection.query(
            """
            SELECT s.name, w.name, s.vlan_id::text, coalesce(host(s.gateway), ''), array_to_string(s.dns, ','),
                coalesce(s.dns_suffix, '')
            FROM unnest($1::bigint[]) WITH ORDINALITY u (id, place) JOIN subnet s USING (id) JOIN wire w ON w.id = s.wire_id
            ORDER BY u.place
            """, subnets.map(\.id)
        ).map { row in try (0..<6).map { try row.get($0, as: String.self) } }
        let kinds = [
            (1, "the wires", false), (2, "the VLANs", false), (3, "the gateways", true), (4, "the DNS servers", false),
            (5, "the DNS suffixes", false),
        ]
        return kinds.compactMap { column, kind, mayLack in
            let given = facts.filter { !mayLack || !$0[column].isEmpty }
            guard Set(given.map { $0[column] }).count > 1 else { return nil }
            let values = given.map { "\($0[column].isEmpty ? "none" : $0[column]) of \($0[0])" }
            return "\(kind) differ: \(values.joined(separator: ", "))"
        }
    }

    /// Why prefixes are not one together.
    private static func misfits(_ cidrs: [CIDR]) -> [String] {
        let sorted = cidrs.sorted()
        guard let first = sorted.first, sorted.allSatisfy({ $0.family == first.family }) else {
            return ["they are of IPv4 and IPv6"]
        }
        var reasons: [String] = []
        for (lower, upper) in zip(sorted, sorted.dropFirst()) {
            if lower.overlaps(upper) {
                reasons.append("\(lower) and \(upper) overlap")
            } else if let start = lower.last.advanced(by: 1), let end = upper.network.predecessor,
                let gap = AddressRange(start, end)
            {
                reasons.append("\(gap) is in none of them")
            }
        }
        if reasons.isEmpty, let last = sorted.last, let all = AddressRange(first.network, last.last) {
            reasons.append("\(all) is not one prefix")
        }
        return reasons
    }
}
