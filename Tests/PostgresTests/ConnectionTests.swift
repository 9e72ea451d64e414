import Addressing
import Postgres
import Support
import Testing

@Suite struct ConnectionTests {
    let scratch: ScratchDatabase

    init() throws {
        scratch = try ScratchDatabase(migrated: false)
    }

    @Test("a statement's parameters come back as its rows")
    func parameters() throws {
        try scratch.database.withConnection { connection in
            let absent: Int? = nil
            let row = try connection.query(
                "SELECT $1::bigint AS a, $2::text AS b, $3::text AS c, $4::int AS d", 7, "x'y\\", nil, absent
            ).one()
            #expect(try row.get("a") == 7)
            #expect(try row.get("b") == "x'y\\")
            #expect(try row.get("c", as: String?.self) == nil)
            #expect(try row.get("d", as: Int?.self) == nil)
        }
    }

    @Test("a result is a collection with its rows in order and its columns by name")
    func collection() throws {
        try scratch.database.withConnection { connection in
            let rows = try connection.query("SELECT i AS n, i * 2 AS twice FROM generate_series(1, 100) AS i")
            #expect(rows.columnNames == ["n", "twice"])
            #expect(rows.count == 100)
            #expect(try rows.map { try $0.get("twice", as: Int.self) } == (1...100).map { $0 * 2 })
        }
    }

    @Test("execute returns how many rows were affected")
    func affected() throws {
        try scratch.database.withConnection { connection in
            try connection.script("CREATE TABLE t (n int)")
            #expect(try connection.execute("INSERT INTO t SELECT generate_series(1, $1::int)", 10) == 10)
            #expect(try connection.execute("UPDATE t SET n = 0 WHERE n > $1::int", 7) == 3)
            #expect(try connection.execute("DELETE FROM t WHERE n = 99") == 0)
        }
    }

