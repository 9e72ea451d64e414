import Locking
import Postgres
import Testing

@testable import Jobs

@Suite("the runner")
struct RunnerTests {
    @Test("no more jobs run at once than there are lanes, and all of them run")
    func width() throws {
        let fixture = try Fixture()
        let ids = try (0..<12).map { try fixture.enqueue("s\($0)") }
        let started = Gate()
        let mayEnd = Gate()
        let running = Mutex((now: 0, most: 0))
        let handler = Handler { _ in
            running.withLock { running in
                running.now += 1
                running.most = max(running.most, running.now)
            }
            started.open()
            mayEnd.pass()
            running.withLock { $0.now -= 1 }
        }
        let runner = Runner(fixture.queue, handlers: [handler], fixture.configuration(width: 3))
        runner.start()
        for _ in 0..<3 { started.pass() }
        // All lanes are held at the gate: the queue's own count is the bound.
        #expect(try fixture.queue.jobs(JobFilter(states: [.running])).count == 3)
        for _ in ids { mayEnd.open() }
        let rows = try runner.wait(for: ids)
        runner.stop()
        #expect(running.withLock { $0.most } == 3)
        #expect(rows.count == 12 && rows.allSatisfy { $0.state == .succeeded })
    }

    @Test("I6: two processes share a queue, and no subject ever has two jobs at once")
    func sharing() throws {
        let fixture = try Fixture()
        let kinds = ["create", "delete", "move", "check"]
        var ids: [JobID] = []
        for kind in kinds { for subject in 0..<6 { ids.append(try fixture.enqueue("s\(subject)", kind: kind)) } }
        let running = Mutex<Set<String>>([])
        let clashes = Mutex(0)
        let runs = Mutex(0)
        let handlers = kinds.map { kind in
            Handler(kind) { context in
                let subject = context.job.subject
                if !running.withLock({ $0.insert(subject).inserted }) { clashes.withLock { $0 += 1 } }
                runs.withLock { $0 += 1 }
                _ = running.withLock { $0.remove(subject) }
            }
        }
        let runners = [fixture.queue, fixture.otherQueue()].enumerated().map { index, queue in
            Runner(
                queue, handlers: handlers, fixture.configuration(worker: "w\(index)", width: 4, poll: .milliseconds(50))
            )
        }
        for runner in runners { runner.start() }
        let rows = try runners[0].wait(for: ids)
        for runner in runners { runner.stop() }
        #expect(rows.allSatisfy { $0.state == .succeeded && $0.attempt == 1 })
        #expect(clashes.withLock { $0 } == 0)
        #expect(runs.withLock { $0 } == ids.count)
    }

    @Test(
        "a job asked for without a notification is found by polling; one with, without polling",
        arguments: [true, false])
    func waking(notified: Bool) throws {
        let fixture = try Fixture()
        let ran = Gate()
        let idle = Gate()
        var configuration = fixture.configuration(poll: notified ? .seconds(3600) : .milliseconds(20))
        configuration.onIdle = { idle.open() }
        let runner = Runner(fixture.queue, handlers: [Handler { _ in ran.open() }], configuration)
        runner.start()
        idle.pass()
        if notified {
            // The runner listens by now, or looks once more when it does.
            try fixture.enqueue("a")
        } else {
            try fixture.execute("INSERT INTO job (kind, subject) VALUES ('work', 'a')")
        }
        ran.pass()
        idle.pass()
        runner.stop()
    }

    @Test("a job that was queued while its subject ran runs as soon as that ends")
    func nextOfSubject() throws {
        let fixture = try Fixture()
        let started = Gate()
        let mayEnd = Gate()
        let runner = Runner(
            fixture.queue,
            handlers: [
                Handler { _ in
                    started.open()
                    mayEnd.pass()
                }
            ], fixture.configuration())
        let first = try fixture.enqueue("a")
        runner.start()
        started.pass()
        let second = try fixture.enqueue("a")
        mayEnd.open()
        started.pass()
        mayEnd.open()
        #expect(try runner.wait(for: [first, second]).map(\.state) == [.succeeded, .succeeded])
        runner.stop()
    }

    @Test("progress shows while the job runs, its log in order when it ends, and findings make its state")
    func progress() throws {
        let fixture = try Fixture()
        let mayEnd = Gate()
        let runner = Runner(
            fixture.queue,
            handlers: [
                Handler { context in
                    context.report(phase: "reading", done: 5, total: 10)
                    context.log(.info, code: "began", message: "one")
                    context.log(.finding, code: "odd", subject: "vm-1", message: "two", fix: "wireloom wire link")
                    mayEnd.pass()
                    context.log(.finding, code: "odd", message: "three")
                    try fixture.database.transaction { try context.finish(in: $0) }
                }
            ], fixture.configuration())
        let id = try fixture.enqueue("a")
        runner.start()
        var isShown = false
        let rows = try runner.wait(for: [id], every: .milliseconds(20)) { rows in
            guard !isShown, let row = rows.first, row.phase == "reading", row.done == 5, row.total == 10 else { return }
            isShown = true
            #expect(row.state == .running && row.worker == "w")
            mayEnd.open()
        }
        runner.stop()
        #expect(isShown)
        #expect(rows.first?.state == .findings && rows.first?.findings == 2)
        let events = try fixture.queue.events(id)
        #expect(events.map(\.message) == ["one", "two", "three"])
        #expect(events[1].subject == "vm-1" && events[1].fix == "wireloom wire link" && events[1].level == .finding)
    }

