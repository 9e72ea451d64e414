import Foundation
import Postgres
import SQL
import Support
import Testing

/// The product's SQL files, against a server.
@Suite struct SchemaTests {
    @Test("every migration file is in the list, and the list names no other")
    func migrationsAreListed() throws {
        let listed = SQLFiles.migrations.flatMap { migration in
            let stem = "V" + String(String(10_000 + migration.version).dropFirst()) + "_" + migration.name
            return ["\(stem).down.sql", "\(stem).up.sql"]
        }
        #expect(listed.sorted() == (try Self.files("migrations")))
    }

    @Test("every query file is in the list, or is the staging script")
    func queriesAreListed() throws {
        let listed = SQLFiles.queries.keys.map { "\($0).sql" } + ["staging.sql"]
        #expect(listed.sorted() == (try Self.files("queries")))
    }

    @Test("the server accepts every query against a fresh schema")
    func queriesPrepare() throws {
        let scratch = try ScratchDatabase()
        try scratch.database.withConnection { connection in
            try connection.script(Queries.staging)
            for (name, text) in SQLFiles.queries.sorted(by: { $0.key < $1.key }) {
                #expect(throws: Never.self, "\(name).sql") { try connection.prepare(text) }
            }
        }
    }

    @Test("all migrations go up, down and up again, and the way down leaves nothing")
    func upDownUp() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let migrator = Migrator(scratch.database, migrations: Migration.product)
        let names = Migration.product.map(\.name)
        let empty = try Self.objects(scratch.database)
        #expect(try migrator.migrate() == names)
        let full = try Self.objects(scratch.database)
        #expect(try migrator.migrate(to: 0) == names.reversed())
        let left = try Self.objects(scratch.database).filter { !$0.contains("schema_migration") }
        #expect(left.filter { !empty.contains($0) } == [])
        #expect(try migrator.migrate() == names)
        #expect(try Self.objects(scratch.database) == full)
        #expect(full.count > empty.count + 10)
    }

    @Test("each migration can be taken back alone and applied again")
    func eachAlone() throws {
        let scratch = try ScratchDatabase()
        let migrator = Migrator(scratch.database, migrations: Migration.product)
        for migration in Migration.product.reversed() {
            let before = try Self.objects(scratch.database)
            #expect(try migrator.migrate(to: migration.version - 1) == [migration.name])
            #expect(try migrator.migrate(to: migration.version) == [migration.name])
            #expect(try Self.objects(scratch.database) == before)
            try migrator.migrate(to: migration.version - 1)
        }
    }

    private static func files(_ folder: String) throws -> [String] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "../../sql/\(folder)")
        return try FileManager.default.contentsOfDirectory(atPath: root.path).filter { !$0.hasPrefix(".") }.sorted()
    }

    /// What a migration can leave behind: columns, constraints, indexes, types, functions, triggers. An extension
    /// stays: the operator may have had it before.
    private static func objects(_ database: Database) throws -> [String] {
        try database.withConnection { connection in
            try connection.query(
                """
                SELECT 'column ' || c.relname || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
                    || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
                FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
                WHERE c.relnamespace = 'public'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
                UNION ALL
                SELECT 'constraint ' || conname || ' ' || pg_get_constraintdef(oid)
                FROM pg_constraint WHERE connamespace = 'public'::regnamespace
                UNION ALL
                SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
                UNION ALL
                SELECT 'type ' || typname FROM pg_type
                WHERE typnamespace = 'public'::regnamespace AND typtype <> 'b'  -- base types are an extension's
                UNION ALL
                SELECT 'function ' || p.oid::regprocedure::text FROM pg_proc AS p
                WHERE p.pronamespace = 'public'::regnamespace
                  AND NOT EXISTS (SELECT FROM pg_depend AS d WHERE d.objid = p.oid AND d.deptype = 'e')
                UNION ALL
                SELECT 'trigger ' || tgname FROM pg_trigger WHERE NOT tgisinternal
                UNION ALL
                SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_'
                ORDER BY 1
                """
            ).map { try $0.get(0) }
        }
    }
}