    @Test("NULL where a value is due is an error that names the column")
    func null() throws {
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT NULL::text AS site").one()
            #expect(try row.isNull("site"))
            let error = #expect(throws: DatabaseError.self) { try row.get("site", as: String.self) }
            #expect(error?.code == .bug)
            #expect(error?.detail == "the column \"site\" of a result is NULL where String is due")
        }
    }

    @Test("a column that is not there, or of another type, is an error that names it")
    func mismatch() throws {
        try scratch.database.withConnection { connection in
            let row = try connection.query("SELECT 1::bigint AS n").one()
            let missing = #expect(throws: DatabaseError.self) { try row.get("m", as: Int.self) }
            #expect(missing?.detail == "the column \"m\" of a result is not in the result")
            let mistyped = #expect(throws: DatabaseError.self) { try row.get("n", as: String.self) }
            #expect(
                mistyped?.detail
                    == "the column \"n\" of a result is of type bigint, which cannot be read as String")
        }
    }

    @Test("one() refuses no row and several")
    func one() throws {
        try scratch.database.withConnection { connection in
            for count in [0, 2] {
                let rows = try connection.query("SELECT generate_series(1, $1::int)", count)
                #expect(throws: DatabaseError.self) { try rows.one() }
            }
        }
    }

    @Test("a statement is prepared once however often it runs")
    func preparedOnce() throws {
        try scratch.database.withConnection { connection in
            for number in 0..<5 { _ = try connection.query("SELECT $1::int + 1", number) }
            let count: Int = try connection.query(
                "SELECT count(*) FROM pg_prepared_statements WHERE statement = 'SELECT $1::int + 1'"
            ).one().get(0)
            #expect(count == 1)
        }
    }

    @Test("the server keeps a bounded number of prepared statements of a session")
    func preparedBound() throws {
        try scratch.database.withConnection { connection in
            for number in 0..<600 { _ = try connection.query("SELECT \(number)") }
            let count: Int = try connection.query("SELECT count(*) FROM pg_prepared_statements").one().get(0)
            #expect((1...500).contains(count))
            #expect(try connection.query("SELECT 3").one().get(0, as: Int.self) == 3)
        }
    }

    @Test("a statement whose table was changed under it is prepared anew")
    func stalePlan() throws {
        try scratch.database.withConnection { connection in
            try connection.script("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
            #expect(try connection.query("SELECT * FROM t").columnNames == ["a"])
            try connection.script("ALTER TABLE t ADD COLUMN b int")
            #expect(try connection.query("SELECT * FROM t").columnNames == ["a", "b"])
        }
    }

    @Test("a transaction that met a changed table runs again and succeeds")
    func stalePlanInTransaction() throws {
        let scratch = try ScratchDatabase(migrated: false, maxConnections: 1)
        try scratch.database.withConnection { connection in
            try connection.script("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
            _ = try connection.query("SELECT * FROM t")
            try connection.script("ALTER TABLE t ADD COLUMN b int")
        }
        var attempts = 0
        let columns = try scratch.database.transaction { connection in
            attempts += 1
            return try connection.query("SELECT * FROM t").columnNames
        }
        #expect(columns == ["a", "b"])
        #expect(attempts == 2)
    }

    @Test("a text with a NUL is refused rather than cut short")
    func nul() throws {
        try scratch.database.withConnection { connection in
            let error = #expect(throws: DatabaseError.self) { try connection.query("SELECT $1::text", "a\0b") }
            #expect(error?.code == .invalidValue)
            let next: Int = try connection.query("SELECT 1").one().get(0)
            #expect(next == 1)
        }
    }

    @Test("a script runs all its statements or none")
    func script() throws {
        try scratch.database.withConnection { connection in
            #expect(throws: DatabaseError.self) {
                try connection.script("CREATE TABLE a (n int); CREATE TABLE b (n nonsense)")
            }
            let exists: Bool = try connection.query("SELECT to_regclass('a') IS NOT NULL").one().get(0)
            #expect(!exists)
        }
    }

    @Test("COPY as a statement and an empty statement are refused", arguments: ["", "COPY pg_class TO STDOUT"])
    func misuse(_ sql: String) throws {
        let connection = try scratch.database.connect()
        defer { connection.close() }
        let error = #expect(throws: DatabaseError.self) { try connection.script(sql) }
        #expect(error?.code == .bug)
    }

    @Test("a closed connection says so, and closes again without harm")
    func closed() throws {
        let connection = try scratch.database.connect()
        connection.close()
        connection.close()
        #expect(!connection.isUsable)
        let error = #expect(throws: DatabaseError.self) { try connection.query("SELECT 1") }
        #expect(error?.code == .unavailable)
    }

    @Test("a session shows the application's name, speaks UTC, and keeps the server's notices to itself")
    func session() throws {
        try scratch.database.withConnection { connection in
            try connection.script("DROP TABLE IF EXISTS not_there")
            let row = try connection.query(
                "SELECT current_setting('application_name') AS name, current_setting('TimeZone') AS zone"
            ).one()
            #expect(try row.get("name") == "test")
            #expect(try row.get("zone") == "UTC")
        }
    }

    @Test("a session ends that stands still in a transaction, after a minute or what the operator set")
    func abandoned() throws {
        func timeout() throws -> String {
            let connection = try scratch.database.connect()
            defer { connection.close() }
            return try connection.query("SHOW idle_in_transaction_session_timeout").one().get(0)
        }
        #expect(try timeout() == "1min")
        try scratch.database.withConnection {
            try $0.script("ALTER DATABASE \(scratch.name) SET idle_in_transaction_session_timeout = '2h'")
        }
        #expect(try timeout() == "2h")
    }

    @Test("a configured schema is where unqualified names are")
    func schema() throws {
        try scratch.database.withConnection { try $0.script("CREATE SCHEMA \"odd \"\"name\"") }
        let database = Database(DatabaseConfiguration(uri: scratch.uri, schema: "odd \"name"))
        defer { database.close() }
        try database.withConnection { connection in
            try connection.script("CREATE TABLE t (n int)")
            let schema: String = try connection.query(
                "SELECT relnamespace::regnamespace::text FROM pg_class WHERE relname = 't'"
            ).one().get(0)
            #expect(schema == "\"odd \"\"name\"")
        }
    }

    @Test("a session that the server ended is unavailable, and stays so")
    func lost() throws {
        let connection = try scratch.database.connect()
        defer { connection.close() }
        try scratch.terminateSessions()
        let error = #expect(throws: DatabaseError.self) { try connection.query("SELECT 1") }
        #expect(error?.code == .unavailable)
        #expect(!connection.isUsable)
        #expect(throws: DatabaseError.self) { try connection.query("SELECT 1") }
    }
}
