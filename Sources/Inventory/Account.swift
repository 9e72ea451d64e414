package import Addressing
package import Foundation
package import Postgres

/// One VMware endpoint: where it is, how to trust it, whom to be there, and when to sync it.
package struct Account: Sendable {
    package enum Kind: String, Sendable, PostgresRawRepresentable { case vcenter, esxi }
    package enum Trust: String, Sendable, PostgresRawRepresentable { case system, ca, thumbprint, insecure }

    package let id: Int64
    package let name: String
    package let url: String
    package let username: String
    /// Sealed by ``SecretBox`` for ``identity``.
    package let secret: Data
    package let secretKeyID: String
    package let trust: Trust
    /// The PEM text of a CA, or a SHA-256 thumbprint; `nil` for the other kinds of trust.
    package let trustValue: String?
    package let kind: Kind
    /// `about.instanceUuid`, or the hardware UUID of an ESXi host; lower case.
    package let identity: String
    /// `nil` for none.
    package let site: String?
    package let enabled: Bool
    package let every: Duration
    package let grace: Duration
    /// Addresses in these prefixes are not looked at.
    package let ignored: [CIDR]
    /// Whether its hosts are asked, hourly at most, what they see of the physical network.
    package let networkHints: Bool
    /// How many jobs that make or delete VMs run on it at once.
    package let machineJobs: Int

    /// What its jobs have for themselves.
    package var subject: String { "account:\(id)" }
}

/// What a person may give for an account; `nil` leaves it as it is.
package struct AccountChange: Sendable {
    package var name: String?
    package var url: String?
    package var username: String?
    package var sealed: (secret: Data, keyID: String)?
    package var trust: (kind: Account.Trust, value: String?)?
    /// An empty text takes the site away.
    package var site: String?
    package var every: Duration?
    package var grace: Duration?
    package var ignored: [CIDR]?
    package var enabled: Bool?
    package var networkHints: Bool?
    package var machineJobs: Int?

    package init() {}
}

