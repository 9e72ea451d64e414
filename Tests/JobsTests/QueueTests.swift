import Locking
import Postgres
import Testing

@testable import Jobs

@Suite("asking for jobs and looking at them")
struct QueueTests {
    @Test("asking again returns the job that waits, which takes the newer keys of the payload")
    func idempotence() throws {
        let fixture = try Fixture()
        let first = try fixture.enqueue("a", payload: #"{"from": "schedule"}"#)
        let again = try fixture.database.transaction {
            try fixture.queue.enqueue(
                kind: "work", subject: "a", label: "new name", payload: JSON(text: #"{"force": true}"#), in: $0)
        }
        #expect(again.id == first)
        #expect(!again.created)
        let row = try fixture.row(first)
        #expect(row.payload.text.contains(#""from": "schedule""#))
        #expect(row.payload.text.contains(#""force": true"#))
        #expect(row.label == "new name")
        #expect(try fixture.count("SELECT count(*) FROM job") == 1)
    }

    @Test("asking while the subject's job runs queues one more, and only one")
    func whileRunning() throws {
        let fixture = try Fixture()
        let first = try fixture.enqueue("a")
        _ = try fixture.claim()
        let second = try fixture.enqueue("a")
        #expect(second != first)
        #expect(try fixture.enqueue("a") == second)
    }

    @Test("work asked for in a transaction that rolls back was never asked for")
    func rolledBack() throws {
        struct Stop: Error {}
        let fixture = try Fixture()
        #expect(throws: Stop.self) {
            try fixture.database.transaction {
                try fixture.queue.enqueue(kind: "work", subject: "a", label: "a", in: $0)
                throw Stop()
            }
        }
        #expect(try fixture.queue.jobs().isEmpty)
    }

    @Test("I6: at most one queued job per subject, however many processes ask at once")
    func oneQueued() throws {
        let fixture = try Fixture()
        let queues = [fixture.queue, fixture.otherQueue()]
        let created = Mutex<[JobID]>([])
        let answered = Mutex<Set<JobID>>([])
        try concurrently(8) { index in
            let queue = queues[index % 2]
            for _ in 0..<20 {
                let asked = try queue.database.transaction {
                    try queue.enqueue(kind: "work", subject: "a", label: "a", in: $0)
                }
                if asked.created { created.withLock { $0.append(asked.id) } }
                answered.withLock { _ = $0.insert(asked.id) }
            }
        }
        #expect(created.withLock { $0.count } == 1)
        #expect(answered.withLock { $0.count } == 1)
    }

    @Test(
        "I6: the tables themselves refuse a second running or queued job of a subject",
        arguments: [
            ("job_queued_once", "INSERT INTO job (kind, subject) VALUES ('work', 'a'), ('work', 'a')"),
            (
                "job_running_once",
                """
                INSERT INTO job (kind, subject, state, worker, lease_until)
                VALUES ('create', 'a', 'running', 'w', now()), ('delete', 'a', 'running', 'w', now())
                """
            ),
        ])
    func constraints(index: String, sql: String) throws {
        let fixture = try Fixture()
        let error = #expect(throws: DatabaseError.self) { try fixture.execute(sql) }
        #expect(error?.code == .conflict)
        #expect(error?.constraint == index)
    }

    @Test("a job asked for later is not run before its time, and asking for it now brings it forward")
    func later() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a", after: .seconds(3600))
        #expect(try fixture.queue.claim(kinds: ["work"], worker: "w", lease: .seconds(9)) == nil)
        #expect(try fixture.enqueue("a") == id)
        #expect(try fixture.claim().id == id)
    }

    @Test("canceling a queued job ends it, a running one asks its worker, an ended one is refused")
    func cancel() throws {
        let fixture = try Fixture()
        let running = try fixture.enqueue("a")
        let claimed = try fixture.claim()
        let queued = try fixture.enqueue("a")

        #expect(try fixture.queue.cancel(queued, by: "ada") == .canceled)
        #expect(try fixture.row(queued).state == .canceled)
        #expect(try fixture.row(queued).canceledBy == "ada")

        #expect(try fixture.queue.cancel(running, by: "ada") == .requested)
        #expect(try fixture.queue.cancel(running, by: "eve") == .requested)
        #expect(try fixture.row(running).state == .running)
        #expect(try fixture.row(running).canceledBy == "ada")

        try fixture.finish(claimed)
        #expect(
            throws: JobError(
                .alreadyEnded, "job \(running) has ended already (succeeded): there is nothing to cancel")
        ) { try fixture.queue.cancel(running, by: "ada") }
        #expect(throws: JobError(.notFound, "there is no job 4711; see: wireloom job list")) {
            try fixture.queue.cancel(JobID(4711), by: "ada")
        }
    }

    @Test("retrying an ended job asks for the same work as a new job; one that has not ended is refused")
    func retry() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a", payload: #"{"n": 1}"#, maxAttempts: 5)
        #expect(throws: JobError(.notEnded, "job \(id) is queued: only a job that has ended can be retried")) {
            try fixture.queue.retry(id)
        }
        try fixture.finish(fixture.claim())
        let again = try fixture.queue.retry(id)
        #expect(again.created && again.id != id)
        let (old, new) = (try fixture.row(id), try fixture.row(again.id))
        #expect(old.state == .succeeded && new.state == .queued)
        #expect(new.payload == old.payload && new.subject == old.subject && new.label == old.label)
        #expect(try fixture.count("SELECT max_attempts FROM job WHERE id = \(again.id)") == 5)
    }

    @Test(
        "a job's log keeps the order it was written in and is read on from any line, without what text cannot hold and what a lost attempt says"
    )
    func events() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a")
        func draft(_ text: String, _ level: JobEvent.Level = .info) -> JobQueue.Draft {
            JobQueue.Draft(level: level.rawValue, code: "c", subject: nil, message: text, fix: "f", at: .now)
        }
        let claim = try fixture.claim().claim
        try fixture.database.withConnection { connection in
            try fixture.queue.append((0..<50).map { draft("line \($0)") }, to: claim, in: connection)
            try fixture.queue.append([draft("nul\0nul", .finding)], to: claim, in: connection)
            // The job is another attempt's.
            try fixture.queue.append([draft("late")], to: JobQueue.Claim(id: id, attempt: 0), in: connection)
        }
        let all = try fixture.queue.events(id)
        #expect(all.map(\.message) == (0..<50).map { "line \($0)" } + ["nulnul"])
        #expect(all.last?.level == .finding && all.last?.fix == "f" && all.last?.subject == nil)
        #expect(try fixture.queue.events(id, after: all[48].seq).map(\.message) == ["line 49", "nulnul"])
        #expect(try fixture.queue.events(id, limit: 3).count == 3)
    }

    @Test("pruning keeps each subject's newest ended jobs and everything that has not ended")
    func prune() throws {
        let fixture = try Fixture()
        var ended: [String: [JobID]] = [:]
        for _ in 0..<4 {
            for subject in ["a", "b"] {
                ended[subject, default: []].append(try fixture.enqueue(subject))
                try fixture.finish(fixture.claim())
            }
        }
        let running = try fixture.enqueue("a")
        _ = try fixture.claim()
        let queued = try fixture.enqueue("a")
        #expect(try fixture.queue.prune(keepPerSubject: 2) == 4)
        let left = try fixture.queue.jobs().map(\.id)
        #expect(Set(left) == Set(ended.values.flatMap { $0.suffix(2) } + [running, queued]))

        try fixture.execute("UPDATE job SET finished_at = now() - interval '100 days' WHERE subject = 'b'")
        #expect(try fixture.queue.prune(keepPerSubject: 2) == 2)
        #expect(try fixture.queue.jobs(JobFilter(subject: "b")).isEmpty)
    }

    @Test("a listing shows the newest first and only what the filter lets through")
    func listing() throws {
        let fixture = try Fixture()
        let a = try fixture.enqueue("a")
        let b = try fixture.enqueue("b", kind: "other")
        let c = try fixture.enqueue("c")
        _ = try fixture.claim()
        func ids(_ filter: JobFilter) throws -> [JobID] { try fixture.queue.jobs(filter).map(\.id) }
        #expect(try ids(JobFilter()) == [c, b, a])
        #expect(try ids(JobFilter(limit: 1)) == [c])
        #expect(try ids(JobFilter(states: [.queued])) == [c, b])
        #expect(try ids(JobFilter(states: [.running, .failed])) == [a])
        #expect(try ids(JobFilter(kind: "other")) == [b])
        #expect(try ids(JobFilter(subject: "c")) == [c])
        #expect(try ids(JobFilter(label: "label of a")) == [a])
        #expect(try ids(JobFilter(ids: [a, b])) == [b, a])
        #expect(try ids(JobFilter(ids: [])).isEmpty)
    }

    @Test("the latest job of each subject is its newest, or its newest that ended")
    func latest() throws {
        let fixture = try Fixture()
        let old = try fixture.enqueue("a")
        try fixture.finish(fixture.claim())
        let new = try fixture.enqueue("a")
        try fixture.enqueue("b", kind: "other")
        #expect(try fixture.queue.latest(kind: "work").map(\.id) == [new])
        #expect(try fixture.queue.latest(kind: "work", ended: true).map(\.id) == [old])
    }

    @Test("PostgreSQL understands every statement")
    func statements() throws {
        let fixture = try Fixture()
        try fixture.database.withConnection { connection in
            for sql in [
                JobSQL.enqueue, JobSQL.notify, JobSQL.claim, JobSQL.byID, JobSQL.list, JobSQL.latest, JobSQL.cancel,
                JobSQL.retry, JobSQL.beat, JobSQL.lock, JobSQL.end, JobSQL.giveBack, JobSQL.prune,
                JobEventSQL.insert, JobEventSQL.after,
                ScheduleSQL.upsert, ScheduleSQL.delete, ScheduleSQL.enable, ScheduleSQL.list, ScheduleSQL.due,
            ] { try connection.prepare(sql) }
        }
    }
}
