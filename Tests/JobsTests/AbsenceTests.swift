import Locking
import Logging
import Postgres
import Testing

@testable import Jobs

@Suite("a database that is away")
struct AbsenceTests {
    @Test("patience lasts so long since the last answer, tells of each absence once, and bears nothing else")
    func patience() throws {
        struct Other: Error {}
        let away = DatabaseError(.unavailable, "away")
        let begin = ContinuousClock.now
        var patience = Patience(.seconds(30), from: begin)
        var told = 0
        func look(at seconds: Int, _ result: Result<Int, any Error>) throws -> Int? {
            try patience.bear(now: { begin + .seconds(seconds) }, away: { _ in told += 1 }) { try result.get() }
        }
        #expect(try look(at: 29, .failure(away)) == nil)
        #expect(try look(at: 29, .failure(away)) == nil)
        #expect(told == 1)
        #expect(try look(at: 40, .success(7)) == 7)
        #expect(try look(at: 69, .failure(away)) == nil)
        #expect(told == 2)
        #expect(throws: DatabaseError.self) { try look(at: 70, .failure(away)) }
        #expect(try look(at: 80, .success(8)) == 8)
        #expect(throws: Other.self) { try look(at: 81, .failure(Other())) }
        #expect(throws: DatabaseError.self) { try look(at: 81, .failure(DatabaseError(.schema, "no table"))) }
        #expect(told == 2)
    }

    @Test("following a job outlives a database that is away for less than a lease")
    func follows() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a")
        let (looked, waits) = (Gate(), Gate())
        var configuration = fixture.configuration()
        configuration.lease = .seconds(3600)
        configuration.logger = Logger(label: "test") { _ in
            GatedLog(message: "following jobs has to wait for the database", gate: waits)
        }
        let follower = Runner(fixture.otherQueue(), handlers: [], configuration)
        let states = Mutex<[JobState]>([])
        try concurrently(2) { index in
            if index == 0 {
                let rows = try follower.wait(for: [id], every: .milliseconds(20)) { _ in looked.open() }
                states.withLock { $0 = rows.map(\.state) }
            } else {
                looked.pass()
                try fixture.shut(true)
                waits.pass()
                try fixture.shut(false)
                try fixture.finish(try fixture.claim())
            }
        }
        #expect(states.withLock { $0 } == [.succeeded])
    }

    @Test("a job that is told to stop while the database is away does not keep the process")
    func stops() throws {
        let fixture = try Fixture()
        let started = Gate()
        let handler = Handler { context in
            let told = Gate()
            context.cancellation.interrupting(with: { told.open() }) {
                started.open()
                told.pass()
            }
            try context.checkCancellation()
        }
        try fixture.enqueue("a")
        var configuration = fixture.configuration()
        configuration.lease = .seconds(3600)
        let runner = Runner(fixture.queue, handlers: [handler], configuration)
        runner.start()
        started.pass()
        try fixture.shut(true)
        // Else its lane would try until the lease ran out.
        #expect(runner.stop(grace: .zero, patience: .seconds(60)))
    }

    @Test("a job's end that waits for its row keeps no other job's heartbeat waiting")
    func lockedEnd() throws {
        let fixture = try Fixture()
        let (started, firstMayEnd, secondMayEnd) = (Gate(), Gate(), Gate())
        let handler = Handler { context in
            started.open()
            (context.job.subject == "a" ? firstMayEnd : secondMayEnd).pass()
        }
        let first = try fixture.enqueue("a")
        let second = try fixture.enqueue("b")
        var configuration = fixture.configuration()
        configuration.lease = .seconds(6)
        let runner = Runner(fixture.queue, handlers: [handler], configuration)
        runner.start()
        started.pass()
        started.pass()
        // As the job's final transaction does in the server after its connection broke.
        let broken = try fixture.database.connect()
        defer { broken.close() }
        try broken.script("BEGIN")
        _ = try broken.query("SELECT FROM job WHERE id = $1::bigint FOR NO KEY UPDATE", first.value)
        firstMayEnd.open()
        try until("its end waits for the row") {
            try fixture.count(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND wait_event_type = 'Lock'
                """) == 1
        }
        let lease = try fixture.row(second).leaseUntil
        try until("the other job's lease is renewed") { try fixture.row(second).leaseUntil != lease }
        #expect(try fixture.row(first).state == .running)
        broken.close()
        secondMayEnd.open()
        #expect(try runner.wait(for: [first, second]).map(\.state) == [.succeeded, .succeeded])
        runner.stop()
    }
}
