package import Postgres

/// Every advisory lock of the product, in the order in which they are taken; all end with their transaction.
///
/// After them come row locks: subnets by id, pools by id, addresses by (subnet, IP) ascending, whatever the policy.
package enum AdvisoryLock {
    /// Wires, links and subnets: shared by the final transaction of a sync, exclusive for a change by a person.
    case topology(exclusive: Bool)
    /// What is known of an account's VMs: among the final transactions of its sync and of jobs that make and delete VMs.
    case inventory(account: Int64)
    /// Who holds the addresses of a subnet, among placements. Taken by ascending id.
    case placement(subnet: Int64)
    /// The last free addresses of a subnet, among those who found none unlocked.
    case scarcity(subnet: Int64)

    package func take(in connection: Connection) throws {
        switch self {
        case .topology(exclusive: false):
            _ = try connection.query("SELECT pg_advisory_xact_lock_shared(7001, 0)::text")
        case .topology(exclusive: true):
            _ = try connection.query("SELECT pg_advisory_xact_lock(7001, 0)::text")
        case .inventory(let account):
            _ = try connection.query(
                "SELECT pg_advisory_xact_lock(7004, ($1::bigint % 2147483647)::int)::text", account)
        case .placement(let subnet):
            _ = try connection.query("SELECT pg_advisory_xact_lock(7002, ($1::bigint % 2147483647)::int)::text", subnet)
        case .scarcity(let subnet):
            _ = try connection.query("SELECT pg_advisory_xact_lock(7003, ($1::bigint % 2147483647)::int)::text", subnet)
        }
    }
}
