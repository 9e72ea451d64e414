package import Addressing
package import Postgres

/// Into what a subnet is to be split.
package struct SubnetSplit: Sendable {
    /// Longer than the subnet's.
    package var prefixLength: Int
    /// One a part, ascending; `nil`: the subnet's name with `-1`, `-2` and so on.
    package var names: [String]?
    /// Of the parts that contain them. The subnet's own stays with its part all the same.
    package var gateways: [IPAddress]

    package init(prefixLength: Int, names: [String]? = nil, gateways: [IPAddress] = []) {
        self.prefixLength = prefixLength
        self.names = names
        self.gateways = gateways
    }

    package static let mostParts = 256
}

extension SubnetTable {
    /// Makes a subnet into equal parts, all of a person's, the first of which keeps its id. A reservation or a pool across
    /// an edge becomes one in each part; an address that becomes a network or broadcast address leaves its pool.
    ///
    /// The caller holds the topology lock and places the adapters of the whole prefix again.
    ///
    /// - Returns: the parts' ids, ascending by address.
    /// - Throws: ``NetworkError`` with code `invalid`, or `clash` with everything that stands in the way.
    package static func split(_ subnet: SubnetRef, _ split: SubnetSplit, in connection: Connection) throws -> [Int64] {
        let (parts, names, gateways) = try plan(split, of: subnet)
        try lockWhole([subnet.id], in: connection)

        let inner = parts.flatMap(\.unusable).filter { subnet.cidr.usable.contains($0) }
        var obstacles = try takenNames(names, but: [subnet.id], in: connection)
        if let gateway = subnet.gateway, inner.contains(gateway),
            let part = parts.firstIndex(where: { $0.contains(gateway) }), gateways[part] == nil
        {
            obstacles.append(
                "the gateway \(gateway) would be the network or broadcast address of \(parts[part]); give that part "
                    + "another: --gateway")
        }
        obstacles += try holders(
            of: inner, in: subnet, becoming: "a network or broadcast address", in: connection)
        try refuse("subnet \(subnet.title) cannot be split into /\(split.prefixLength)", obstacles)

        try deferShapes(in: connection)
        let ids = try [subnet.id] + insert(parts, names, beside: subnet, in: connection)
        let targets = zip(ids, parts).map { (id: $0, range: $1.range) }
        try cutPools(
            of: subnet, into: zip(ids, parts).map { (id: $0, range: $1.usable) }, losing: inner, in: connection)
        try cutReservations(of: subnet, into: targets, in: connection)
        try carry(from: subnet.id, to: targets, in: connection)
        try connection.execute(
            """
            UPDATE subnet SET name = $2::text, cidr = $3::cidr, gateway = $4::inet, confirmed = true WHERE id = $1::bigint
            """, subnet.id, names[0], parts[0], kept(subnet.gateway, in: parts[0]))
        try checkShapes(in: connection)
        try connection.execute("UPDATE wire SET touched = true WHERE id = $1::bigint AND NOT touched", subnet.wire)
        for (part, gateway) in gateways {
            var edit = SubnetEdit()
            edit.gateway = .some(gateway)
            try update(identified(ids[part], in: connection), edit, in: connection)
        }
        return ids
    }

    /// - Returns: the parts, their names, and the gateways given, by the part's place.
    private static func plan(
        _ split: SubnetSplit, of subnet: SubnetRef
    ) throws -> (parts: [CIDR], names: [String], gateways: [Int: IPAddress]) {
        func refuse(_ why: String) -> NetworkError {
            NetworkError(.invalid, "subnet \(subnet.title) cannot be split into /\(split.prefixLength): \(why)")
        }
        let width = subnet.cidr.family.bitWidth
        guard split.prefixLength > subnet.cidr.prefixLength, split.prefixLength <= width else {
            throw refuse(
                subnet.cidr.prefixLength == width
                    ? "it is one address"
                    : "the length must be longer than its own: \(subnet.cidr.prefixLength + 1) to \(width)")
        }
        guard let parts = subnet.cidr.parts(ofLength: split.prefixLength, atMost: SubnetSplit.mostParts) else {
            throw refuse("that is more than \(SubnetSplit.mostParts) parts; split it in steps")
        }
        let names = split.names ?? parts.indices.map { "\(subnet.name)-\($0 + 1)" }
        guard names.count == parts.count else {
            throw refuse("it has \(parts.count) parts, and \(Words.count(names.count, "name is", "names are")) given")
        }
        var seen: Set<String> = []
        if let twice = names.first(where: { !seen.insert($0).inserted }) {
            throw refuse("the name \"\(twice)\" is given twice")
        }
        var gateways: [Int: IPAddress] = [:]
        for gateway in split.gateways {
            guard let part = parts.firstIndex(where: { $0.contains(gateway) }) else {
                throw refuse("the gateway \(gateway) is not in it")
            }
            guard parts[part].usable.contains(gateway) else {
                throw refuse("the gateway \(gateway) is the network or broadcast address of \(parts[part])")
            }
            guard gateways.updateValue(gateway, forKey: part) == nil else {
                throw refuse("two gateways are given for \(parts[part])")
            }
        }
        return (parts, names, gateways)
    }

