internal import Addressing
package import Postgres
internal import SQL

/// Gives addresses away, each once, to any number of callers in any number of processes (DESIGN.md 3.5 and 6).
///
/// The common way is one statement that locks free rows of a pool with SKIP LOCKED and takes them; it waits for nobody.
/// Threads that share an allocator and ask a subnet for single addresses at the same time share one such statement. Where it finds too few, the pool is extended at its frontier, in a transaction of its own. Where that does not help,
/// free rows may only be locked by others: then, one caller of a subnet at a time, each candidate is waited for, until a
/// snapshot shows that too few are left, locked or not. Only then the subnet is exhausted.
///
/// A key and its answer are one transaction. It holds nothing while it waits but that: whatever else has to be done
/// first (extending, ending what is over) is done in transactions before it, never within.
package struct Allocator: Sendable {
    let database: Database
    let actor: Actor
    let together: Together
    let trails: Trails

    package init(database: Database, actor: Actor) {
        self.init(database: database, actor: actor, together: Together(most: Self.mostTogether), trails: Trails())
    }

    private init(database: Database, actor: Actor, together: Together, trails: Trails) {
        self.database = database
        self.actor = actor
        self.together = together
        self.trails = trails
    }

    /// The same, for another one.
    package func signed(_ actor: Actor) -> Allocator {
        Allocator(database: database, actor: actor, together: together, trails: trails)
    }

    /// - Throws: ``NetworkError`` with code `invalid`, `not_found`, `exhausted`, `held`, `key` or `busy`.
    package func allocate(_ request: AllocationRequest) throws -> Allocation {
        try request.validate()
        if let key = request.key, let answer = try answered(key, request) { return answer }
        if let address = request.address { return try take(address, for: request) }
        if request.count == 1, request.key == nil, let given = try askTogether(request) { return given }
        return try quickly(request) ?? carefully(request)
    }

    private func answered(_ key: String, _ request: AllocationRequest) throws -> Allocation? {
        try database.withConnection { connection in
            let subnet = try SubnetTable.named(request.subnet, in: connection)
            // So that it is known when it ended, and forgotten in time.
            if try AllocationKeys.isOver(key, by: actor.name, in: connection) {
                try SubnetTable.settle(subnet.id, in: connection)
            }
            return try AllocationKeys.find(key, for: request, by: actor.name, subnet, in: connection).map {
                try describe($0, foundIn: subnet.id, subnet, in: connection)
            }
        }
    }

    /// What is told of addresses that were given: the subnet may have been split or merged since it was read, or since.
    func describe(
        _ addresses: [IPAddress], foundIn id: Int64, _ subnet: SubnetRef, in connection: Connection
    ) throws -> Allocation {
        if id == subnet.id, addresses.allSatisfy(subnet.cidr.contains) {
            return Allocation(subnet: subnet, addresses: addresses)
        }
        let homes = try SubnetTable.containing(addresses, near: subnet, in: connection)
        return Allocation(subnet: addresses.first.flatMap { homes[$0] } ?? subnet, addresses: addresses)
    }

    /// The pools for guests.
    func pools(of subnet: SubnetRef, in connection: Connection) throws -> [Pool] {
        try SubnetTable.guestPools(of: subnet, connection)
    }

    // MARK: One try

    /// What an allocation is written with.
    struct Ticket {
        let key: Int64?
        let until: Timestamp?
    }

    /// What a try found.
    struct Found {
        /// Where the addresses are: not where they were looked for, if that was split meanwhile.
        let subnet: Int64
        let addresses: [IPAddress]
        /// Whether quarantines of the pool are over.
        var hasDue = false
    }

    /// Looks for addresses once; with a key, in a transaction together with its answer, of which nothing is left where
    /// nothing was found.
    func attempt(
        _ request: AllocationRequest, _ subnet: SubnetRef, in connection: Connection, _ look: (Ticket) throws -> Found?
    ) throws -> Allocation? {
        struct Nothing: Error {}
        let found: Found
        if let key = request.key {
            do {
                let answer: Found? = try connection.transaction {
                    try actor.declare(in: connection)
                    switch try AllocationKeys.open(key, for: request, by: actor.name, subnet, in: connection) {
                    case .answered(let addresses): return Found(subnet: subnet.id, addresses: addresses)
                    case .new(let id):
                        let until = try request.expires?.moment(in: connection)
                        guard let found = try look(Ticket(key: id, until: until)) else { throw Nothing() }
                        try AllocationKeys.answer(id, found.addresses, of: found.subnet, in: connection)
                        return found
                    }
                }
                guard let answer else { return nil }
                found = answer
            } catch is Nothing {
                return nil
            }
        } else {
            let until = try request.expires?.moment(in: connection)
            guard let some = try look(Ticket(key: nil, until: until)) else { return nil }
            found = some
        }
        if found.hasDue { endSomeQuarantines(of: found.subnet, atMost: 8, in: connection) }
        return try describe(found.addresses, foundIn: found.subnet, subnet, in: connection)
    }

    /// A few on the way, so that no allocation pays for many. If that goes wrong, the addresses are given all the same, and
    /// the next one ends them.
    func endSomeQuarantines(of subnet: Int64, atMost limit: Int, in connection: Connection) {
        guard !connection.isInTransaction else { return }
        try? SubnetTable.endQuarantines(of: subnet, atMost: limit, in: connection)
    }

    // MARK: Without waiting

    /// `nil` where too few were found that nobody holds locked, or only in several pools together.
    private func quickly(_ request: AllocationRequest) throws -> Allocation? {
        do {
            return try database.withConnection { connection in
                let subnet = try SubnetTable.named(request.subnet, in: connection)
                let pools = try self.pools(of: subnet, in: connection)
                for pool in request.policy == .stepDown ? pools.reversed() : pools {
                    let policy = request.policy ?? pool.policy
                    if policy == .random, request.count <= Self.mostGuessed,
                        let given = try attempt(
                            request, subnet, in: connection, { try guess(request, pool, $0, in: connection) })
                    {
                        return given
                    }
                    for _ in 0..<3 {
                        let given = try attempt(request, subnet, in: connection) {
                            try pick(request, pool, downwards: policy == .stepDown, $0, in: connection)
                        }
                        if let given { return given }
                        guard try extend(pool, by: request.count, downwards: policy == .stepDown, in: connection) else {
                            break
                        }
                    }
                }
                return nil
            }
        } catch let error as DatabaseError where error.code == .retryable {
            return nil
        }
    }

    private func pick(
        _ request: AllocationRequest, _ pool: Pool, downwards: Bool, _ ticket: Ticket, in connection: Connection
    ) throws -> Found? {
        let statement =
            request.count <= Self.mostTogether
            ? (downwards ? Self.fewDown : Self.fewUp) : (downwards ? Queries.allocateDown : Queries.allocateUp)
        let rows = try connection.query(
            statement, pool.id, request.count, [request.owner], [ticket.until], ticket.key, actor.name, actor.origin,
            request.count, nil as IPAddress?)
        guard let first = rows.first else { return nil }
        return try Found(
            subnet: first.get(2), addresses: rows.map { try $0.get(0, as: IPAddress.self) }.sorted(),
            hasDue: first.get(1))
    }

    /// How many rows a frontier moves at once: enough that few callers meet there.
    static let stride = 256
    /// As many callers may hold a free row locked without reason to extend.
    static let slack = 64

    /// - Parameter inAdvance: whether nothing has to be done where another caller is doing it.
    /// - Returns: `false` where the pool has no frontier left.
    func extend(
        _ pool: Pool, by count: Int, downwards: Bool, inAdvance: Bool = false, in connection: Connection
    ) throws -> Bool {
        // Whoever finds nothing to extend must not keep quarantines of the pool from ending, which are what is left.
        guard try hasFrontier([pool], in: connection) else { return false }
        return try connection.transaction {
            try SubnetTable.share(pool.subnet, in: connection)
            let locked = try connection.query(
                "SELECT FROM pool WHERE id = $1::bigint FOR NO KEY UPDATE\(inAdvance ? " SKIP LOCKED" : "")", pool.id)
            if inAdvance, locked.isEmpty { return true }
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

    func hasFrontier(_ pools: [Pool], in connection: Connection) throws -> Bool {
        try connection.query(
            "SELECT EXISTS (SELECT FROM extent WHERE pool_id = ANY ($1::bigint[]))", pools.map(\.id))[0].get(0)
    }

    /// How many are found one by one, at random. A larger batch takes free rows as it finds them.
    private static let mostGuessed = 256
    /// Candidates for each address.
    private static let guesses = 8

    /// Addresses at random, whether or not they have a row; `nil` where too many of those tried were somebody's.
    private func guess(
        _ request: AllocationRequest, _ pool: Pool, _ ticket: Ticket, in connection: Connection
    ) throws -> Found? {
        struct TooFew: Error {}
        do {
            return try connection.transaction {
                try actor.declare(in: connection)
                try SubnetTable.share(pool.subnet, in: connection)
                // The pool may have shrunk while its subnet was waited for.
                guard
                    let pool = try PoolTable.pools(of: pool.subnet, in: connection).first(where: { $0.id == pool.id })
                else { return nil }
                // Ascending, since a row that another is just making is waited for; whether one is tried is left to chance.
                let candidates = Self.offsets(Self.guesses * request.count, below: pool.range.count)
                var found: [IPAddress] = []
                for (index, offset) in candidates.enumerated() where found.count < request.count {
                    guard Int.random(in: 0..<candidates.count - index) < request.count - found.count,
                        let address = pool.range.first.advanced(by: offset)
                    else { continue }
                    let rows = try connection.query(
                        Queries.allocateRandom, pool.subnet, address, request.owner, ticket.until, ticket.key)
                    if !rows.isEmpty { found.append(address) }
                }
                guard found.count == request.count else { throw TooFew() }
                return Found(subnet: pool.subnet, addresses: found)
            }
        } catch is TooFew {
            return nil
        }
    }

    /// Distinct numbers, ascending, as many as asked for or all there are.
    private static func offsets(_ count: Int, below bound: UInt128) -> [UInt128] {
        if bound <= UInt128(count) { return Array(0..<bound) }
        var offsets: Set<UInt128> = []
        while offsets.count < count { offsets.insert(.random(in: 0..<bound)) }
        return offsets.sorted()
    }
}
