internal import Addressing
internal import Postgres

/// Moves all that is in one subnet into another that has the same addresses, or some of them; the caller has seen to it
/// that nothing clashes, and removes the emptied one.
struct SubnetUnion {
    let member: SubnetRef
    let survivor: SubnetRef
    private let connection: Connection

    init(member: SubnetRef, survivor: SubnetRef, in connection: Connection) {
        self.member = member
        self.survivor = survivor
        self.connection = connection
    }

    /// - Returns: what moved, in words.
    func run() throws -> [String] {
        let pools = try takePools()
        let addresses = try moveAddresses()
        let reservations = try moveReservations()
        let added = try add(pools)
        if member.cidr == survivor.cidr, member.isConfirmed == survivor.isConfirmed { try inheritSettings() }
        try connection.execute(
            """
            UPDATE allocation_key SET subnet_id = $2::bigint, request = jsonb_set(request, '{subnet}', to_jsonb($2))
            WHERE subnet_id = $1::bigint
            """, member.id, survivor.id)
        return [
            addresses > 0 ? Words.count(addresses, "address", "addresses") : nil,
            added > 0 ? Words.count(added, "pool", "pools") : nil,
            reservations > 0 ? Words.count(reservations, "reservation", "reservations") : nil,
        ].compactMap { $0 }
    }

    /// The pools, which are no more: their rows that nobody has go with them.
    private func takePools() throws -> [PoolRequest] {
        let pools = try connection.query(
            "SELECT first, last, role, policy, quarantine FROM pool WHERE subnet_id = $1::bigint ORDER BY first",
            member.id
        ).compactMap { row -> PoolRequest? in
            guard let range = AddressRange(try row.get(0), try row.get(1)) else { return nil }
            return PoolRequest(
                range, role: try row.get(2), policy: try row.get(3), quarantine: try row.get(4))
        }
        try connection.execute("DELETE FROM address WHERE subnet_id = $1::bigint AND state = 'free'", member.id)
        try connection.execute("DELETE FROM pool WHERE subnet_id = $1::bigint", member.id)
        return pools
    }

    /// Of two rows of one address, the one that somebody has stays; of two quarantines, the longer.
    private func moveAddresses() throws -> Int {
        let both = """
            address m JOIN address s ON s.subnet_id = $2::bigint AND s.ip = m.ip
            WHERE m.subnet_id = $1::bigint
            """
        let loses = """
            CASE WHEN m.state = s.state THEN CASE m.state
                    WHEN 'held' THEN s.allocated_to IS NULL AND m.allocated_to IS NOT NULL ELSE s.until < m.until END
                ELSE s.state = 'free' OR m.state = 'held' END
            """
        try connection.execute(
            """
            WITH worse AS (SELECT CASE WHEN \(loses) THEN s.subnet_id ELSE m.subnet_id END AS subnet_id, m.ip FROM \(both))
            DELETE FROM address a USING worse w WHERE a.subnet_id = w.subnet_id AND a.ip = w.ip
            """, member.id, survivor.id)
        return try connection.execute(
            "UPDATE address SET subnet_id = $2::bigint WHERE subnet_id = $1::bigint AND ip <<= $3::cidr::inet",
            member.id, survivor.id, survivor.cidr)
    }

    private func moveReservations() throws -> Int {
        let rows = try connection.query(
            """
            SELECT id, first, last, expires_at FROM reservation
            WHERE subnet_id = $1::bigint AND first <<= $2::cidr::inet ORDER BY first
            """, member.id, survivor.cidr)
        for row in rows {
            guard let range = AddressRange(try row.get(1), try row.get(2)) else { continue }
            let same = try connection.execute(
                """
                UPDATE reservation s SET expires_at = CASE
                    WHEN s.expires_at IS NULL OR $4::timestamptz IS NULL THEN NULL ELSE greatest(s.expires_at, $4) END
                WHERE s.subnet_id = $1::bigint AND s.first = $2::inet AND s.last = $3::inet
                """, survivor.id, range.first, range.last, try row.get(3, as: Timestamp?.self))
            if same > 0 { continue }
            try PoolTable.take(range, of: survivor.id, in: connection)
            try connection.execute(
                "UPDATE reservation SET subnet_id = $2::bigint WHERE id = $1::bigint", try row.get(0, as: Int64.self),
                survivor.id)
        }
        return rows.count
    }

    /// Where pools overlap, the survivor's stays as it is.
    private func add(_ pools: [PoolRequest]) throws -> Int {
        var added = 0
        for pool in pools {
            var pieces = [pool.range]
            for own in try PoolTable.pools(of: survivor.id, in: connection) {
                pieces = pieces.flatMap { $0.subtracting(own.range) }
            }
            for piece in pieces {
                var request = pool
                request.range = piece
                try PoolTable.add(request, to: survivor.id, in: connection)
                added += 1
            }
        }
        return added
    }

    private func inheritSettings() throws {
        if survivor.gateway == nil, let gateway = member.gateway, let one = AddressRange(gateway, gateway) {
            try PoolTable.take(one, of: survivor.id, in: connection)
        }
        try connection.execute(
            """
            UPDATE subnet s SET gateway = coalesce(s.gateway, m.gateway),
                dns = CASE WHEN cardinality(s.dns) = 0 THEN m.dns ELSE s.dns END,
                dns_suffix = coalesce(s.dns_suffix, m.dns_suffix), description = coalesce(s.description, m.description)
            FROM subnet m WHERE s.id = $2::bigint AND m.id = $1::bigint AND (
                s.gateway IS NULL AND m.gateway IS NOT NULL OR cardinality(s.dns) = 0 AND cardinality(m.dns) > 0
                OR s.dns_suffix IS NULL AND m.dns_suffix IS NOT NULL
                OR s.description IS NULL AND m.description IS NOT NULL)
            """, member.id, survivor.id)
    }
}
