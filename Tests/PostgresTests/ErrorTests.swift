import Postgres
import Support
import Testing

/// What the server refuses, by the server itself.
@Suite struct ErrorTests {
    /// One for all: their tables are of different names, or of transactions that fail.
    private static let shared = Result { try ScratchDatabase(migrated: false) }
    private let scratch: ScratchDatabase

    init() throws {
        scratch = try Self.shared.get()
    }

    private func failure(_ body: (Connection) throws -> Void) throws -> DatabaseError {
        try #require(#expect(throws: DatabaseError.self) { try scratch.database.withConnection(body) })
    }

    @Test("constraints of every kind are conflicts that carry their names")
    func constraints() throws {
        try scratch.database.withConnection { connection in
            try connection.script(
                """
                CREATE TABLE t (
                    n int CONSTRAINT t_once UNIQUE CONSTRAINT t_small CHECK (n < 10),
                    r int4range, CONSTRAINT t_apart EXCLUDE USING gist (r WITH &&)
                );
                CREATE TABLE u (n int CONSTRAINT u_of_t REFERENCES t (n), m int NOT NULL);
                INSERT INTO t VALUES (1, '[1,5)')
                """)
        }
        for (sql, constraint, state) in [
            ("INSERT INTO t VALUES (1, NULL)", "t_once", "23505"),
            ("INSERT INTO t VALUES (10, NULL)", "t_small", "23514"),
            ("INSERT INTO t VALUES (2, '[4,6)')", "t_apart", "23P01"),
            ("INSERT INTO u VALUES (7, 1)", "u_of_t", "23503"),
        ] {
            let error = try failure { try $0.execute(sql) }
            #expect(error.code == .conflict)
            #expect(error.constraint == constraint)
            #expect(error.sqlState == state)
            let table = constraint.prefix(1)
            #expect(
                error.detail == "the change clashes with the rule \"\(constraint)\" of table \(table) in the database")
        }
        #expect(try failure { try $0.execute("INSERT INTO u VALUES (1, NULL)") }.code == .bug)
    }

    @Test(
        "a statement's failure has the code of its kind",
        arguments: [
            ("SELECT * FROM nowhere", DatabaseError.Code.schema, "42P01"),
            ("SELECT nothing", .schema, "42703"),
            ("SELEC", .schema, "42601"),
            ("SELECT 'x'::text::inet", .invalidValue, "22P02"),
            ("SELECT 1 / (random() * 0)::int", .invalidValue, "22012"),
            ("SELECT current_setting('nowhere.x')", .schema, "42704"),
        ])
    func kinds(_ sql: String, _ code: DatabaseError.Code, _ state: String) throws {
        let error = try failure { _ = try $0.query(sql) }
        #expect(error.code == code)
        #expect(error.sqlState == state)
    }

    @Test(
        "an SQLSTATE has the code of its kind",
        arguments: [
            ("40001", DatabaseError.Code.retryable), ("40P01", .retryable), ("23505", .conflict), ("23P01", .conflict),
            ("P0001", .conflict), ("23502", .bug), ("25006", .readOnly), ("53100", .full), ("53200", .full),
            ("53300", .unavailable), ("55P03", .timeout), ("57014", .canceled), ("57P01", .unavailable),
            ("57P03", .unavailable), ("08006", .unavailable), ("58030", .unavailable), ("28P01", .unavailable),
            ("42501", .permission), ("3F000", .schema), ("22003", .invalidValue), ("XX000", .bug), ("0A000", .bug),
        ])
    func states(_ state: String, _ code: DatabaseError.Code) throws {
        let error = try failure { try $0.script(TransactionTests.raise(state)) }
        #expect(error.code == code)
        #expect(error.sqlState == state)
    }

    @Test("a read-only transaction, a lock that is taken, and a missing right have sentences of their own")
    func sentences() throws {
        try scratch.database.withConnection {
            try $0.script("CREATE TABLE plain (n int); CREATE ROLE nobody_\(scratch.name)")
        }
        let readOnly = try failure { connection in
            try connection.script("BEGIN READ ONLY")
            try connection.execute("INSERT INTO plain VALUES (1)")
        }
        #expect(readOnly.code == .readOnly)
        #expect(readOnly.detail == "the database is read-only (a standby, or made so); connect to the primary")

        let holder = try scratch.database.connect()
        defer { holder.close() }
        try holder.script("BEGIN; LOCK TABLE plain")
        let locked = try failure { try $0.script("BEGIN; LOCK TABLE plain NOWAIT") }
        #expect(locked.code == .timeout)
        #expect(locked.detail == "a lock in the database was not free in time; try again")

        let denied = try failure { connection in
            try connection.transaction {
                try connection.script("SET LOCAL ROLE nobody_\(scratch.name)")
                _ = try connection.query("SELECT pg_read_file('/etc/passwd')")
            }
        }
        #expect(denied.code == .permission)
        #expect(
            denied.detail == "the database role lacks a right: permission denied for function pg_read_file; "
                + "whoever may give it can: GRANT ALL ON FUNCTION pg_read_file TO ROLE")
    }

    @Test(
        "a server before 15 is refused with its version",
        arguments: [(149_999, "14"), (90_624, "9")] as [(Int32, String)])
    func oldServer(_ version: Int32, _ name: String) {
        let error = DatabaseError.unsupported(server: version, of: "ann@h:5432/d")
        #expect(error?.code == .tooOld)
        #expect(
            error?.detail
                == "the server of ann@h:5432/d is PostgreSQL \(name); "
                + "wireloom needs PostgreSQL 15 or newer: upgrade the server")
        #expect(DatabaseError.unsupported(server: 150_000, of: "x") == nil)
    }

    @Test("a database that cannot keep every character is refused")
    func encodings() {
        for encoding in ["LATIN1", "SQL_ASCII"] {
            let error = DatabaseError.unsupported(encoding: encoding, of: "ann@h:5432/d")
            #expect(error?.code == .encoding && error?.detail.contains("keeps text as \(encoding)") == true)
        }
        for encoding in ["UTF8", nil] { #expect(DatabaseError.unsupported(encoding: encoding, of: "d") == nil) }
    }

    @Test("an error shows the statement and the server's words only in its debug description")
    func leaks() throws {
        let error = try failure { _ = try $0.query("SELECT $1::text::inet", "hunter2") }
        #expect(error.description == "the database cannot hold a value that was given (22P02)")
        #expect(error.debugDescription.contains("SELECT $1::text::inet"))
        #expect(error.debugDescription.contains("invalid_value 22P02"))
    }
}
