internal import Addressing
package import Postgres
internal import SQL

extension SubnetTable {
    /// A bound for one transaction; what is left is ended by the next.
    static let endedAtOnce = 10_000

    /// Ends what is over by now, in one subnet or (`nil`) everywhere: allocations, quarantines, reservations. Nothing
    /// depends on when this runs, except that addresses come free no sooner.
    package static func settle(_ subnet: Int64?, in connection: Connection) throws {
        try connection.execute(Queries.endAllocations, subnet)
        try connection.execute(Queries.endQuarantines, subnet, endedAtOnce)
        let over = try connection.query(
            """
            SELECT DISTINCT subnet_id FROM reservation
            WHERE expires_at <= now() AND ($1::bigint IS NULL OR subnet_id = $1) ORDER BY 1
            """, subnet)
        for row in over { try ReservationTable.endExpired(of: try row.get(0), in: connection) }
    }
}
