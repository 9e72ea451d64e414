package import Postgres

/// Who changes something, for the history of addresses and the audit of everything else.
package struct Actor: Sendable, Hashable {
    /// A person's or token's name; `sync` for a sync.
    package let name: String
    /// From where, as `cli on host-1`; `nil` where it is of no account.
    package let origin: String?
    /// The job that does it.
    package let job: Int64?

    package init(name: String, origin: String? = nil, job: Int64? = nil) {
        self.name = name
        self.origin = origin
        self.job = job
    }

    /// Signs what ends because its time is over.
    package static let expiry = Actor(name: "expiry")

    package static func sync(job: Int64) -> Actor { Actor(name: "sync", job: job) }

    /// Signs what the rest of the transaction changes.
    package func declare(in connection: Connection) throws {
        _ = try connection.query(
            """
            SELECT set_config('wireloom.actor', $1::text, true), set_config('wireloom.origin', coalesce($2::text, ''), true),
                set_config('wireloom.job', coalesce($3::bigint::text, ''), true)
            """, name, origin, job)
    }
}
