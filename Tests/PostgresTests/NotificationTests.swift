import Foundation
import Postgres
import Support
import Testing

@Suite struct NotificationTests {
    let scratch: ScratchDatabase

    init() throws {
        scratch = try ScratchDatabase(migrated: false)
    }

    private func notify(_ channel: String, _ payload: String) throws {
        try scratch.database.withConnection {
            _ = try $0.query("SELECT pg_notify($1::text, $2::text)", channel, payload)
        }
    }

    @Test("notifications arrive in order with channel, payload and sender, of the channels listened to")
    func arrive() throws {
        let listener = try scratch.database.connect()
        defer { listener.close() }
        try listener.listen("Job done")
        try notify("other", "x")
        for payload in ["1", "2", "3"] { try notify("Job done", payload) }
        var arrived: [Postgres.Notification] = []
        while arrived.count < 3 { arrived += try listener.notifications(wait: .seconds(60)) }
        #expect(arrived.map(\.payload) == ["1", "2", "3"])
        #expect(arrived.allSatisfy { $0.channel == "Job done" && $0.sender > 0 })
    }

    @Test("a notification that came during a statement is not lost")
    func duringStatement() throws {
        let listener = try scratch.database.connect()
        defer { listener.close() }
        try listener.listen("c")
        try notify("c", "early")
        _ = try listener.query("SELECT 1")
        #expect(try listener.notifications(wait: .seconds(60)).map(\.payload) == ["early"])
    }

    @Test("a wait ends with nothing when its time is over")
    func timeOut() throws {
        let listener = try scratch.database.connect()
        defer { listener.close() }
        try listener.listen("c")
        #expect(try listener.notifications(wait: .milliseconds(1)) == [])
        #expect(try listener.notifications(wait: .zero) == [])
    }

    @Test("a wait that another thread cancels ends early, and the next one waits again")
    func wakeUp() throws {
        let listener = try scratch.database.connect()
        defer { listener.close() }
        try listener.listen("c")
        let token = listener.cancelToken
        // Nothing sleeps between here and the wait, so this thread asleep is this thread waiting.
        let waiting = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
        DispatchQueue(label: "canceller").async {
            while let stat = try? String(contentsOfFile: "/proc/\(waiting)/stat", encoding: .utf8),
                !stat.contains(") S ")
            {
                sched_yield()
            }
            token.cancel()
        }
        #expect(try listener.notifications(wait: .seconds(600)) == [])
        try notify("c", "later")
        // The request itself may still be under way to the server, which then has nothing to interrupt.
        var arrived: [Postgres.Notification] = []
        while arrived.isEmpty { arrived = try listener.notifications(wait: .seconds(60)) }
        #expect(arrived.map(\.payload) == ["later"])
    }

    @Test("the end of the session ends the wait with an error")
    func sessionEnds() throws {
        let listener = try scratch.database.connect()
        defer { listener.close() }
        try listener.listen("c")
        try scratch.terminateSessions()
        let error = #expect(throws: DatabaseError.self) {
            while true { _ = try listener.notifications(wait: .seconds(60)) }
        }
        #expect(error?.code == .unavailable)
        #expect(!listener.isUsable)
    }
}

@Suite struct CancelTests {
    @Test("a running statement is cancelled from another thread, and the connection goes on")
    func cancel() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let connection = try scratch.database.connect()
        defer { connection.close() }
        let token = connection.cancelToken
        let pid: Int = try connection.query("SELECT pg_backend_pid()").one().get(0)
        let database = scratch.database
        let group = DispatchGroup()
        DispatchQueue(label: "canceller").async(group: group) {
            _ = try? database.withConnection { observer in
                // Cancels when the server says that the statement runs.
                var runs = false
                while !runs {
                    runs =
                        try observer.query(
                            "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = $1::int", pid
                        ).one().get(0, as: Bool?.self) ?? false
                }
            }
            token.cancel()
        }
        let error = #expect(throws: DatabaseError.self) { try connection.query("SELECT pg_sleep(600)") }
        group.wait()
        #expect(error?.code == .canceled)
        let next: Int = try connection.query("SELECT 1").one().get(0)
        #expect(next == 1)
    }

    @Test("a token may be used after its connection is closed")
    func afterClose() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let connection = try scratch.database.connect()
        let token = connection.cancelToken
        connection.close()
        token.cancel()
    }

    @Test("a statement beyond the configured time is a timeout, not a cancellation")
    func statementTimeout() throws {
        let scratch = try ScratchDatabase(migrated: false)
        let database = Database(DatabaseConfiguration(uri: scratch.uri, statementTimeout: .milliseconds(10)))
        defer { database.close() }
        try database.withConnection { connection in
            let error = #expect(throws: DatabaseError.self) { try connection.query("SELECT pg_sleep(600)") }
            #expect(error?.code == .timeout)
            #expect(error?.sqlState == "57014")
            let next: Int = try connection.query("SELECT 1").one().get(0)
            #expect(next == 1)
        }
    }
}
