internal import IPAM
internal import Postgres
internal import SQL

/// Rule 3.4: attaches every touched address to its subnet or gives the reason why not, and settles who holds it.
///
/// Runs inside the caller's transaction on the rows of the temporary table `touched`; `released` and `dropped` hold what is
/// to be let go of with it. READ COMMITTED and the per-subnet locks make two placements of one subnet follow each other.
enum Placement {
    /// Makes the temporary tables of this connection, empty.
    static func prepare(in connection: Connection) throws {
        try connection.script(Queries.staging)
    }

    /// Touches what this transaction changed for the account's addresses, not all of them: a sync without change upstream
    /// has nothing to place. Inside a savepoint the rows written would not be known as this transaction's.
    static func touch(account: Int64, in connection: Connection) throws {
        try connection.execute(Queries.touchAccount, account)
    }

    /// - Parameter account: whose tags are all looked at; `nil`: those of the touched and contested addresses alone.
    static func place(account: Int64?, in connection: Connection) throws {
        let hasWork: Bool = try connection.query(
            "SELECT EXISTS (SELECT FROM touched) OR EXISTS (SELECT FROM released) OR EXISTS (SELECT FROM dropped)"
        )[0].get(0)
        if hasWork { try placeTouched(in: connection) }
        try connection.execute(Queries.writeSyncIPs, account)
    }

    /// Places again what was told that it would belong to one of these subnets, which are gone now; after `place`.
    static func placeAgain(toldOf subnets: [Int64], in connection: Connection) throws {
        guard !subnets.isEmpty else { return }
        try connection.script("DELETE FROM touched; DELETE FROM verdict; DELETE FROM contested; DELETE FROM dropped")
        try connection.execute(Queries.touchTold, subnets)
        try place(account: nil, in: connection)
    }

    /// Only this changes placements and holders, and all of it under the locks of their subnets: what belongs where is
    /// written down before, so that the locks are taken at one time and in one order.
    private static func placeTouched(in connection: Connection) throws {
        // Without statistics the planner takes a filled temporary table for an empty one, and compares all with all.
        try connection.script("ANALYZE touched, released, dropped")
        try connection.execute(Queries.qualify)
        try connection.script("ANALYZE verdict")
        try connection.execute(Queries.findContested)
        try connection.script("ANALYZE contested")
        for row in try connection.query(Queries.subnetsToLock) {
            try AdvisoryLock.placement(subnet: row.get(0)).take(in: connection)
        }
        try connection.execute(Queries.dropAddresses)
        try connection.execute(Queries.unholdReleased)
        try connection.execute(Queries.attach)
        try decideHolders(in: connection)
        try connection.execute(Queries.releaseMoved)
        try connection.execute(Queries.unholdReleased)
        try connection.execute(Queries.dropPassedOn)
    }

    /// Again and again where allocations come between, which wait for no placement: each time with what they took.
    private static func decideHolders(in connection: Connection) throws {
        while try connection.query(Queries.decideHolders)[0].get(0) {}
    }
}
