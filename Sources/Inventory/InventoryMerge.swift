package import Postgres
internal import SQL

/// Brings the inventory of an account to what a complete reading staged, by set-based differences: a row that is as it
/// was is not written (invariant I4).
package enum InventoryMerge {
    /// Runs inside the sync's final transaction; the staging tables are this connection's.
    package static func apply(account: Int64, in connection: Connection) throws {
        for statement in [
            Queries.mergeHost, Queries.missHost,
            Queries.mergePNIC, Queries.prunePNIC,
            Queries.mergeSwitch, Queries.mergePortgroup, Queries.prunePortgroup,
            Queries.mergeSwitchHost, Queries.pruneSwitchHost, Queries.pruneSwitch,
            Queries.mergeVM, Queries.missVM,
            Queries.mergeNIC, Queries.missNIC,
            Queries.mergeNICAddress, Queries.missNICAddress,
        ] {
            try connection.execute(statement, account)
        }
    }

    /// Lets go of the addresses of what vanished and of what live adapters no longer report, into `released`.
    package static func release(account: Int64, in connection: Connection) throws {
        try connection.execute(Queries.releaseMissed, account)
        let mayHaveVanished: Bool = try connection.query(Queries.anyMissedTwice, account)[0].get(0)
        if mayHaveVanished { try connection.execute(Queries.releaseVanished, account) }
        try connection.execute(Queries.unholdReleased)
        if mayHaveVanished { try connection.execute(Queries.removeVanishedNIC, account) }
    }

    /// The owners of adapters that are gone for good; last, because the release breaker asks where they were.
    package static func removeVanishedOwners(account: Int64, in connection: Connection) throws {
        try connection.execute(Queries.removeVanishedVM, account)
        try connection.execute(Queries.removeVanishedHost, account)
    }
}
