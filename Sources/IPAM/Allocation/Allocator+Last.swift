internal import Addressing
internal import Foundation
internal import Postgres
internal import SQL

/// The last addresses of a subnet, whose rows others may hold locked.
extension Allocator {
    /// How long a caller waits for others in a subnet that is nearly full.
    private static let patience = Duration.seconds(10)

    /// Waits for each candidate that others hold locked, until enough are had or too few are left.
    ///
    /// Each round ends what is over, looks whether there is enough at all, extends the pools, and then takes: transactions
    /// of their own, each of which locks in the order that everybody keeps and takes nothing along into the next.
    func carefully(_ request: AllocationRequest) throws -> Allocation {
        let end = ContinuousClock.now + Self.patience
        var pause = 0.001
        while true {
            let left = end - ContinuousClock.now
            guard left > .zero else { break }
            do {
                let (subnet, answer) = try database.withConnection { connection in
                    let subnet = try SubnetTable.named(request.subnet, in: connection)
                    try SubnetTable.settle(subnet.id, patience: left, in: connection)
                    // Who answers the same key just now is waited for before anything is refused.
                    let answer = try attempt(request, subnet, in: connection) { _ in
                        try refuseExhausted(request, subnet, in: connection)
                        return nil
                    }
                    return (subnet, answer)
                }
                if let answer { return answer }
                try database.transaction { connection in
                    try connection.waitAtMost(left)
                    try fill(subnet, for: request.count, in: connection)
                }
                let given = try database.transaction { connection in
                    try connection.waitAtMost(left)
                    return try takeLast(request, in: connection)
                }
                if let given { return given }
            } catch let error as DatabaseError where error.sqlState == "55P03" || error.code == .retryable {
                continue
            }
            // Those who hold the addresses are about to give or take them; each round asks the database anew.
            Thread.sleep(forTimeInterval: pause)
            pause = min(pause * 2, 0.1)
        }
        throw NetworkError(
            .busy,
            "others took addresses of subnet \(request.subnet) for as long as \(Self.patience) were waited; try again")
    }

    /// Gives the pools' addresses rows until there are enough of them, or no frontier is left.
    private func fill(_ subnet: SubnetRef, for count: Int, in connection: Connection) throws {
        func guestPools() throws -> [Pool] {
            try PoolTable.pools(of: subnet.id, in: connection).filter { $0.role == .guest }
        }
        guard try hasFrontier(guestPools(), in: connection) else { return }
        try SubnetTable.share(subnet.id, in: connection)
        _ = try connection.query(
            "SELECT FROM pool WHERE subnet_id = $1::bigint ORDER BY id FOR NO KEY UPDATE", subnet.id)
        let pools = try guestPools()
        for pool in pools {
            while try freeRows(pools, in: connection) < count + Self.slack,
                try hasFrontier([pool], in: connection)
            {
                try connection.execute(
                    Queries.extendPool, pool.id, max(Self.stride, count), pool.policy == .stepDown)
            }
        }
    }

    private func freeRows(_ pools: [Pool], in connection: Connection) throws -> Int {
        try connection.query(
            "SELECT count(*) FROM address WHERE pool_id = ANY ($1::bigint[]) AND state = 'free'", pools.map(\.id)
        )[0].get(0)
    }

    /// `nil` where too few were there.
    private func takeLast(_ request: AllocationRequest, in connection: Connection) throws -> Allocation? {
        try actor.declare(in: connection)
        let subnet = try SubnetTable.named(request.subnet, in: connection)
        return try attempt(request, subnet, in: connection) { ticket in
            // The key before the subnet: who answers the same key may be waiting for the subnet, and we for that one.
            let present = try SubnetTable.shared(request.subnet, in: connection)
            guard present.id == subnet.id else { return nil }
            try AdvisoryLock.scarcity(subnet: subnet.id).take(in: connection)
            let pools = try self.pools(of: subnet, in: connection)
            let free: [IPAddress] = try connection.query(
                Queries.lockFree, pools.map(\.id), request.count
            ).map { try $0.get(0) }
            guard free.count == request.count else { return nil }
            let taken: [IPAddress] = try connection.query(
                Queries.allocateThese, subnet.id, free, request.owner, ticket.until, ticket.key
            ).map { try $0.get(0) }
            guard taken.count == request.count else {
                throw DatabaseError(.bug, "\(free.count) free addresses were locked and \(taken.count) of them taken")
            }
            return Found(subnet: subnet.id, addresses: taken.sorted())
        }
    }

    /// What is free in one snapshot is free, locked, or about to be somebody's: only too few of all these is the end.
    private func refuseExhausted(
        _ request: AllocationRequest, _ subnet: SubnetRef, in connection: Connection
    ) throws {
        try SubnetTable.checkRoom(for: request.count, in: subnet, connection)
    }
}

extension Connection {
    /// For the rest of the transaction no lock is waited for longer.
    func waitAtMost(_ time: Duration) throws {
        _ = try query(
            "SELECT set_config('lock_timeout', $1::text, true)", "\(max(1, time.wholeMicroseconds / 1000))ms")
    }
}
