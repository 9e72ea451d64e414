import Foundation
import Locking
import Postgres
import Support
import Testing

@Suite struct PoolTests {
    private func database(
        _ scratch: ScratchDatabase, connections: Int, acquireTimeout: Duration = .seconds(60)
    ) -> Database {
        Database(
            DatabaseConfiguration(uri: scratch.uri, maxConnections: connections, acquireTimeout: acquireTimeout))
    }

    @Test("many threads share few connections, and never more than the limit are open")
    func bounded() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let database = database(scratch, connections: 3)
        defer { database.close() }
        let outcomes = Outcomes()
        let current = Mutex(0)
        let peak = Mutex(0)
        let group = DispatchGroup()
        for thread in 0..<24 {
            DispatchQueue(label: "thread \(thread)").async(group: group) {
                outcomes.add {
                    try database.withConnection { connection in
                        let now = current.withLock { count in
                            count += 1
                            return count
                        }
                        peak.withLock { $0 = max($0, now) }
                        _ = try connection.query("SELECT $1::int", thread)
                        current.withLock { $0 -= 1 }
                    }
                }
            }
        }
        group.wait()
        #expect(outcomes.failures.isEmpty)
        #expect(outcomes.count == 24)
        #expect((1...3).contains(peak.withLock { $0 }))
        try scratch.database.withConnection { connection in
            let sessions: Int = try connection.query(
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'wireloom' AND datname = current_database()"
            ).one().get(0)
            #expect(sessions <= 3)
        }
    }

    @Test("threads get a connection in the order in which they asked")
    func fair() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let database = database(scratch, connections: 1)
        defer { database.close() }
        let order = Mutex<[Int]>([])
        let group = DispatchGroup()
        try database.withConnection { _ in
            for thread in 0..<8 {
                DispatchQueue(label: "thread \(thread)").async(group: group) {
                    _ = try? database.withConnection { _ in order.withLock { $0.append(thread) } }
                }
                // The next one asks when this one is in the queue.
                while database.waiting <= thread { sched_yield() }
            }
        }
        group.wait()
        #expect(order.withLock { $0 } == Array(0..<8))
    }

    @Test("a thread that waits too long is told that the connections are in use, and the pool goes on")
    func timeout() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let database = database(scratch, connections: 1, acquireTimeout: .milliseconds(20))
        defer { database.close() }
        try database.withConnection { _ in
            let error = #expect(throws: DatabaseError.self) { try database.withConnection { _ in } }
            #expect(error?.code == .timeout)
            #expect(error?.detail == "no database connection came free in 0.02 seconds: all 1 are in use; try again")
            _ = try scratch.database.connect().isUsable
        }
        #expect(database.waiting == 0)
        try database.withConnection { _ = try $0.query("SELECT 1") }
    }

    @Test("sessions that the server ended while they were idle are replaced unnoticed")
    func replacesIdle() throws {
        let scratch = try ScratchDatabase(migrated: false, maxConnections: 4)
        let before = try scratch.database.withConnection { try Self.pid($0) }
        try scratch.terminateSessions()
        let after = try scratch.database.withConnection { try Self.pid($0) }
        #expect(before != after)
    }

    @Test("a session that broke while lent does not come back")
    func replacesBroken() throws {
        let scratch = try ScratchDatabase(migrated: false, maxConnections: 1)
        let error = #expect(throws: DatabaseError.self) {
            try scratch.database.withConnection { connection in
                try scratch.terminateSessions()
                _ = try connection.query("SELECT 1")
            }
        }
        #expect(error?.code == .unavailable)
        try scratch.database.withConnection { _ = try $0.query("SELECT 1") }
    }

    @Test("a pool outlives a crash and restart of the server")
    func serverRestart() throws {
        let server = try ScratchServer()
        let database = Database(DatabaseConfiguration(uri: server.uri("postgres"), maxConnections: 2))
        defer { database.close() }
        let victim = try database.connect()
        defer { victim.close() }
        try database.withConnection { connection in
            // Scratch servers may lose what they said was committed.
            try connection.script("SET synchronous_commit = on")
            try connection.script("CREATE TABLE t AS SELECT 1 AS n")
        }
        // A backend that dies by a signal makes the server end every session and recover.
        kill(pid_t(try Self.pid(victim)), SIGKILL)
        #expect(throws: DatabaseError.self) { while true { _ = try victim.query("SELECT 1") } }
        var rows = 0
        while rows == 0 {
            do {
                rows = try database.withConnection { try $0.query("SELECT n FROM t").count }
            } catch let error as DatabaseError where error.code == .unavailable {
                // Between the death and the recovery a session can be met that is being ended.
                sched_yield()
            }
        }
        #expect(rows == 1)
    }

    @Test("what a borrower leaves open is ended: transaction, COPY and LISTEN")
    func cleansUp() throws {
        let scratch = try ScratchDatabase(migrated: false, maxConnections: 1)
        var writer: CopyWriter?
        let session = try scratch.database.withConnection { connection in
            try connection.script("CREATE TABLE t (n int)")
            try connection.listen("news")
            let session = try Self.pid(connection)
            try connection.script("BEGIN; INSERT INTO t VALUES (1)")
            writer = try connection.copyIn("t", columns: ["n"])
            return session
        }
        try scratch.database.withConnection { connection in
            #expect(!connection.isInTransaction)
            #expect(try Self.pid(connection) == session)
            #expect(throws: DatabaseError.self) { try writer?.finish() }
            let row = try connection.query(
                "SELECT (SELECT count(*) FROM t) AS rows, (SELECT count(*) FROM pg_listening_channels()) AS channels"
            ).one()
            #expect(try row.get("rows") == 0)
            #expect(try row.get("channels") == 0)
        }
    }

    @Test("a closed pool lends nothing, tells those who wait, and closes what comes back")
    func close() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let database = database(scratch, connections: 1)
        let waiter = Outcomes()
        let group = DispatchGroup()
        try database.withConnection { connection in
            DispatchQueue(label: "waiter").async(group: group) {
                waiter.add { try database.withConnection { _ in } }
            }
            while database.waiting < 1 { sched_yield() }
            database.close()
            database.close()
            _ = try connection.query("SELECT 1")
        }
        group.wait()
        #expect(waiter.failures.count == 1)
        let error = #expect(throws: DatabaseError.self) { try database.withConnection { _ in } }
        #expect(error?.code == .unavailable)
        #expect(error?.detail == "the database pool is closed")
    }

    @Test("a place whose connection could not be made is not lost")
    func failedConnects() throws {
        let database = Database(
            DatabaseConfiguration(uri: "postgresql://%2Fnowhere/x", maxConnections: 1, acquireTimeout: .seconds(5)))
        for _ in 0..<3 {
            let error = #expect(throws: DatabaseError.self) { try database.withConnection { _ in } }
            #expect(error?.code == .unavailable)
        }
    }

    private static func pid(_ connection: Connection) throws -> Int {
        try connection.query("SELECT pg_backend_pid()").one().get(0)
    }
}
