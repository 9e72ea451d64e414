package import Postgres
internal import SQL

/// Brings the inventory of an account to what a complete reading staged, by set-based differences: a row that is as it
/// was is not written (invariant I4).
package enum InventoryMerge {
    /// Puts what jobs wrote of VMs since the reading began in the place of what was staged of them; the caller has locked the
    /// account's inventory.
    package static func keepNewer(account: Int64, in connection: Connection) throws {
        try connection.execute(Queries.keepNewer, account)
    }

    /// Writes the VMs that are staged, and nothing of what is not: no reading of the whole account.
    package static func applyVirtualMachines(account: Int64, in connection: Connection) throws {
        for statement in [Queries.mergeVM, Queries.mergeNIC, Queries.mergeNICAddress] {
            try connection.execute(statement, account)
        }
    }

    /// Lets syncs know that what they read of a VM until now is older than what this transaction writes or removes.
    package static func outdate(_ vm: String, of account: Int64, isGone: Bool, in connection: Connection) throws {
        try connection.execute(
            """
            INSERT INTO vm_written (account_id, vm_id, gone) VALUES ($1::bigint, $2::text, $3::boolean)
            ON CONFLICT (account_id, vm_id) DO UPDATE SET at = EXCLUDED.at, gone = EXCLUDED.gone
            """, account, vm, isGone)
        // No reading takes so long.
        try connection.execute(
            "DELETE FROM vm_written WHERE account_id = $1::bigint AND at < now() - interval '1 day'", account)
    }

    /// In this order: what a row refers to is merged before it.
    package static let statements = [
        Queries.mergeHost, Queries.missHost,
        Queries.mergePNIC, Queries.prunePNIC,
        Queries.mergeSwitch, Queries.mergePortgroup, Queries.prunePortgroup,
        Queries.mergeSwitchHost, Queries.pruneSwitchHost, Queries.pruneSwitch,
        Queries.relinkVM, Queries.mergeVM, Queries.missVM,
        Queries.mergeNIC, Queries.missNIC, Queries.detachNIC,
        Queries.mergeNICAddress, Queries.missNICAddress,
    ]

    /// Runs inside the sync's final transaction; the staging tables are this connection's.
    ///
    /// - Returns: how many rows were written.
    package static func apply(account: Int64, in connection: Connection) throws -> Int {
        try statements.reduce(0) { try $0 + connection.execute($1, account) }
    }

    /// Tells the planner of what a sync has written, where that is much: until the server does so by itself, about a minute
    /// later, it takes a new account for empty, and the next sync would be planned for one row of each kind.
    package static func analyze(afterWriting rows: Int, in connection: Connection) {
        guard rows >= 1000 else { return }
        // Whoever may not, or is stopped, leaves it to the server.
        try? connection.script("ANALYZE host, vm, nic, nic_address, placement, address")
    }

    /// Marks what the account lets go of: the addresses of what vanished, what live adapters no longer report, and what does
    /// not count any more. Placement lets go of it, under the locks of the subnets.
    package static func release(account: Int64, in connection: Connection) throws {
        try connection.execute(Queries.releaseMissed, account)
        if try mayHaveVanished(account, connection) { try connection.execute(Queries.releaseVanished, account) }
    }

    /// The adapters that are gone for good, which hold nothing any more, and their owners; last, because the release breaker
    /// asks where they were.
    package static func removeVanished(account: Int64, in connection: Connection) throws {
        guard try mayHaveVanished(account, connection) else { return }
        try connection.execute(Queries.removeVanishedNIC, account)
        try connection.execute(Queries.removeVanishedVM, account)
        try connection.execute(Queries.removeVanishedHost, account)
    }

    private static func mayHaveVanished(_ account: Int64, _ connection: Connection) throws -> Bool {
        try connection.query(Queries.anyMissedTwice, account)[0].get(0)
    }
}
