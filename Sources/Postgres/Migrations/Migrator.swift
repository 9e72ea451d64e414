/// Brings a schema to a version, one migration a transaction, one migrator at a time.
///
/// What was applied is recorded with a checksum in the table `schema_migration`: a migration that was edited after it
/// was applied, or a database that a newer program migrated, stops everything before anything is changed.
package struct Migrator: Sendable {
    /// Guards `schema_migration` against a second migrator: `pg_advisory_lock` of "wire" and 1.
    package static let advisoryLock: Int64 = 0x7769_7265_0000_0001

    private let database: Database
    private let migrations: [Migration]
    private let lockTimeout: Duration

    /// - Parameters:
    ///   - migrations: of versions 1, 2, 3…
    ///   - lockTimeout: how long to wait for another migrator.
    package init(_ database: Database, migrations: [Migration], lockTimeout: Duration = .seconds(60)) {
        precondition(
            migrations.map(\.version) == Array(1..<(migrations.count + 1)), "migrations count from 1 without a gap")
        self.database = database
        self.migrations = migrations
        self.lockTimeout = lockTimeout
    }

    /// Writes nothing.
    package func status() throws -> SchemaStatus {
        let connection = try database.connect()
        defer { connection.close() }
        return status(of: try applied(on: connection))
    }

    /// Applies what is missing up to `version` (default: the last), or takes back what is beyond it.
    ///
    /// - Returns: the names of the migrations applied or taken back, in that order.
    @discardableResult
    package func migrate(to version: Int? = nil) throws -> [String] {
        let goal = version ?? migrations.count
        guard (0...migrations.count).contains(goal) else {
            throw DatabaseError(
                .invalidValue, "there is no schema version \(goal); this wireloom knows 0 to \(migrations.count)")
        }
        let connection = try database.connect()
        defer { connection.close() }
        try lock(connection)
        try connection.script(Self.table)
        let done = try applied(on: connection)
        if case .newer(let version) = status(of: done) { throw newer(version) }
        try validate(done, on: connection)
        if goal >= done.count {
            return try migrations[done.count..<goal].map { try apply($0, on: connection) }
        }
        return try migrations[goal..<done.count].reversed().map { try takeBack($0, on: connection) }
    }

    // MARK: - Steps

    private static let table = """
        CREATE TABLE IF NOT EXISTS schema_migration (
            version    integer     NOT NULL PRIMARY KEY,
            name       text        NOT NULL,
            checksum   text        NOT NULL,
            applied_at timestamptz NOT NULL DEFAULT now()
        )
        """

    private static let checksum = "encode(sha256(convert_to($1::text, 'UTF8')), 'hex')"

    private struct Applied {
        let version: Int
        let name: String
        let checksum: String
    }

    private func apply(_ migration: Migration, on connection: Connection) throws -> String {
        try step(migration, migration.up, "applied", on: connection) {
            try connection.execute(
                """
                INSERT INTO schema_migration (checksum, version, name)
                VALUES (\(Self.checksum), $2::integer, $3::text)
                """, migration.up, migration.version, migration.name)
        }
    }

    private func takeBack(_ migration: Migration, on connection: Connection) throws -> String {
        try step(migration, migration.down, "taken back", on: connection) {
            try connection.execute("DELETE FROM schema_migration WHERE version = $1::integer", migration.version)
        }
    }

    private func step(
        _ migration: Migration, _ script: String, _ verb: String, on connection: Connection, record: () throws -> Void
    ) throws -> String {
        do {
            try connection.transaction {
                try connection.script(script)
                guard connection.isInTransaction else {
                    throw DatabaseError(.bug, "it ends its own transaction")
                }
                try record()
            }
        } catch let error as DatabaseError {
            throw DatabaseError(
                error.code,
                "migration \(migration.version) (\(migration.name)) could not be \(verb), "
                    + "and the schema is as it was before it: \(error.detail)",
                sqlState: error.sqlState, constraint: error.constraint, commitUnknown: error.commitUnknown,
                underlying: error.underlying)
        }
        return migration.name
    }

    private func applied(on connection: Connection) throws -> [Applied] {
        let exists: Bool = try connection.query("SELECT to_regclass('schema_migration') IS NOT NULL").one().get(0)
        guard exists else { return [] }
        return try connection.query("SELECT version, name, checksum FROM schema_migration ORDER BY version").map {
            Applied(version: try $0.get(0), name: try $0.get(1), checksum: try $0.get(2))
        }
    }

    private func status(of applied: [Applied]) -> SchemaStatus {
        guard let last = applied.last else { return migrations.isEmpty ? .current : .empty }
        if last.version > migrations.count { return .newer(last.version) }
        return last.version == migrations.count ? .current : .behind(migrations.count - last.version)
    }

    private func validate(_ applied: [Applied], on connection: Connection) throws {
        for (migration, record) in zip(migrations, applied) {
            guard migration.version == record.version else {
                throw DatabaseError(
                    .schema, "the database \(name) lacks migration \(migration.version) but has later ones; restore it")
            }
            let checksum: String = try connection.query("SELECT \(Self.checksum)", migration.up).one().get(0)
            guard checksum == record.checksum else {
                throw DatabaseError(
                    .schema,
                    "migration \(record.version) (\(record.name)) of the database \(name) is not the one in this "
                        + "wireloom: one of the two was edited; use the wireloom that made the database")
            }
        }
    }

    /// A migrator polls for the lock: one that waited in a statement would hold a snapshot, which a migrator that
    /// builds an index concurrently would wait for in turn.
    private func lock(_ connection: Connection) throws {
        let deadline = ContinuousClock.now + lockTimeout
        while true {
            let locked: Bool =
                try connection.query("SELECT pg_try_advisory_lock($1::bigint)", Self.advisoryLock).one().get(0)
            if locked { return }
            guard ContinuousClock.now < deadline else {
                throw DatabaseError(.timeout, "another wireloom is migrating the database \(name); try again later")
            }
            pause(.milliseconds(50))
        }
    }

    private var name: String { database.configuration.displayName }

    private func newer(_ version: Int) -> DatabaseError {
        DatabaseError(
            .newerSchema,
            "the database \(name) has schema version \(version), this wireloom knows \(migrations.count): "
                + "upgrade wireloom")
    }
}
