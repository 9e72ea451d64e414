package import Addressing
package import Postgres

/// What splitting, merging and moving subnets share.
///
/// Each takes everything along: pools, extents, reservations, addresses with their holders, keys, placements. Address rows
/// change their subnet by UPDATE, so that the history of each shows where it went. Whatever stands in the way is
/// listed as a whole before anything is written.
extension SubnetTable {
    /// The subnet of an id.
    ///
    /// - Throws: ``NetworkError`` with code `not_found`.
    package static func identified(_ id: Int64, in connection: Connection) throws -> SubnetRef {
        let rows = try connection.query(
            "SELECT id, name, wire_id, cidr, vlan_id, gateway, confirmed FROM subnet WHERE id = $1::bigint", id)
        guard let row = rows.first else { throw NetworkError(.notFound, "there is no subnet with the id \(id)") }
        return try ref(row)
    }

    /// The unconfirmed subnets that one of this prefix would take the place of.
    package static func unconfirmed(
        in cidr: CIDR, _ vlan: VLANID, wire: Int64, in connection: Connection
    ) throws -> [SubnetRef] {
        try connection.query(
            """
            SELECT id, name, wire_id, cidr, vlan_id, gateway, confirmed FROM subnet
            WHERE wire_id = $1::bigint AND vlan_id = $2::int AND cidr::inet && $3::cidr AND NOT confirmed ORDER BY id
            """, wire, vlan, cidr
        ).map(ref)
    }

    /// For the rest of the transaction, or until ``checkShapes(in:)``, subnets may overlap and share names.
    package static func deferShapes(in connection: Connection) throws {
        try connection.script("SET CONSTRAINTS subnet_disjoint, subnet_name_unique DEFERRED")
    }

    /// - Throws: ``NetworkError`` with code `overlap` or `duplicate`.
    package static func checkShapes(in connection: Connection) throws {
        do {
            try connection.script("SET CONSTRAINTS subnet_disjoint, subnet_name_unique IMMEDIATE")
        } catch let error as DatabaseError where error.constraint == "subnet_disjoint" {
            throw NetworkError(.overlap, "two subnets of one wire and VLAN would overlap")
        } catch let error as DatabaseError where error.constraint == "subnet_name_unique" {
            throw NetworkError(.duplicate, "two subnets would have one name")
        }
    }

    /// Locks subnets, their pools and then every address row of theirs, in the order that everybody keeps.
    static func lockWhole(_ subnets: [Int64], in connection: Connection) throws {
        try lock(subnets, in: connection)
        try lockAddresses(subnets, in: connection)
        for subnet in subnets { try settle(subnet, in: connection) }
    }

    /// Why these addresses cannot be network or broadcast addresses: somebody has them.
    static func holders(
        of addresses: [IPAddress], in subnet: SubnetRef, becoming what: String, in connection: Connection
    ) throws -> [String] {
        let held: [IPAddress] = try connection.query(
            """
            SELECT ip FROM address WHERE subnet_id = $1::bigint AND ip = ANY ($2::inet[]) AND state = 'held' ORDER BY ip
            """, subnet.id, addresses
        ).map { try $0.get(0) }
        return try held.map { address in
            let who = try AddressOwners.whoHas(address, in: subnet, connection) ?? "it is held"
            return "\(address) would be \(what): \(who)"
        }
    }

    /// Whoever has one of these names, but is none of these subnets.
    static func takenNames(_ names: [String], but ids: [Int64], in connection: Connection) throws -> [String] {
        try connection.query(
            "SELECT name FROM subnet WHERE name = ANY ($1::text[]) AND id <> ALL ($2::bigint[]) ORDER BY name", names,
            ids
        ).map { "there is a subnet \"\(try $0.get(0, as: String.self))\" already" }
    }

    /// - Throws: ``NetworkError`` with code `clash`, if anything is listed.
    static func refuse(_ what: String, _ obstacles: [String]) throws {
        guard !obstacles.isEmpty else { return }
        let shown = obstacles.prefix(20).joined(separator: "; ")
        let rest = obstacles.count > 20 ? "; and \(obstacles.count - 20) more" : ""
        throw NetworkError(.clash, "\(what): \(shown)\(rest)")
    }

    /// Lets the addresses of `source` between each first and last belong to the subnet beside, with all that depends on
    /// them. The pools are there already.
    static func carry(
        from source: Int64, to targets: [(id: Int64, range: AddressRange)], in connection: Connection
    ) throws {
        let ids = targets.map(\.id)
        let firsts = targets.map(\.range.first)
        let lasts = targets.map(\.range.last)
        for statement in [
            """
            UPDATE address a SET subnet_id = t.id FROM unnest($2::bigint[], $3::inet[], $4::inet[]) t (id, first, last)
            WHERE a.subnet_id = $1::bigint AND a.ip BETWEEN t.first AND t.last AND t.id <> $1
            """,
            """
            UPDATE reservation r SET subnet_id = t.id
            FROM unnest($2::bigint[], $3::inet[], $4::inet[]) t (id, first, last)
            WHERE r.subnet_id = $1::bigint AND r.first >= t.first AND r.last <= t.last AND t.id <> $1
            """,
            """
            UPDATE placement p SET subnet_id = t.id
            FROM unnest($2::bigint[], $3::inet[], $4::inet[]) t (id, first, last)
            WHERE p.subnet_id = $1::bigint AND p.ip BETWEEN t.first AND t.last AND t.id <> $1
            """,
            // A key's request names the subnet; asked again of the new one it has to be the same request.
            """
            UPDATE allocation_key k SET subnet_id = t.id, request = jsonb_set(k.request, '{subnet}', to_jsonb(t.id))
            FROM unnest($2::bigint[], $3::inet[], $4::inet[]) t (id, first, last)
            WHERE k.subnet_id = $1::bigint AND k.ips[1] BETWEEN t.first AND t.last AND t.id <> $1
            """,
        ] {
            try connection.execute(statement, source, ids, firsts, lasts)
        }
    }
}
