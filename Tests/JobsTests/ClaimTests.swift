import Locking
import Postgres
import Testing

@testable import Jobs

@Suite("holding a job")
struct ClaimTests {
    @Test("jobs are claimed in the order they were asked for, and a subject that asks again goes behind the others")
    func fairness() throws {
        let fixture = try Fixture()
        for subject in ["a", "b", "c"] { try fixture.enqueue(subject) }
        let first = try fixture.claim()
        try fixture.enqueue("a")
        try fixture.finish(first)
        var order = [first.subject]
        for _ in 0..<3 {
            let job = try fixture.claim()
            order.append(job.subject)
            try fixture.finish(job)
        }
        #expect(order == ["a", "b", "c", "a"])
    }

    @Test("a running subject is passed over, for a job of another kind too, and its turn comes when it is free")
    func passedOver() throws {
        let fixture = try Fixture()
        try fixture.enqueue("a")
        let running = try fixture.claim()
        let blocked = try fixture.enqueue("a", kind: "other")
        let free = try fixture.enqueue("b")
        #expect(try fixture.claim(kinds: ["work", "other"]).id == free)
        #expect(try fixture.queue.claim(kinds: ["work", "other"], worker: "w", lease: .seconds(9)) == nil)
        try fixture.finish(running)
        #expect(try fixture.claim(kinds: ["work", "other"]).id == blocked)
    }

    @Test("a worker takes only the kinds it knows and, where restricted, only the jobs it is for")
    func restricted() throws {
        let fixture = try Fixture()
        try fixture.enqueue("a", kind: "other")
        try fixture.enqueue("b")
        let mine = try fixture.enqueue("c")
        let job = try fixture.queue.claim(kinds: ["work"], ids: [mine], worker: "w", lease: .seconds(9))
        #expect(job?.id == mine)
        #expect(try fixture.queue.claim(kinds: ["work"], ids: [mine], worker: "w", lease: .seconds(9)) == nil)
    }

    @Test("I6: at most one running job per subject, in any number of processes")
    func oneRunning() throws {
        let fixture = try Fixture()
        let queues = [fixture.queue, fixture.otherQueue()]
        let subjects = (0..<5).map { "s\($0)" }
        let kinds = ["create", "delete", "move"]
        for subject in subjects { for kind in kinds { try fixture.enqueue(subject, kind: kind) } }

        let running = Mutex<Set<String>>([])
        let ran = Mutex<[JobID]>([])
        let clashes = Mutex(0)
        try concurrently(8) { index in
            let queue = queues[index % 2]
            while ran.withLock({ $0.count }) < subjects.count * kinds.count {
                guard let job = try queue.claim(kinds: kinds, worker: "w\(index)", lease: .seconds(300)) else {
                    continue
                }
                if !running.withLock({ $0.insert(job.subject).inserted }) { clashes.withLock { $0 += 1 } }
                // Taken out before the end is committed, or the next claim could come first.
                try queue.database.transaction { connection in
                    try JobQueue.end(job, .done(findings: 0), in: connection)
                    running.withLock { _ = $0.remove(job.subject) }
                }
                ran.withLock { $0.append(job.id) }
            }
        }
        #expect(clashes.withLock { $0 } == 0)
        #expect(ran.withLock { Set($0).count } == subjects.count * kinds.count)
        #expect(ran.withLock { $0.count } == subjects.count * kinds.count)
    }

    @Test("I6: a worker that was stalled beyond its lease and then finishes writes nothing")
    func stalled() throws {
        let fixture = try Fixture()
        try fixture.execute("CREATE TABLE result (worker text)")
        let id = try fixture.enqueue("a")
        let stalled = try fixture.claim("stalled")
        try fixture.expire(id)
        #expect(try fixture.queue.reapExpired().map(\.state) == [.queued])

        func write(_ job: ClaimedJob) throws {
            try fixture.database.transaction { connection in
                try connection.execute("INSERT INTO result VALUES ($1::text)", job.worker)
                try JobQueue.end(job, .done(findings: 3), in: connection)
            }
        }
        let lost = JobError.lostLease(id, attempt: 1)
        #expect(throws: lost) { try write(stalled) }
        let second = try fixture.claim("second")
        #expect(second.id == id && second.attempt == 2)
        // The job runs again, but as another's attempt.
        #expect(throws: lost) { try write(stalled) }
        #expect(throws: lost) { try fixture.database.transaction { try JobQueue.lock(stalled, in: $0) } }
        try write(second)
        #expect(throws: lost) { try write(stalled) }
        #expect(try fixture.count("SELECT count(*) FROM result WHERE worker = 'second'") == 1)
        #expect(try fixture.count("SELECT count(*) FROM result") == 1)
        #expect(try fixture.row(id).state == .findings)
        #expect(try fixture.row(id).findings == 3)
    }

