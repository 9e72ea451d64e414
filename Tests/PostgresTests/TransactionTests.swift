import Foundation
import Postgres
import Support
import Testing

private struct Refusal: Error {}

@Suite struct TransactionTests {
    let scratch: ScratchDatabase

    init() throws {
        scratch = try ScratchDatabase(migrated: false)
        try scratch.database.withConnection { try $0.script("CREATE TABLE t (n int PRIMARY KEY)") }
    }

    private func numbers() throws -> [Int] {
        try scratch.database.withConnection { try $0.query("SELECT n FROM t ORDER BY n").map { try $0.get(0) } }
    }

    @Test("a transaction that ends keeps its changes; one that throws keeps none")
    func commitAndRollBack() throws {
        let value = try scratch.database.transaction { connection in
            #expect(connection.isInTransaction)
            return try connection.execute("INSERT INTO t VALUES (1)")
        }
        #expect(value == 1)
        #expect(throws: Refusal.self) {
            try scratch.database.transaction { connection in
                try connection.execute("INSERT INTO t VALUES (2)")
                throw Refusal()
            }
        }
        #expect(try numbers() == [1])
    }

    @Test("a transaction inside one is undone alone, at any depth")
    func nested() throws {
        try scratch.database.transaction { connection in
            try connection.execute("INSERT INTO t VALUES (1)")
            try connection.transaction {
                try connection.execute("INSERT INTO t VALUES (2)")
                #expect(throws: DatabaseError.self) {
                    try connection.transaction {
                        try connection.execute("INSERT INTO t VALUES (3)")
                        try connection.execute("INSERT INTO t VALUES (1)")
                    }
                }
                try connection.execute("INSERT INTO t VALUES (4)")
            }
        }
        #expect(try numbers() == [1, 2, 4])
    }

    @Test("a transaction whose failed statement was ignored is not taken for committed")
    func ignoredError() throws {
        let error = #expect(throws: DatabaseError.self) {
            try scratch.database.transaction { connection in
                try connection.execute("INSERT INTO t VALUES (1)")
                try? connection.script("SELECT 1 / 0")
            }
        }
        #expect(error?.code == .bug)
        #expect(try numbers() == [])
    }

    @Test("a lost race is run again, three times in all", arguments: ["40001", "40P01"])
    func retried(_ state: String) throws {
        var attempts = 0
        try scratch.database.transaction { connection in
            attempts += 1
            try connection.execute("INSERT INTO t VALUES (1)")
            if attempts < 3 { try connection.script(Self.raise(state)) }
        }
        #expect(attempts == 3)
        #expect(try numbers() == [1])

        attempts = 0
        let error = #expect(throws: DatabaseError.self) {
            try scratch.database.transaction { connection in
                attempts += 1
                try connection.script(Self.raise(state))
            }
        }
        #expect(error?.code == .retryable)
        #expect(attempts == 3)
    }

    @Test("an error that is no lost race is not run again")
    func notRetried() throws {
        var attempts = 0
        #expect(throws: DatabaseError.self) {
            try scratch.database.transaction { connection in
                attempts += 1
                try connection.script(Self.raise("23505"))
            }
        }
        #expect(attempts == 1)
    }

    @Test("two transactions that deadlock both end well")
    func deadlock() throws {
        try scratch.database.withConnection { try $0.script("INSERT INTO t VALUES (1), (2)") }
        let database = scratch.database
        // Each side takes its first row, then waits until the other has its own: from there on they must deadlock.
        let holds = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let outcome = Outcomes()
        let group = DispatchGroup()
        for (first, second, mine, other) in [(1, 2, holds.0, holds.1), (2, 1, holds.1, holds.0)] {
            DispatchQueue(label: "side \(first)").async(group: group) {
                outcome.add {
                    try database.transaction { connection in
                        try connection.execute("UPDATE t SET n = n WHERE n = $1::int", first)
                        mine.signal()
                        // The side that runs again finds its partner's signal of the first time, or waits no more.
                        other.wait()
                        other.signal()
                        try connection.execute("UPDATE t SET n = n WHERE n = $1::int", second)
                    }
                }
            }
        }
        group.wait()
        #expect(outcome.failures.isEmpty)
        #expect(outcome.count == 2)
    }

    @Test("a connection lost during COMMIT leaves the outcome open, and is not tried again")
    func unknownCommit() throws {
        try scratch.database.withConnection { connection in
            try connection.script(
                """
                CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
                CREATE CONSTRAINT TRIGGER die AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED
                    FOR EACH ROW EXECUTE FUNCTION die()
                """)
        }
        var attempts = 0
        let error = #expect(throws: DatabaseError.self) {
            try scratch.database.transaction { connection in
                attempts += 1
                try connection.execute("INSERT INTO t VALUES (1)")
            }
        }
        #expect(error?.code == .unavailable)
        #expect(error?.commitUnknown == true)
        #expect(attempts == 1)
    }

    @Test("a deferred constraint that refuses at COMMIT is a conflict, and the connection goes on")
    func deferredConflict() throws {
        try scratch.database.withConnection { connection in
            try connection.script("CREATE TABLE u (n int, CONSTRAINT u_once UNIQUE (n) DEFERRABLE INITIALLY DEFERRED)")
            let error = #expect(throws: DatabaseError.self) {
                try connection.transaction { try connection.execute("INSERT INTO u VALUES (1), (1)") }
            }
            #expect(error?.code == .conflict)
            #expect(error?.constraint == "u_once")
            #expect(error?.commitUnknown == false)
            #expect(!connection.isInTransaction)
        }
    }

    static func raise(_ state: String) -> String {
        "DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '\(state)', MESSAGE = 'made up'; END $$"
    }
}
