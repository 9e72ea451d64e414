internal import Addressing
package import Postgres
internal import SQL

extension SubnetTable {
    /// A bound for one transaction; what is left is ended by the next.
    private static let endedAtOnce = 10_000

    /// Ends what is over by now, in one subnet or (`nil`) everywhere: reservations, allocations, quarantines. Nothing
    /// depends on when this runs, except that addresses come free no sooner.
    ///
    /// Each is a transaction of its own, signed by nobody: what one of them locked is not held while the next waits. Within
    /// a caller's transaction, who has locked the subnet FOR UPDATE, they are that one's.
    ///
    /// - Parameter patience: how long a lock may be waited for; `nil`: as long as it takes.
    package static func settle(
        _ subnet: Int64?, patience: Duration? = nil, in connection: Connection
    ) throws {
        let isAlone = !connection.isInTransaction
        func step(_ body: () throws -> Void) throws {
            try connection.transaction {
                if isAlone { try Actor.expiry.declare(in: connection) }
                if let patience { try connection.waitAtMost(patience) }
                try body()
            }
        }
        let due = try connection.query(
            """
            SELECT EXISTS (SELECT FROM address WHERE allocated_until <= now()
                    AND ($1::bigint IS NULL OR subnet_id = $1)),
                EXISTS (SELECT FROM address WHERE state = 'quarantined' AND until <= now()
                    AND ($1 IS NULL OR subnet_id = $1))
            """, subnet)[0]
        let over: [Int64] = try connection.query(
            """
            SELECT DISTINCT subnet_id FROM reservation
            WHERE expires_at <= now() AND ($1::bigint IS NULL OR subnet_id = $1) ORDER BY 1
            """, subnet
        ).map { try $0.get(0) }
        for subnet in over {
            try step {
                // What a sync holds it may hold before it waits for the subnet: never while this has locked that.
                try AdvisoryLock.topology(exclusive: true).take(in: connection)
                try ReservationTable.endExpired(of: subnet, in: connection)
            }
        }
        // What ends now may be over at once, with a quarantine of nothing.
        let ends: Bool = try due.get(0)
        if ends { try step { try connection.execute(Queries.endAllocations, subnet) } }
        if try ends || due.get(1) {
            try step { try endQuarantines(of: subnet, atMost: endedAtOnce, in: connection) }
        }
    }

    /// Ends quarantines that are over, of one subnet or (`nil`) of all, as far as nobody is changing their subnets and
    /// pools: whether an address is free afterwards, or nothing, is read while both stay as they are. Waits for nobody.
    static func endQuarantines(of subnet: Int64?, atMost limit: Int, in connection: Connection) throws {
        let isAlone = !connection.isInTransaction
        try connection.transaction {
            if isAlone { try Actor.expiry.declare(in: connection) }
            let row = try connection.query(Queries.lockDue, subnet)[0]
            let subnets: [Int64] = try row.get(0)
            guard !subnets.isEmpty else { return }
            // A statement of its own, which sees what was changed before the locks were had.
            try connection.execute(Queries.endQuarantines, subnets, try row.get(1, as: [Int64].self), limit)
        }
    }

    /// Forgets the keys whose addresses were released more than a day ago.
    package static func forgetKeys(in connection: Connection) throws {
        try AllocationKeys.purge(atMost: endedAtOnce, in: connection)
    }
}