    @Test("a job in its final transaction is not reaped, its heartbeat and its log do not wait, and it ends")
    func finalTransaction() throws {
        let fixture = try Fixture()
        let other = fixture.otherQueue()
        let id = try fixture.enqueue("a")
        let job = try fixture.claim()
        try fixture.expire(id)
        try fixture.database.transaction { connection in
            try JobQueue.lock(job, in: connection)
            #expect(try other.reapExpired().isEmpty)
            try other.database.withConnection { connection in
                // Instead of hanging, a statement that waits would fail.
                try connection.script("SET lock_timeout = '5s'")
                let beat = JobQueue.Beat(id: id.value, attempt: 1, phase: "writing", done: nil, total: nil)
                #expect(try other.beat([beat], lease: .seconds(9), in: connection) == [job.claim: .held])
                let draft = JobQueue.Draft(
                    level: "info", code: "c", subject: nil, message: "m", fix: nil, at: .now)
                try other.append([draft], to: job.claim, in: connection)
            }
            try JobQueue.end(job, .done(findings: 0), in: connection)
        }
        #expect(try fixture.queue.reapExpired().isEmpty)
        #expect(try fixture.row(id).state == .succeeded)
    }

    @Test("a heartbeat renews the lease, carries progress, and tells what became of the job")
    func heartbeat() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a")
        let job = try fixture.claim()
        func beat(_ attempt: Int = 1, phase: String? = nil) throws -> JobQueue.Standing? {
            let beat = JobQueue.Beat(id: id.value, attempt: attempt, phase: phase, done: 3, total: 9)
            return try fixture.database.withConnection {
                try fixture.queue.beat([beat], lease: .seconds(300), in: $0).values.first
            }
        }
        try fixture.expire(id)
        #expect(try beat(phase: "reading") == .held)
        #expect(try fixture.queue.reapExpired().isEmpty)
        let row = try fixture.row(id)
        #expect(row.phase == "reading" && row.done == 3 && row.total == 9)
        #expect(try beat(2) == .lost)
        try fixture.queue.cancel(id, by: "ada")
        #expect(try beat() == .cancelRequested(by: "ada"))
        try fixture.finish(job)
        #expect(try beat() == .finished)
        try fixture.execute("DELETE FROM job")
        #expect(try beat() == .lost)
    }

    @Test("a job whose workers vanish is queued again until its attempts are used up, then fails and says so")
    func attempts() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a", maxAttempts: 3)
        for attempt in 1...3 {
            let job = try fixture.claim("w\(attempt)")
            #expect(job.attempt == attempt)
            try fixture.expire(id)
            #expect(try fixture.queue.reapExpired().map(\.state) == [attempt < 3 ? .queued : .failed])
        }
        let row = try fixture.row(id)
        #expect(row.errorCode == "worker_lost")
        #expect(row.error == "worker w3 stopped answering while it ran this job")
        #expect(try fixture.queue.events(id).map(\.code) == ["worker_lost", "worker_lost", "worker_lost"])
        #expect(try fixture.queue.reapExpired().isEmpty)
    }

    @Test("a vanished worker's job gives way to one that waits for its subject, and ends canceled where that was asked")
    func reapGivesWay() throws {
        let fixture = try Fixture()
        let old = try fixture.enqueue("a")
        _ = try fixture.claim()
        let waiting = try fixture.enqueue("a")
        let unwanted = try fixture.enqueue("b")
        _ = try fixture.claim()
        try fixture.queue.cancel(unwanted, by: "ada")
        try fixture.expire(old)
        try fixture.expire(unwanted)
        let reaped = try fixture.queue.reapExpired()
        #expect(reaped.map(\.id) == [old, unwanted])
        #expect(reaped.map(\.state) == [.failed, .canceled])
        #expect(try fixture.row(waiting).state == .queued)
        #expect(try fixture.claim().id == waiting)
    }

    @Test("a job handed back costs none of its attempts")
    func release() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a", maxAttempts: 1)
        for _ in 0..<3 {
            let job = try fixture.claim()
            #expect(try fixture.database.withConnection { try fixture.queue.release(job, in: $0) } == .queued)
            #expect(throws: JobError.lostLease(id, attempt: job.attempt)) {
                try fixture.database.withConnection { try fixture.queue.release(job, in: $0) }
            }
        }
        #expect(try fixture.row(id).state == .queued)
    }
}
