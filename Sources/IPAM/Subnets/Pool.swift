package import Addressing
package import Postgres
internal import SQL

/// In which order addresses of a pool are given.
package enum AllocationPolicy: String, Sendable, CaseIterable, PostgresRawRepresentable {
    case stepUp = "step-up"
    case stepDown = "step-down"
    case random
}

/// What a person says of a pool.
package struct PoolRequest: Sendable, Hashable {
    package enum Role: String, Sendable, CaseIterable, PostgresRawRepresentable {
        case guest
        case host
    }

    package var range: AddressRange
    package var role: Role
    package var policy: AllocationPolicy
    /// How long an address that was let go of is given to nobody. Default: one hour.
    package var quarantine: Duration

    package init(
        _ range: AddressRange, role: Role = .guest, policy: AllocationPolicy = .stepUp,
        quarantine: Duration = .seconds(3600)
    ) {
        self.range = range
        self.role = role
        self.policy = policy
        self.quarantine = quarantine
    }
}

/// A pool as it is.
package struct Pool: Sendable, Hashable {
    package let id: Int64
    package let subnet: Int64
    package let range: AddressRange
    package let role: PoolRequest.Role
    package let policy: AllocationPolicy
}

/// The tables `pool` and `extent`.
///
/// Every change here keeps invariant I10: an address of a pool that may be allocated is in an extent or has a row. The
/// caller holds the subnet's row FOR UPDATE, so that nothing is allocated or placed by inserting meanwhile.
package enum PoolTable {
    package static func pools(of subnet: Int64, in connection: Connection) throws -> [Pool] {
        try connection.query(
            "SELECT id, subnet_id, first, last, role, policy FROM pool WHERE subnet_id = $1::bigint ORDER BY first",
            subnet
        ).map(pool)
    }

    static func pool(_ row: Row) throws -> Pool {
        let first: IPAddress = try row.get(2)
        let last: IPAddress = try row.get(3)
        guard let range = AddressRange(first, last) else {
            throw DatabaseError(.bug, "a pool of the database runs from \(first) to \(last)")
        }
        return Pool(
            id: try row.get(0), subnet: try row.get(1), range: range, role: try row.get(4), policy: try row.get(5))
    }

    /// - Throws: ``NetworkError`` with code `invalid`.
    package static func check(_ range: AddressRange, in subnet: SubnetRef) throws {
        try check(range, in: subnet.cidr, named: subnet.name)
    }

    static func check(_ range: AddressRange, in cidr: CIDR, named name: String) throws {
        guard cidr.contains(range.first), cidr.contains(range.last) else {
            throw NetworkError(.invalid, "subnet \(name): the pool \(range) is not inside \(cidr)")
        }
        guard cidr.usable.contains(range) else {
            throw NetworkError(
                .invalid,
                "subnet \(name): the pool \(range) has the network or broadcast address of \(cidr); usable are "
                    + "\(cidr.usable)")
        }
    }

    /// Adds a pool; what is already known of its addresses stays.
    ///
    /// - Throws: ``NetworkError`` with code `overlap`.
    @discardableResult
    package static func add(_ request: PoolRequest, to subnet: Int64, in connection: Connection) throws -> Int64 {
        do {
            let id: Int64 = try connection.query(
                """
                INSERT INTO pool (subnet_id, first, last, size, role, policy, quarantine)
                VALUES ($1::bigint, $2::inet, $3::inet, $4::numeric, $5::text, $6::text, $7::interval) RETURNING id
                """, subnet, request.range.first, request.range.last, String(request.range.count), request.role,
                request.policy, request.quarantine
            )[0].get(0)
            try relocate(request.range, of: subnet, in: connection)
            try giveBack(request.range, of: subnet, in: connection)
            return id
        } catch let error as DatabaseError where error.constraint == "pool_disjoint" {
            throw NetworkError(.overlap, "the pool \(request.range) overlaps another pool of its subnet")
        }
    }

    /// Changes how the pool of this very range is used.
    package static func update(_ request: PoolRequest, of subnet: Int64, in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE pool SET role = $4::text, policy = $5::text, quarantine = $6::interval
            WHERE subnet_id = $1::bigint AND first = $2::inet AND last = $3::inet
            """, subnet, request.range.first, request.range.last, request.role, request.policy, request.quarantine)
    }

    /// Takes a range out of every pool: pools inside it go, others shrink, one around it becomes two. Held addresses
    /// stay held, outside of every pool.
    package static func remove(_ range: AddressRange, of subnet: Int64, in connection: Connection) throws {
        try take(range, of: subnet, in: connection)
        for pool in try pools(of: subnet, in: connection) where pool.range.overlaps(range) {
            let pieces = pool.range.subtracting(range)
            if let first = pieces.first {
                try connection.execute(
                    "UPDATE pool SET first = $2::inet, last = $3::inet, size = $4::numeric WHERE id = $1::bigint",
                    pool.id, first.first, first.last, String(first.count))
            }
            for piece in pieces.dropFirst() {
                let id: Int64 = try connection.query(
                    """
                    INSERT INTO pool (subnet_id, first, last, size, role, policy, quarantine)
                    SELECT subnet_id, $2::inet, $3::inet, $4::numeric, role, policy, quarantine
                    FROM pool WHERE id = $1::bigint RETURNING id
                    """, pool.id, piece.first, piece.last, String(piece.count)
                )[0].get(0)
                try connection.execute(
                    "UPDATE extent SET pool_id = $2::bigint WHERE pool_id = $1::bigint AND first BETWEEN $3::inet AND $4::inet",
                    pool.id, id, piece.first, piece.last)
            }
            if pieces.isEmpty { try connection.execute("DELETE FROM pool WHERE id = $1::bigint", pool.id) }
            try relocate(pool.range, of: subnet, in: connection)
        }
    }

    /// Makes the addresses of a range allocatable again, as far as they are in a pool: in extents, or free.
    package static func giveBack(_ range: AddressRange, of subnet: Int64, in connection: Connection) throws {
        for pool in try pools(of: subnet, in: connection) {
            guard let within = pool.range.intersection(range) else { continue }
            // What is in an extent is there, and what has a free row has been materialised: neither is given twice.
            let blocked = try connection.query(
                """
                SELECT first, last FROM reservation
                WHERE subnet_id = $1::bigint AND inetrange(first, last, '[]') && inetrange($3::inet, $4::inet, '[]')
                UNION ALL SELECT gateway, gateway FROM subnet WHERE id = $1 AND gateway BETWEEN $3 AND $4
                UNION ALL SELECT first, last FROM extent
                WHERE pool_id = $2::bigint AND inetrange(first, last, '[]') && inetrange($3, $4, '[]')
                """, subnet, pool.id, within.first, within.last
            ).map { row -> AddressRange? in AddressRange(try row.get(0), try row.get(1)) }.compactMap { $0 }
            try connection.execute(
                """
                DELETE FROM address WHERE subnet_id = $1::bigint AND state = 'free'
                    AND ip BETWEEN $2::inet AND $3::inet
                """, subnet, within.first, within.last)
            for piece in blocked.reduce([within], { pieces, block in pieces.flatMap { $0.subtracting(block) } }) {
                try open(piece, of: pool, in: connection)
            }
        }
    }

    /// Makes a range that is in no extent one, together with those that end or begin beside it.
    private static func open(_ range: AddressRange, of pool: Pool, in connection: Connection) throws {
        let beside = try connection.query(
            """
            DELETE FROM extent
            WHERE pool_id = $1::bigint AND inetrange(first, last, '[]') && inetrange($2::inet, $3::inet, '[]')
            RETURNING first, last
            """, pool.id, range.first.predecessor ?? range.first, range.last.advanced(by: 1) ?? range.last)
        let ends =
            try beside.flatMap { [try $0.get(0, as: IPAddress.self), try $0.get(1)] } + [range.first, range.last]
        try connection.execute(
            "INSERT INTO extent (pool_id, first, last) VALUES ($1::bigint, $2::inet, $3::inet)", pool.id,
            ends.min(), ends.max())
    }

    /// Makes the addresses of a range no longer allocatable: cuts them out of the extents and drops their free rows.
    package static func take(_ range: AddressRange, of subnet: Int64, in connection: Connection) throws {
        let rows = try connection.query(
            """
            DELETE FROM extent e USING pool p
            WHERE p.id = e.pool_id AND p.subnet_id = $1::bigint
                AND inetrange(e.first, e.last, '[]') && inetrange($2::inet, $3::inet, '[]')
            RETURNING e.pool_id, e.first, e.last
            """, subnet, range.first, range.last)
        for row in rows {
            let pool: Int64 = try row.get(0)
            guard let extent = AddressRange(try row.get(1), try row.get(2)) else { continue }
            for piece in extent.subtracting(range) {
                try connection.execute(
                    "INSERT INTO extent (pool_id, first, last) VALUES ($1::bigint, $2::inet, $3::inet)", pool,
                    piece.first, piece.last)
            }
        }
        try connection.execute(
            "DELETE FROM address WHERE subnet_id = $1::bigint AND state = 'free' AND ip BETWEEN $2::inet AND $3::inet",
            subnet, range.first, range.last)
    }

    /// Lets the rows of a range find the pool they are in now.
    private static func relocate(_ range: AddressRange, of subnet: Int64, in connection: Connection) throws {
        try connection.execute(
            "UPDATE address SET pool_id = NULL WHERE subnet_id = $1::bigint AND ip BETWEEN $2::inet AND $3::inet",
            subnet, range.first, range.last)
    }
}
