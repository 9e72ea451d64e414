internal import Addressing
package import Postgres
internal import SQL

/// Makes several wires one, within the caller's transaction, which holds the topology lock and places the touched
/// addresses again afterwards.
///
/// First everything is locked and looked at, and all that stands in the way is told at once; then links and subnets move,
/// subnets that are the same become one, and the emptied wires go. What was there before is kept for the journal.
package struct WireMerge {
    /// Without the target.
    package let sources: [Wire]
    package let target: Wire
    /// Whether the target is made for this.
    package let isNew: Bool
    private let unions: SubnetUnions
    private let members: [Int64: SubnetUnions.Member]
    let connection: Connection

    /// The wires by name or id; the target may be one of them, another one, or (`isNew`) the name of a new one.
    ///
    /// - Throws: ``NetworkError`` with code `not_found`, `invalid` or `duplicate`.
    package init(_ names: [String], into name: String, in connection: Connection) throws {
        self.connection = connection
        let wires = try names.map { try WireTable.named($0, in: connection) }
        for (index, wire) in wires.enumerated() where wires[..<index].contains(where: { $0.id == wire.id }) {
            throw NetworkError(.invalid, "wire \(wire.name) is named twice; name each wire once")
        }
        if let existing = try WireTable.find(name, in: connection) {
            target = existing
            isNew = false
            sources = wires.filter { $0.id != existing.id }
            guard !sources.isEmpty else {
                throw NetworkError(
                    .invalid, "wire \(existing.name) cannot be merged with itself; name another wire, too")
            }
        } else {
            try WireTable.refuseNumber(name)
            guard wires.count > 1 else {
                throw NetworkError(
                    .invalid,
                    "one wire alone is renamed, not merged: wireloom wire rename \(wires.first?.name ?? "") \(name)")
            }
            let sites = Set(wires.map(\.site))
            target = try WireTable.create(
                name: name, site: sites.count == 1 ? sites.first ?? nil : nil, in: connection)
            isNew = true
            sources = wires
        }
        let ids = wires.map(\.id) + [target.id]
        let subnets: [Int64] = try connection.query(
            "SELECT id FROM subnet WHERE wire_id = ANY ($1::bigint[]) ORDER BY id", ids
        ).map { try $0.get(0) }
        try SubnetTable.lock(subnets, in: connection)
        for subnet in subnets { try SubnetTable.settle(subnet, in: connection) }
        let target = target
        let read = try connection.query(
            """
            SELECT s.id, s.name, s.wire_id, s.cidr, s.vlan_id, s.gateway, s.confirmed, w.name, s.dns, s.dns_suffix
            FROM subnet s JOIN wire w ON w.id = s.wire_id WHERE s.id = ANY ($1::bigint[]) ORDER BY s.id
            """, subnets
        ).map { row in
            let ref = try SubnetTable.ref(row)
            return SubnetUnions.Member(
                ref: ref, wire: try row.get(7), isOnTarget: ref.wire == target.id, dns: try row.get(8),
                dnsSuffix: try row.get(9))
        }
        members = Dictionary(uniqueKeysWithValues: read.map { ($0.ref.id, $0) })
        unions = SubnetUnions(read)
        try SubnetTable.lockAddresses(unions.united, in: connection)
    }

    var involved: [Int64] { (sources.map(\.id) + [target.id]).sorted() }

    /// Every subnet that takes another in, or goes into one.
    package var united: [Int64] { unions.united }

    /// All that is to be in the journal, as it is now; of a target that this makes, nothing before.
    package func images(isBefore: Bool) throws -> JSON {
        try connection.query(Queries.wireImages, isBefore && isNew ? sources.map(\.id) : involved, united)[0].get(0)
    }

    /// The addresses that this can concern, for placement.
    package func touch() throws {
        let moving = members.values.filter { !$0.isOnTarget }.map(\.ref.id)
        try connection.execute(Queries.touchWires, sources.map(\.id), moving + unions.pairs.map(\.member))
    }

    /// - Throws: ``NetworkError`` with code `clash`, which lists every one.
    package func run() throws -> [WireStep] {
        let clashes = try unions.clashes + UnionClashes(unions.pairs, in: connection).all()
        guard clashes.isEmpty else {
            let names = Words.list(sources.map(\.name) + (isNew ? [] : [target.name]))
            throw NetworkError(
                .clash,
                Words.lines(
                    "wires \(names) cannot be merged, because of \(Words.count(clashes.count, "clash", "clashes"))",
                    clashes))
        }
        var steps: [WireStep] = []
        if isNew {
            let site = target.site.map { " for site \($0)" } ?? ""
            steps.append(.init(.create, "wire", target.name, "wire \(target.name) is created\(site)"))
        }
        steps += try moveLinks()
        for pair in unions.pairs { steps += try unite(pair) }
        for id in Set(unions.pairs.map(\.member)) {
            try connection.execute("DELETE FROM subnet WHERE id = $1::bigint", id)
        }
        steps += try moveSubnets()
        try inherit()
        for wire in sources {
            try connection.execute("DELETE FROM wire WHERE id = $1::bigint", wire.id)
            steps.append(.init(.remove, "wire", wire.name, "wire \(wire.name), now empty, goes"))
        }
        try WireTable.touch(target, in: connection)
        return steps
    }

    // MARK: Links

    /// Every link of the wires is a person's word from now on: what a merge said outlives a reading in which a switch is
    /// not there, and a switch that no address speaks for is not given a wire of its own again.
    private func moveLinks() throws -> [WireStep] {
        try connection.execute(
            "UPDATE link SET origin = 'person' WHERE wire_id = $1::bigint AND origin <> 'person'", target.id)
        let rows = try connection.query(
            """
            UPDATE link l SET wire_id = $2::bigint, origin = 'person'
            FROM account a, (SELECT account_id, switch_id, host_id, wire_id, origin FROM link) b
            WHERE a.id = l.account_id AND l.wire_id = ANY ($1::bigint[])
                AND (b.account_id, b.switch_id, b.host_id) = (l.account_id, l.switch_id, l.host_id)
            RETURNING a.name, l.account_id, l.switch_id, l.host_id, b.wire_id,
                b.origin = 'automatic' AND $3::text IS NOT NULL AND a.site IS DISTINCT FROM $3, a.site
            """, sources.map(\.id), target.id, target.site)
        var steps: [WireStep] = []
        for row in rows {
            let names = try connection.query(
                """
                SELECT coalesce((SELECT name FROM switch WHERE account_id = $1::bigint AND id = $2::text), $2),
                    (SELECT h.name FROM host h JOIN switch s ON s.account_id = $1 AND s.id = $2
                        WHERE h.account_id = $1 AND h.id = coalesce(nullif($3::text, ''), s.host_id))
                """, try row.get(1, as: Int64.self), try row.get(2, as: String.self), try row.get(3, as: String.self)
            ).one()
            let name: String = try names.get(0)
            let host = try names.get(1, as: String?.self).map { ", host \($0)" } ?? ""
            let account: String = try row.get(0)
            let from = sources.first { $0.id == (try? row.get(4, as: Int64.self)) }?.name ?? ""
            let title = "switch \(name) (\(account)\(host))"
            steps.append(.init(.move, "switch", name, "\(title) moves from wire \(from) to wire \(target.name)"))
            if try row.get(5) {
                let site = try row.get(6, as: String?.self).map { "of site \($0)" } ?? "without a site"
                steps.append(
                    .init(
                        .note, "switch", name,
                        "\(title) is held there by this alone, because an account \(site) is linked to no wire of "
                            + "site \(target.site ?? "") automatically"))
            }
        }
        return steps.sorted { ($0.name, $0.sentence) < ($1.name, $1.sentence) }
    }

    // MARK: Subnets

    private func unite(_ pair: SubnetUnions.Pair) throws -> [WireStep] {
        guard let member = members[pair.member], let survivor = members[pair.survivor] else { return [] }
        let moved = try SubnetUnion(member: member.ref, survivor: survivor.ref, in: connection).run()
        let what = moved.isEmpty ? "" : ": \(Words.list(moved)) go along"
        if member.ref.isConfirmed || member.ref.cidr == survivor.ref.cidr {
            return [
                .init(
                    .unite, "subnet", survivor.ref.name,
                    "subnet \(member.title) becomes one with subnet \(survivor.ref.name) of wire \(survivor.wire)\(what)"
                )
            ]
        }
        return [
            .init(
                .absorb, "subnet", survivor.ref.name,
                "subnet \(survivor.title) absorbs the unconfirmed subnet \(member.title)\(what)")
        ]
    }

    private func moveSubnets() throws -> [WireStep] {
        let gone = Set(unions.pairs.map(\.member))
        var steps: [WireStep] = []
        for member in members.values.sorted(by: {
            ($0.ref.vlan, $0.ref.cidr, $0.ref.id) < ($1.ref.vlan, $1.ref.cidr, $1.ref.id)
        })
        where !gone.contains(member.ref.id) {
            let ref = member.ref
            try connection.execute(
                """
                UPDATE subnet SET wire_id = $2::bigint, confirmed = true
                WHERE id = $1::bigint AND (wire_id <> $2 OR NOT confirmed)
                """, ref.id, target.id)
            if !member.isOnTarget {
                steps.append(
                    .init(
                        .move, "subnet", ref.name,
                        "subnet \(ref.title), VLAN \(ref.vlan), moves from wire \(member.wire) to wire \(target.name)"))
            }
            if !ref.isConfirmed {
                steps.append(
                    .init(.confirm, "subnet", ref.name, "subnet \(ref.title), VLAN \(ref.vlan), is confirmed by this"))
            }
        }
        return steps
    }

    /// What was weighed and said of the sources holds of the target.
    private func inherit() throws {
        let ids = sources.map(\.id)
        try connection.execute(
            """
            INSERT INTO link_support AS t (account_id, switch_id, host_id, wire_id, strong, weak, excluded)
            SELECT account_id, switch_id, host_id, $2::bigint, max(strong), max(weak), bool_or(excluded)
            FROM link_support WHERE wire_id = ANY ($1::bigint[]) GROUP BY account_id, switch_id, host_id
            ON CONFLICT (account_id, switch_id, host_id, wire_id) DO UPDATE SET
                strong = greatest(t.strong, EXCLUDED.strong), weak = greatest(t.weak, EXCLUDED.weak),
                excluded = t.excluded OR EXCLUDED.excluded
            """, ids, target.id)
        try connection.execute(
            """
            INSERT INTO wire_rejection (first_wire, second_wire, actor, at)
            SELECT DISTINCT ON (o.other) least(o.other, $2::bigint), greatest(o.other, $2), o.actor, o.at
            FROM (SELECT CASE WHEN first_wire = ANY ($1::bigint[]) THEN second_wire ELSE first_wire END AS other, actor, at
                  FROM wire_rejection WHERE first_wire = ANY ($1) OR second_wire = ANY ($1)) o
            WHERE o.other <> $2 AND NOT o.other = ANY ($1)
            ON CONFLICT DO NOTHING
            """, ids, target.id)
        try connection.execute(
            """
            DELETE FROM wire_rejection WHERE first_wire = ANY ($1::bigint[]) AND second_wire = ANY ($1)
            """, ids + [target.id])
    }
}
