import Foundation
import Postgres
import Support
import Testing

@Suite struct MigratorTests {
    let scratch: ScratchDatabase

    init() throws {
        scratch = try ScratchDatabase(migrated: false)
    }

    private static let first = Migration(
        version: 1, name: "one", up: "CREATE TABLE one (n int)", down: "DROP TABLE one")
    private static let second = Migration(
        version: 2, name: "two", up: "CREATE TABLE two (n int); INSERT INTO two VALUES (2)", down: "DROP TABLE two")

    private func migrator(_ migrations: Migration..., lockTimeout: Duration = .seconds(60)) -> Migrator {
        Migrator(scratch.database, migrations: migrations, lockTimeout: lockTimeout)
    }

    private func exists(_ table: String) throws -> Bool {
        try scratch.database.withConnection {
            try $0.query("SELECT to_regclass($1::text) IS NOT NULL", table).one().get(0)
        }
    }

    @Test("status follows a schema from empty over behind to current, and writes nothing")
    func status() throws {
        #expect(try migrator(Self.first, Self.second).status() == .empty)
        #expect(try !exists("schema_migration"))
        #expect(try migrator(Self.first).migrate() == ["one"])
        #expect(try migrator(Self.first).status() == .current)
        #expect(try migrator(Self.first, Self.second).status() == .behind(1))
        #expect(try migrator(Self.first, Self.second).migrate() == ["two"])
        #expect(try migrator(Self.first, Self.second).migrate() == [])
        #expect(try migrator(Self.first, Self.second).status() == .current)
    }

    @Test("a version can be chosen, up and down; one that does not exist is refused")
    func chosen() throws {
        let migrator = migrator(Self.first, Self.second)
        #expect(try migrator.migrate(to: 1) == ["one"])
        #expect(try !exists("two"))
        #expect(try migrator.migrate(to: 2) == ["two"])
        #expect(try migrator.migrate(to: 0) == ["two", "one"])
        #expect(try migrator.status() == .empty)
        let error = #expect(throws: DatabaseError.self) { try migrator.migrate(to: 3) }
        #expect(error?.detail == "there is no schema version 3; this wireloom knows 0 to 2")
    }

    @Test("a database that a newer wireloom migrated is refused, and nothing is changed")
    func newer() throws {
        try migrator(Self.first, Self.second).migrate()
        let old = migrator(Self.first)
        #expect(try old.status() == .newer(2))
        for body in [{ _ = try old.migrate() }, { _ = try old.migrate(to: 0) }] {
            let error = try #require(#expect(throws: DatabaseError.self) { try body() })
            #expect(error.code == .newerSchema)
            #expect(error.detail.hasSuffix("has schema version 2, this wireloom knows 1: upgrade wireloom"))
        }
        #expect(try exists("one"))
    }

    @Test("a migration that was edited after it was applied stops the next one")
    func edited() throws {
        try migrator(Self.first).migrate()
        let changed = Migration(version: 1, name: "one", up: "CREATE TABLE one (n bigint)", down: "DROP TABLE one")
        let error = #expect(throws: DatabaseError.self) { try migrator(changed, Self.second).migrate() }
        #expect(error?.code == .schema)
        #expect(try !exists("two"))
    }

    @Test("a migration that fails leaves the schema as it was before it, those before it applied")
    func failing() throws {
        let broken = Migration(
            version: 2, name: "broken", up: "CREATE TABLE two (n int); CREATE TABLE one (n int)", down: "")
        let error = #expect(throws: DatabaseError.self) { try migrator(Self.first, broken).migrate() }
        #expect(error?.code == .schema)
        #expect(
            error?.detail
                == "migration 2 (broken) could not be applied, and the schema is as it was before it: "
                + "the database's schema is not what this wireloom expects: relation \"one\" already exists")
        #expect(try exists("one"))
        #expect(try !exists("two"))
        #expect(try migrator(Self.first, Self.second).migrate() == ["two"])
    }

    @Test("a migration that ends its own transaction is a mistake")
    func commits() throws {
        let selfish = Migration(version: 1, name: "selfish", up: "CREATE TABLE one (n int); COMMIT", down: "")
        let error = #expect(throws: DatabaseError.self) { try migrator(selfish).migrate() }
        #expect(error?.code == .bug)
    }

    @Test("of several migrators at once one migrates, and all find the schema current")
    func concurrent() throws {
        let migrator = migrator(Self.first, Self.second)
        let outcomes = Outcomes()
        let group = DispatchGroup()
        for number in 0..<4 {
            DispatchQueue(label: "migrator \(number)").async(group: group) {
                outcomes.add { try migrator.migrate() }
            }
        }
        group.wait()
        #expect(outcomes.failures.isEmpty)
        #expect(try migrator.status() == .current)
    }

    @Test("a migrator that another one keeps out says so")
    func locked() throws {
        let other = try scratch.database.connect()
        defer { other.close() }
        _ = try other.query("SELECT pg_advisory_lock($1::bigint)", Migrator.advisoryLock)
        let error = #expect(throws: DatabaseError.self) {
            try migrator(Self.first, lockTimeout: .milliseconds(1)).migrate()
        }
        #expect(error?.code == .timeout)
        #expect(error?.detail.hasPrefix("another wireloom is migrating the database") == true)
        #expect(try !exists("one"))
    }
}