    @Test("a log that grows without bound is cut, and says so")
    func longLog() throws {
        let fixture = try Fixture()
        let handler = Handler { context in
            for index in 0..<(JobContext.eventLimit + 7) { context.log(.finding, code: "c", message: "line \(index)") }
        }
        let (row, events) = try run(handler, fixture)
        #expect(events.count == JobContext.eventLimit + 1)
        #expect(events.last?.code == "log_full")
        #expect(events.last?.message == "7 more lines were left out: a job keeps 5000")
        #expect(row.findings == JobContext.eventLimit + 7)
    }

    @Test("a failure is told in the handler's words, an error nobody foresaw without its content")
    func failures() throws {
        struct Secretive: Error { let password = "hunter2" }
        let fixture = try Fixture()
        let own = try run(
            Handler { _ in throw JobFailure(code: "unreachable", message: "vc1 did not answer") }, fixture
        ).0
        #expect(own.state == .failed && own.errorCode == "unreachable" && own.error == "vc1 did not answer")
        let other = try run(Handler { _ in throw Secretive() }, fixture).0
        #expect(other.state == .failed && other.errorCode == "internal")
        #expect(other.error?.contains("Secretive") == true && other.error?.contains("hunter2") == false)
        let database = try run(Handler { _ in try fixture.execute("SELECT * FROM nowhere") }, fixture).0
        #expect(database.state == .failed && database.errorCode == "database_schema")
    }

    @Test("what a handler throws after its result is committed does not undo the job's success")
    func throwsAfterCommit() throws {
        let fixture = try Fixture()
        let handler = Handler { context in
            try fixture.database.transaction { try context.finish(in: $0) }
            throw JobFailure(code: "late", message: "logging out did not work")
        }
        #expect(try run(handler, fixture).0.state == .succeeded)
    }

    @Test("a result rolled back behind the handler's back is no success")
    func rolledBack() throws {
        struct Stop: Error {}
        let fixture = try Fixture()
        let handler = Handler { context in
            try? fixture.database.transaction { connection in
                try context.finish(in: connection)
                throw Stop()
            }
        }
        let row = try run(handler, fixture).0
        #expect(row.state == .failed && row.errorCode == "internal")
    }

    @Test("a running job that is canceled is told, and ends canceled whatever it throws")
    func cancel() throws {
        let fixture = try Fixture()
        let started = Gate()
        let handler = Handler { context in
            let interrupted = Gate()
            context.cancellation.interrupting(with: { interrupted.open() }) {
                started.open()
                interrupted.pass()
            }
            throw JobFailure(code: "aborted", message: "the transfer was aborted")
        }
        let id = try fixture.enqueue("a")
        let runner = Runner(fixture.queue, handlers: [handler], fixture.configuration())
        runner.start()
        started.pass()
        #expect(try fixture.queue.cancel(id, by: "ada") == .requested)
        let row = try #require(try runner.wait(for: [id]).first)
        runner.stop()
        #expect(row.state == .canceled && row.error == "canceled by ada" && row.errorCode == "canceled")
    }

    @Test("a job taken from a stalled worker is told to stop there, writes nothing, and is another's")
    func lostLease() throws {
        let fixture = try Fixture()
        let started = Gate()
        let told = Gate()
        let refused = Gate()
        let handler = Handler { context in
            started.open()
            context.cancellation.interrupting(with: { told.open() }) { told.pass() }
            do {
                try fixture.database.transaction { connection in
                    try connection.execute("INSERT INTO result VALUES (1)")
                    try context.finish(in: connection)
                }
            } catch let error as JobError where error.code == .lostLease {
                refused.open()
                throw error
            }
        }
        try fixture.execute("CREATE TABLE result (n int)")
        let id = try fixture.enqueue("a")
        let runner = Runner(fixture.queue, handlers: [handler], fixture.configuration(width: 1))
        runner.start()
        started.pass()
        // In one transaction, so that no heartbeat comes between.
        try fixture.database.transaction { connection in
            try connection.execute(
                "UPDATE job SET lease_until = now() - interval '1 second' WHERE id = $1::bigint", id.value)
            #expect(try fixture.queue.reapExpired(in: connection).map(\.state) == [.queued])
        }
        let second = try fixture.claim("second")
        refused.pass()
        runner.stop()
        #expect(second.attempt == 2)
        #expect(try fixture.row(id).worker == "second")
        #expect(try fixture.row(id).state == .running)
        #expect(try fixture.count("SELECT count(*) FROM result") == 0)
    }

    @Test("a runner for certain jobs runs these and no others")
    func only() throws {
        let fixture = try Fixture()
        let other = try fixture.enqueue("a")
        let mine = try fixture.enqueue("b")
        var configuration = fixture.configuration()
        configuration.only = [mine]
        let runner = Runner(fixture.queue, handlers: [Handler { _ in }], configuration)
        runner.start()
        #expect(try runner.wait(for: [mine]).map(\.state) == [.succeeded])
        runner.stop()
        #expect(try fixture.row(other).state == .queued)
    }

    /// Runs one job with the handler and returns how it ended.
    private func run(_ handler: Handler, _ fixture: Fixture) throws -> (JobRow, [JobEvent]) {
        let id = try fixture.enqueue("one")
        let runner = Runner(fixture.queue, handlers: [handler], fixture.configuration())
        runner.start()
        let rows = try runner.wait(for: [id])
        runner.stop()
        return (try #require(rows.first), try fixture.queue.events(id))
    }
}