    private static func kept(_ gateway: IPAddress?, in part: CIDR) -> IPAddress? {
        gateway.flatMap { part.usable.contains($0) ? $0 : nil }
    }

    /// The parts but the first, beside the whole.
    private static func insert(
        _ parts: [CIDR], _ names: [String], beside subnet: SubnetRef, in connection: Connection
    ) throws -> [Int64] {
        try zip(parts, names).dropFirst().map { part, name in
            try connection.query(
                """
                INSERT INTO subnet (name, wire_id, cidr, vlan_id, gateway, dns, dns_suffix, description, confirmed)
                SELECT $2::text, wire_id, $3::cidr, vlan_id, $4::inet, dns, dns_suffix, description, true
                FROM subnet WHERE id = $1::bigint RETURNING id
                """, subnet.id, name, part, kept(subnet.gateway, in: part)
            )[0].get(0)
        }
    }

    private static func cutPools(
        of subnet: SubnetRef, into parts: [(id: Int64, range: AddressRange)], losing edges: [IPAddress],
        in connection: Connection
    ) throws {
        let extents = try connection.query(
            """
            DELETE FROM extent e USING pool p WHERE p.id = e.pool_id AND p.subnet_id = $1::bigint
            RETURNING e.pool_id, e.first, e.last
            """, subnet.id
        ).map { row in (pool: try row.get(0, as: Int64.self), range: AddressRange(try row.get(1), try row.get(2))) }
        try connection.execute(
            "DELETE FROM address WHERE subnet_id = $1::bigint AND ip = ANY ($2::inet[]) AND state = 'free'",
            subnet.id, edges)
        var cut: (pools: [Int64], firsts: [IPAddress], lasts: [IPAddress]) = ([], [], [])
        for pool in try PoolTable.pools(of: subnet.id, in: connection) {
            let pieces = parts.compactMap { part in pool.range.intersection(part.range).map { (part.id, $0) } }
            for (place, (part, piece)) in pieces.enumerated() {
                let id =
                    try place == 0
                    ? PoolTable.move(pool.id, to: part, piece, in: connection)
                    : PoolTable.copy(pool.id, to: part, piece, in: connection)
                for extent in extents where extent.pool == pool.id {
                    guard let left = extent.range?.intersection(piece) else { continue }
                    cut.pools.append(id)
                    cut.firsts.append(left.first)
                    cut.lasts.append(left.last)
                }
            }
            if pieces.isEmpty { try connection.execute("DELETE FROM pool WHERE id = $1::bigint", pool.id) }
        }
        try connection.execute(
            "INSERT INTO extent (pool_id, first, last) SELECT * FROM unnest($1::bigint[], $2::inet[], $3::inet[])",
            cut.pools, cut.firsts, cut.lasts)
        // A quarantined one at an edge is in no pool any more, and loses its row with its quarantine.
        try connection.execute(
            """
            UPDATE address SET pool_id = NULL
            WHERE subnet_id = $1::bigint AND ip = ANY ($2::inet[]) AND pool_id IS NOT NULL
            """, subnet.id, edges)
    }

    private static func cutReservations(
        of subnet: SubnetRef, into parts: [(id: Int64, range: AddressRange)], in connection: Connection
    ) throws {
        let rows = try connection.query(
            "SELECT id, first, last FROM reservation WHERE subnet_id = $1::bigint ORDER BY first", subnet.id)
        for row in rows {
            let id: Int64 = try row.get(0)
            guard let range = AddressRange(try row.get(1), try row.get(2)) else { continue }
            let pieces = parts.compactMap { part in range.intersection(part.range).map { (part.id, $0) } }
            guard pieces.count > 1 else { continue }
            for (place, (part, piece)) in pieces.enumerated() {
                try connection.execute(
                    place == 0
                        ? """
                        UPDATE reservation SET subnet_id = $2::bigint, first = $3::inet, last = $4::inet
                        WHERE id = $1::bigint
                        """
                        : """
                        INSERT INTO reservation (subnet_id, first, last, owner, note, expires_at, created_at)
                        SELECT $2::bigint, $3::inet, $4::inet, owner, note, expires_at, created_at
                        FROM reservation WHERE id = $1::bigint
                        """, id, part, piece.first, piece.last)
            }
        }
    }
}

extension PoolTable {
    /// Makes a pool this range of this subnet; its extents and rows are the caller's concern.
    static func move(
        _ pool: Int64, to subnet: Int64, _ range: AddressRange, in connection: Connection
    ) throws -> Int64 {
        try connection.execute(
            """
            UPDATE pool SET subnet_id = $2::bigint, first = $3::inet, last = $4::inet, size = $5::numeric
            WHERE id = $1::bigint
            """, pool, subnet, range.first, range.last, String(range.count))
        return pool
    }

    /// Another pool like this one.
    static func copy(
        _ pool: Int64, to subnet: Int64, _ range: AddressRange, in connection: Connection
    ) throws -> Int64 {
        try connection.query(
            """
            INSERT INTO pool (subnet_id, first, last, size, role, policy, quarantine)
            SELECT $2::bigint, $3::inet, $4::inet, $5::numeric, role, policy, quarantine
            FROM pool WHERE id = $1::bigint RETURNING id
            """, pool, subnet, range.first, range.last, String(range.count)
        )[0].get(0)
    }
}