/// The table `account`.
package enum AccountTable {
    static let columns = """
        id, name, url, username, secret, secret_key_id, trust, trust_value, kind, identity, site, enabled, every, grace,
        ignored, network_hints, vm_jobs
        """

    package static func all(in connection: Connection) throws -> [Account] {
        try connection.query("SELECT \(columns) FROM account ORDER BY name").map(Account.init)
    }

    /// By name, or by the id that a listing shows. A name wins: one that is a number may be older than the rule against it.
    ///
    /// - Throws: ``InventoryError`` with code `not_found`.
    package static func named(_ name: String, in connection: Connection) throws -> Account {
        let rows = try connection.query(
            """
            SELECT \(columns) FROM account WHERE name = $1::text OR id::text = $1::text
            ORDER BY name = $1::text DESC LIMIT 1
            """, name)
        guard let row = rows.first else {
            let names = try all(in: connection).map(\.name)
            let hint = names.isEmpty ? "there is none yet" : "there are: " + names.prefix(8).joined(separator: ", ")
            throw InventoryError(.notFound, "there is no account \"\(name)\"; \(hint)")
        }
        return try Account(row)
    }

    package static func account(_ id: Int64, in connection: Connection) throws -> Account? {
        try connection.query("SELECT \(columns) FROM account WHERE id = $1::bigint", id).first.map(Account.init)
    }

    package static func withIdentity(_ identity: String, in connection: Connection) throws -> Account? {
        try connection.query("SELECT \(columns) FROM account WHERE identity = $1::text", identity).first
            .map(Account.init)
    }

    /// - Throws: ``InventoryError`` with code `duplicate` if the name or the endpoint is taken.
    package static func insert(
        name: String, url: String, username: String, sealed: (secret: Data, keyID: String),
        trust: (kind: Account.Trust, value: String?), kind: Account.Kind, identity: String, site: String?,
        every: Duration, grace: Duration, ignored: [CIDR], in connection: Connection
    ) throws -> Account {
        if let other = try withIdentity(identity, in: connection) {
            throw InventoryError(
                .duplicate,
                "\(url) is already onboarded as account \(other.name) (\(other.url)): it has the same identity "
                    + identity)
        }
        do {
            let rows = try connection.query(
                """
                INSERT INTO account (name, url, username, secret, secret_key_id, trust, trust_value, kind, identity, site,
                    every, grace, ignored)
                VALUES ($1::text, $2::text, $3::text, $4::bytea, $5::text, $6::text, $7::text, $8::text, $9::text, $10::text,
                    $11::interval, $12::interval, $13::cidr[])
                RETURNING \(columns)
                """, name, url, username, sealed.secret, sealed.keyID, trust.kind, trust.value, kind, identity, site,
                every, grace, ignored)
            guard let row = rows.first else { throw InventoryError(.invalid, "account \(name) was not stored") }
            return try Account(row)
        } catch let error as DatabaseError where error.constraint == "account_name_unique" {
            throw InventoryError(.duplicate, "there is an account \"\(name)\" already; choose another name")
        } catch let error as DatabaseError where error.constraint == "account_identity_unique" {
            throw InventoryError(
                .duplicate, "\(url) was onboarded by someone else just now; see: wireloom account list")
        }
    }

    package static func update(_ account: Account, _ change: AccountChange, in connection: Connection) throws {
        do {
            try connection.execute(
                """
                UPDATE account SET
                    name = coalesce($2::text, name), url = coalesce($3::text, url),
                    username = coalesce($4::text, username), secret = coalesce($5::bytea, secret),
                    secret_key_id = coalesce($6::text, secret_key_id), trust = coalesce($7::text, trust),
                    trust_value = CASE WHEN $7::text IS NULL THEN trust_value ELSE $8::text END,
                    site = CASE WHEN $9::text IS NULL THEN site ELSE nullif($9::text, '') END,
                    every = coalesce($10::interval, every), grace = coalesce($11::interval, grace),
                    ignored = coalesce($12::cidr[], ignored), enabled = coalesce($13::boolean, enabled),
                    network_hints = coalesce($14::boolean, network_hints), vm_jobs = coalesce($15::int, vm_jobs)
                WHERE id = $1::bigint
                """, account.id, change.name, change.url, change.username, change.sealed?.secret, change.sealed?.keyID,
                change.trust?.kind, change.trust?.value, change.site, change.every, change.grace, change.ignored,
                change.enabled, change.networkHints, change.machineJobs)
        } catch let error as DatabaseError where error.constraint == "account_name_unique" {
            throw InventoryError(
                .duplicate, "there is an account \"\(change.name ?? "")\" already; choose another name")
        }
    }

    /// Removes an account with everything known of it; what its adapters held in confirmed subnets goes into quarantine, and so
    /// does what VMs were made with.
    package static func remove(_ account: Account, in connection: Connection) throws {
        // What a job is just being given for a VM of the account is seen below, or not given any more.
        try connection.execute(
            """
            WITH locked AS MATERIALIZED (
                SELECT FROM vm_request WHERE account_id = $1::bigint ORDER BY id FOR UPDATE)
            SELECT count(*) FROM locked
            """, account.id)
        try connection.execute(
            """
            UPDATE address a SET state = CASE WHEN t.ends THEN 'quarantined' ELSE 'held' END,
                until = CASE WHEN t.ends
                    THEN now() + coalesce((SELECT p.quarantine FROM pool p WHERE p.id = a.pool_id), interval '1 hour') END,
                since = now(), account_id = NULL, owner = NULL, owner_id = NULL, device = NULL,
                allocated_to = CASE WHEN NOT t.ends THEN a.allocated_to END,
                allocated_at = CASE WHEN NOT t.ends THEN a.allocated_at END,
                allocated_until = CASE WHEN NOT t.ends THEN a.allocated_until END,
                key_id = CASE WHEN NOT t.ends THEN a.key_id END
            FROM (
                SELECT b.subnet_id, b.ip, b.allocated_to IS NULL OR k.vm_request_id IS NOT NULL AS ends
                FROM address b
                LEFT JOIN allocation_key k ON k.id = b.key_id
                LEFT JOIN vm_request q ON q.id = k.vm_request_id
                WHERE b.account_id = $1::bigint OR q.account_id = $1
            ) t
            WHERE a.subnet_id = t.subnet_id AND a.ip = t.ip
            """, account.id)
        try connection.execute("DELETE FROM account WHERE id = $1::bigint", account.id)
        try connection.execute(
            """
            DELETE FROM wire w WHERE w.origin = 'automatic' AND NOT w.touched
                AND NOT EXISTS (SELECT FROM link l WHERE l.wire_id = w.id)
                AND NOT EXISTS (SELECT FROM subnet s JOIN address a ON a.subnet_id = s.id
                                WHERE s.wire_id = w.id AND a.state = 'held')
            """)
    }
}

extension Account {
    init(_ row: Row) throws {
        id = try row.get("id")
        name = try row.get("name")
        url = try row.get("url")
        username = try row.get("username")
        secret = try row.get("secret")
        secretKeyID = try row.get("secret_key_id")
        trust = try row.get("trust")
        trustValue = try row.get("trust_value")
        kind = try row.get("kind")
        identity = try row.get("identity")
        site = try row.get("site")
        enabled = try row.get("enabled")
        every = try row.get("every")
        grace = try row.get("grace")
        ignored = try row.get("ignored")
        networkHints = try row.get("network_hints")
        machineJobs = try row.get("vm_jobs")
    }
}
