import Locking
package import Postgres
import SQL

/// A database of the test's own, with the product's schema, dropped when the test lets go of it.
///
/// ```swift
/// let scratch = try ScratchDatabase()
/// try scratch.database.transaction { connection in … }
/// ```
package final class ScratchDatabase: Sendable {
    /// A pool on it.
    package let database: Database
    package let uri: String
    package let name: String
    private let server: ScratchServer
    private let isOpen = Mutex(true)

    /// - Parameters:
    ///   - migrated: whether it has the product's schema, or is empty.
    ///   - maxConnections: the size of `database`'s pool.
    package init(migrated: Bool = true, maxConnections: Int = 16) throws {
        let server = try ScratchServer.shared
        self.server = server
        name = try server.create(template: migrated ? "migrated" : nil) { database in
            try Migrator(database, migrations: Migration.product).migrate()
        }
        uri = server.uri(name)
        database = Database(DatabaseConfiguration(uri: uri, applicationName: "test", maxConnections: maxConnections))
    }

    /// A database like another, whose sessions are ended for it.
    package init(copyOf original: ScratchDatabase) throws {
        server = original.server
        try original.terminateSessions()
        name = try server.copy(original.name)
        uri = server.uri(name)
        database = Database(DatabaseConfiguration(uri: uri, applicationName: "test", maxConnections: 16))
    }

    deinit { close() }

    /// Closes the pool and drops the database, whoever is still connected; a second call does nothing.
    package func close() {
        let wasOpen = isOpen.withLock { open in
            defer { open = false }
            return open
        }
        guard wasOpen else { return }
        database.close()
        // The server goes with the process: a database that stays behind until then harms no test.
        try? server.drop(name)
    }

    /// Ends every session of the database from outside, as a restart of the server would.
    package func terminateSessions() throws {
        try server.terminateBackends(of: name)
    }
}

extension Migration {
    /// The product's migrations.
    package static var product: [Migration] {
        SQLFiles.migrations.map { Migration(version: $0.version, name: $0.name, up: $0.up, down: $0.down) }
    }
}
