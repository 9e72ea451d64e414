internal import Inventory
internal import Postgres
internal import SQL

/// The release breaker of DESIGN.md 3.4: a sync that would let go of too much at once is more likely wrong than right.
enum ReleaseBreaker {
    static let share = 20
    static let count = 20

    /// - Throws: ``SyncError`` with code `release_breaker`, which rolls everything back.
    static func check(_ account: Account, heldBefore: Int, in connection: Connection) throws {
        guard try connection.query("SELECT EXISTS (SELECT FROM released)")[0].get(0) else { return }
        let row = try connection.query(Queries.breaker, account.id, heldBefore)[0]
        let lost: Int = try row.get(0)
        let host: String? = try row.get(2)
        let everything: Bool = try row.get(3)
        let reason: String
        if everything {
            reason = "all VMs of the account would lose their addresses (\(lost) of \(heldBefore))"
        } else if let host {
            let name = try connection.query(
                "SELECT name FROM host WHERE account_id = $1::bigint AND id = $2::text", account.id, host
            ).first?.get(0, as: String.self)
            reason = "all VMs of host \(name ?? host) would lose their addresses (\(lost) of \(heldBefore) in all)"
        } else if lost > count, lost * 100 > heldBefore * share {
            reason = "\(lost) of \(heldBefore) addresses would be released, more than \(share) %"
        } else {
            return
        }
        throw SyncError(
            code: "release_breaker",
            message: "the sync of \(account.name) changed nothing, because \(reason); if that is right, run: "
                + "wireloom sync \(account.name) --accept-releases")
    }
}
