internal import Addressing
package import Postgres
internal import SQL

/// Gives addresses away, each once, to any number of callers in any number of processes (DESIGN.md 3.5 and 6).
///
/// The common way is one statement that locks free rows of a pool with SKIP LOCKED and takes them; it waits for nobody.
/// Where it finds too few, the pool is extended at its frontier, in a transaction of its own. Where that does not help,
/// free rows may only be locked by others: then, one caller of a subnet at a time, each candidate is waited for, until a
/// snapshot shows that too few are left, locked or not. Only then the subnet is exhausted.
package struct Allocator: Sendable {
    let database: Database
    let actor: Actor

    /// How long a caller waits for others in a subnet that is nearly full.
    private static let patience = Duration.seconds(10)

    package init(database: Database, actor: Actor) {
        self.database = database
        self.actor = actor
    }

    /// - Throws: ``NetworkError`` with code `invalid`, `not_found`, `exhausted`, `held`, `key` or `busy`.
    package func allocate(_ request: AllocationRequest) throws -> Allocation {
        try request.validate()
        if request.key != nil || request.address != nil {
            return try database.transaction { connection in try allocate(request, in: connection) }
        }
        return try database.withConnection { connection in
            let subnet = try SubnetTable.named(request.subnet, in: connection)
            let pools = try self.pools(of: subnet, in: connection)
            if let addresses = try quickly(request, pools, key: nil, in: connection) {
                return Allocation(subnet: subnet, addresses: addresses)
            }
            return try connection.transaction {
                Allocation(subnet: subnet, addresses: try carefully(request, subnet, key: nil, in: connection))
            }
        }
    }

    /// Within the caller's transaction, which should be short.
    package func allocate(_ request: AllocationRequest, in connection: Connection) throws -> Allocation {
        try request.validate()
        try actor.declare(in: connection)
        let subnet = try SubnetTable.named(request.subnet, in: connection)
        var key: Int64?
        if let text = request.key {
            switch try AllocationKeys.open(text, for: request, by: actor.name, subnet, in: connection) {
            case .answered(let addresses): return Allocation(subnet: subnet, addresses: addresses)
            case .new(let id): key = id
            }
        }
        let addresses: [IPAddress]
        if let address = request.address {
            addresses = [try take(address, for: request, subnet, key: key, in: connection)]
        } else {
            let pools = try self.pools(of: subnet, in: connection)
            addresses =
                try quickly(request, pools, key: key, in: connection)
                ?? carefully(request, subnet, key: key, in: connection)
        }
        if let key { try AllocationKeys.answer(key, addresses, in: connection) }
        return Allocation(subnet: subnet, addresses: addresses)
    }

    private func pools(of subnet: SubnetRef, in connection: Connection) throws -> [Pool] {
        let pools = try PoolTable.pools(of: subnet.id, in: connection).filter { $0.role == .guest }
        guard !pools.isEmpty else {
            throw NetworkError(
                .exhausted,
                "subnet \(subnet.title) has no pool to allocate from; add one: wireloom subnet pool add "
                    + "\(subnet.name) FIRST-LAST")
        }
        return pools
    }

    // MARK: Without waiting

    /// `nil` where too few were found that nobody holds locked, or only in several pools together.
    private func quickly(
        _ request: AllocationRequest, _ pools: [Pool], key: Int64?, in connection: Connection
    ) throws -> [IPAddress]? {
        for pool in request.policy == .stepDown ? pools.reversed() : pools {
            let policy = request.policy ?? pool.policy
            if policy == .random, request.count == 1,
                let address = try guess(request, pool, key: key, in: connection)
            {
                return [address]
            }
            for _ in 0..<3 {
                if let addresses = try pick(request, pool, downwards: policy == .stepDown, key: key, in: connection) {
                    return addresses
                }
                guard try extend(pool, by: request.count, downwards: policy == .stepDown, in: connection) else { break }
            }
        }
        return nil
    }

    private func pick(
        _ request: AllocationRequest, _ pool: Pool, downwards: Bool, key: Int64?, in connection: Connection
    ) throws -> [IPAddress]? {
        let statement =
            request.count == 1
            ? (downwards ? Self.oneDown : Self.oneUp) : (downwards ? Queries.allocateDown : Queries.allocateUp)
        let rows = try connection.query(
            statement, pool.id, request.count, request.owner, request.expires, key, actor.name, actor.origin)
        guard let first = rows.first else { return nil }
        // A few on the way, so that no allocation pays for many.
        if try first.get(1, as: Bool.self) { try connection.execute(Queries.endQuarantines, pool.subnet, 8) }
        return try rows.map { try $0.get(0, as: IPAddress.self) }.sorted()
    }

    // With the number written out the planner knows that it is one row, and joins it by the key.
    private static let oneUp = Queries.allocateUp.replacing("LIMIT $2::int", with: "LIMIT 1")
    private static let oneDown = Queries.allocateDown.replacing("LIMIT $2::int", with: "LIMIT 1")

    /// How many rows a frontier moves at once: enough that few callers meet there.
    private static let stride = 256
    /// As many callers may hold a free row locked without reason to extend.
    private static let slack = 64

    /// - Returns: `false` where the pool has no frontier left.
    private func extend(_ pool: Pool, by count: Int, downwards: Bool, in connection: Connection) throws -> Bool {
        try connection.transaction {
            try SubnetTable.share(pool.subnet, in: connection)
            _ = try connection.query("SELECT FROM pool WHERE id = $1::bigint FOR NO KEY UPDATE", pool.id)
            let row = try connection.query(
                """
                SELECT EXISTS (SELECT FROM extent WHERE pool_id = $1::bigint), count(*) >= $2::int FROM (
                    SELECT FROM address a WHERE a.pool_id = $1 AND a.state = 'free' AND CASE WHEN $3::boolean
                        THEN a.ip > (SELECT max(e.last) FROM extent e WHERE e.pool_id = $1)
                        ELSE a.ip < (SELECT min(e.first) FROM extent e WHERE e.pool_id = $1) END
                    LIMIT $2) free
                """, pool.id, count + Self.slack, downwards)[0]
            guard try row.get(0) else { return false }
            // Another caller was here first.
            if try row.get(1) { return true }
            try connection.execute(Queries.extendPool, pool.id, max(Self.stride, count), downwards)
            return true
        }
    }

    /// Some addresses at random, whether or not they have a row; `nil` where each is somebody's.
    private func guess(_ request: AllocationRequest, _ pool: Pool, key: Int64?, in connection: Connection) throws
        -> IPAddress?
    {
        try connection.transaction {
            try actor.declare(in: connection)
            try SubnetTable.share(pool.subnet, in: connection)
            // The pool may have shrunk while its subnet was waited for.
            guard
                let pool = try PoolTable.pools(of: pool.subnet, in: connection).first(where: { $0.id == pool.id })
            else { return nil }
            for _ in 0..<8 {
                let offset = UInt128.random(in: 0..<pool.range.count)
                guard let address = pool.range.first.advanced(by: offset) else { continue }
                if try one(address, for: request, pool.subnet, key: key, named: false, in: connection) {
                    return address
                }
            }
            return nil
        }
    }

    private func one(
        _ address: IPAddress, for request: AllocationRequest, _ subnet: Int64, key: Int64?, named: Bool,
        in connection: Connection
    ) throws -> Bool {
        try !connection.query(
            Queries.allocateOne, subnet, address, request.owner, request.expires, key, named
        ).isEmpty
    }

    // MARK: By name

    private func take(
        _ address: IPAddress, for request: AllocationRequest, _ subnet: SubnetRef, key: Int64?,
        in connection: Connection
    ) throws -> IPAddress {
        func refuse(_ code: NetworkError.Code, _ why: String) -> NetworkError {
            NetworkError(code, "\(address) cannot be allocated from subnet \(subnet.title): \(why)")
        }
        guard subnet.cidr.contains(address) else { throw refuse(.invalid, "it is not in it") }
        guard subnet.cidr.usable.contains(address) else {
            throw refuse(.invalid, "it is its network or broadcast address")
        }
        try SubnetTable.share(subnet.id, in: connection)
        guard try PoolTable.pools(of: subnet.id, in: connection).contains(where: { $0.range.contains(address) }) else {
            throw refuse(
                .held,
                "it is in no pool; add one: wireloom subnet pool add \(subnet.name) \(address), or reserve it: "
                    + "wireloom subnet reserve \(subnet.name) \(address) --owner OWNER")
        }
        if try one(address, for: request, subnet.id, key: key, named: true, in: connection) { return address }
        let why = try AddressOwners.whoHas(address, in: subnet, connection) ?? "somebody else was just given it"
        throw refuse(.held, why)
    }

    // MARK: The last ones

    private func carefully(
        _ request: AllocationRequest, _ subnet: SubnetRef, key: Int64?, in connection: Connection
    ) throws -> [IPAddress] {
        try actor.declare(in: connection)
        let end = ContinuousClock.now + Self.patience
        _ = try connection.query(
            "SELECT set_config('lock_timeout', $1::text, true)", "\(Self.patience.components.seconds)s")
        do {
            // First, because it locks the subnet.
            try ReservationTable.endExpired(of: subnet.id, in: connection)
            try AdvisoryLock.scarcity(subnet: subnet.id).take(in: connection)
            while ContinuousClock.now < end {
                try connection.execute(Queries.endAllocations, subnet.id)
                try connection.execute(Queries.endQuarantines, subnet.id, SubnetTable.endedAtOnce)
                let pools = try self.pools(of: subnet, in: connection)
                for pool in pools {
                    while try freeRows(pools, in: connection) < request.count + Self.slack,
                        try extendForSure(pool, by: request.count, in: connection)
                    {}
                }
                if let addresses = try lockAndTake(request, subnet, pools, key: key, in: connection) {
                    return addresses
                }
                let usage = try SubnetUsage.read(subnet.id, in: connection)
                // What is free in this snapshot is free, or about to be somebody's: only too few of both is the end.
                if usage.obtainable < UInt128(request.count) { throw exhausted(request, subnet, usage) }
            }
        } catch let error as DatabaseError where error.code == .timeout {
            throw busy(subnet)
        }
        throw busy(subnet)
    }

    private func freeRows(_ pools: [Pool], in connection: Connection) throws -> Int {
        try connection.query(
            "SELECT count(*) FROM address WHERE pool_id = ANY ($1::bigint[]) AND state = 'free'", pools.map(\.id)
        )[0].get(0)
    }

    /// - Returns: `false` where the pool has no frontier left.
    private func extendForSure(_ pool: Pool, by count: Int, in connection: Connection) throws -> Bool {
        try SubnetTable.share(pool.subnet, in: connection)
        _ = try connection.query("SELECT FROM pool WHERE id = $1::bigint FOR NO KEY UPDATE", pool.id)
        guard try !connection.query("SELECT FROM extent WHERE pool_id = $1::bigint LIMIT 1", pool.id).isEmpty else {
            return false
        }
        try connection.execute(Queries.extendPool, pool.id, max(Self.stride, count), pool.policy == .stepDown)
        return true
    }

    /// Rolled back to where it began if too few are left after waiting, so that nothing is held while the others go on.
    private func lockAndTake(
        _ request: AllocationRequest, _ subnet: SubnetRef, _ pools: [Pool], key: Int64?, in connection: Connection
    ) throws -> [IPAddress]? {
        struct TooFew: Error {}
        do {
            return try connection.transaction {
                let free: [IPAddress] = try connection.query(
                    Queries.lockFree, pools.map(\.id), request.count
                ).map { try $0.get(0) }
                guard free.count == request.count else { throw TooFew() }
                return try connection.query(
                    Queries.allocateThese, subnet.id, free, request.owner, request.expires, key
                ).map { try $0.get(0, as: IPAddress.self) }.sorted()
            }
        } catch is TooFew {
            return nil
        }
    }

    private func exhausted(_ request: AllocationRequest, _ subnet: SubnetRef, _ usage: SubnetUsage) -> NetworkError {
        NetworkError(
            .exhausted,
            "subnet \(subnet.title) has \(usage.obtainable) free of the \(request.count) asked for: of \(usage.total) "
                + "usable addresses \(usage.held) are held, \(usage.reserved) reserved, \(usage.quarantined) quarantined, "
                + "and \(usage.outside) in no pool")
    }

    private func busy(_ subnet: SubnetRef) -> NetworkError {
        NetworkError(
            .busy,
            "others took addresses of subnet \(subnet.title) for as long as \(Self.patience) were waited; try again")
    }
}
