import Locking
import Postgres
import Testing

@testable import Jobs

@Suite("quotas, and jobs that must run")
struct QuotaTests {
    private func enqueue(
        _ fixture: Fixture, _ subject: String, quota: JobQueue.Quota? = nil, mustRun: Bool = false
    ) throws -> JobID {
        try fixture.database.transaction { connection in
            try fixture.queue.enqueue(
                kind: "work", subject: subject, label: subject, quota: quota, mustRun: mustRun, in: connection
            ).id
        }
    }

    @Test("only as many jobs of a quota run at once as it allows; others run beside them, and an end makes room")
    func limit() throws {
        let fixture = try Fixture()
        let quota = JobQueue.Quota("vm:account:1", 2)
        let mine = try ["a", "b", "c"].map { try enqueue(fixture, $0, quota: quota) }
        let other = try enqueue(fixture, "d", quota: .init("vm:account:2", 2))
        let free = try enqueue(fixture, "e")
        var claimed: [ClaimedJob] = []
        while let job = try fixture.queue.claim(kinds: ["work"], worker: "w", lease: .seconds(60)) {
            claimed.append(job)
        }
        #expect(claimed.map(\.id) == [mine[0], mine[1], other, free])
        try fixture.finish(claimed[0])
        #expect(try fixture.claim().id == mine[2])
    }

    @Test("any number of claimers at once never exceed a quota")
    func contention() throws {
        let fixture = try Fixture()
        let quota = JobQueue.Quota("q", 3)
        for index in 0..<40 { _ = try enqueue(fixture, "s\(index)", quota: quota) }
        let most = Mutex(0)
        let running = Mutex(0)
        let ran = Mutex(0)
        try concurrently(8) { index in
            while ran.withLock({ $0 }) < 40 {
                guard let job = try fixture.queue.claim(kinds: ["work"], worker: "w\(index)", lease: .seconds(60))
                else {
                    continue
                }
                let now = running.withLock { count in
                    count += 1
                    return count
                }
                most.withLock { $0 = max($0, now) }
                ran.withLock { $0 += 1 }
                // Before the row says so, so that no other may count it twice.
                running.withLock { $0 -= 1 }
                try fixture.finish(job)
            }
        }
        #expect(most.withLock { $0 } <= 3)
        #expect(ran.withLock { $0 } == 40)
    }

    @Test("I6: no SQL gives two running jobs of a quota one slot")
    func slots() throws {
        let fixture = try Fixture()
        _ = try enqueue(fixture, "a", quota: .init("q", 2))
        _ = try enqueue(fixture, "b", quota: .init("q", 2))
        _ = try fixture.claim()
        _ = try fixture.claim()
        let error = #expect(throws: DatabaseError.self) {
            try fixture.database.withConnection { try $0.execute("UPDATE job SET quota_slot = 1") }
        }
        #expect(error?.constraint == "job_quota_once")
    }

    @Test("a canceled job that must run is still claimed, and its handler knows at once who canceled it")
    func canceledBefore() throws {
        let fixture = try Fixture()
        let id = try enqueue(fixture, "a", mustRun: true)
        #expect(try fixture.queue.cancel(id, by: "ops") == .requested)
        #expect(try fixture.queue.job(id)?.state == .queued)
        let job = try fixture.claim()
        let context = JobContext(job) { _ in }
        #expect(context.cancellation.reason == .requested(by: "ops"))
    }

    @Test("a job that must run outlives any number of workers, also when it was canceled")
    func outlives() throws {
        let fixture = try Fixture()
        let id = try enqueue(fixture, "a", mustRun: true)
        for attempt in 1...5 {
            #expect(try fixture.queue.claim(kinds: ["work"], worker: "w", lease: .zero)?.attempt == attempt)
            if attempt == 3 { #expect(try fixture.queue.cancel(id, by: "ops") == .requested) }
            #expect(try fixture.queue.reapExpired().map(\.state) == [.queued])
        }
    }

    @Test(
        "only a failure that its handler tells ends a job that must run: whatever else is thrown postpones it, also when it was canceled",
        arguments: [false, true])
    func endsByItsHandler(canceled: Bool) throws {
        struct Surprise: Error {}
        let fixture = try Fixture()
        let id = try enqueue(fixture, "a", mustRun: true)
        if canceled { try fixture.queue.cancel(id, by: "ops") }
        let errors: [any Error] = [
            Surprise(), DatabaseError(.unavailable, "away"), DatabaseError(.bug, "bug"), JobError(.canceled, "told to"),
        ]
        func run(_ error: any Error) throws -> JobState {
            let context = JobContext(try fixture.claim(), patience: .zero) { _ in }
            let outcome = Outcome(of: context) { throw error }
            return try fixture.database.transaction { try outcome.write(context, fixture.queue, $0) }
        }
        for error in errors { #expect(try run(error) == .queued, "\(error)") }
        let told = try fixture.queue.events(id)
        #expect(told.map(\.code) == errors.map { _ in "postponed" })
        #expect(told[1].message == "away; the job is queued again")
        #expect(try run(JobFailure(code: "x", message: "nothing is left of it")) == (canceled ? .canceled : .failed))
        #expect(try fixture.queue.job(id)?.error == "nothing is left of it")
    }

    @Test("a job that need not run ends by whatever its handler throws")
    func endsByAnything() throws {
        let fixture = try Fixture()
        let id = try enqueue(fixture, "a")
        let context = JobContext(try fixture.claim()) { _ in }
        let outcome = Outcome(of: context) { throw DatabaseError(.unavailable, "away") }
        #expect(try fixture.database.transaction { try outcome.write(context, fixture.queue, $0) } == .failed)
        #expect(try fixture.queue.job(id)?.errorCode == "database_unavailable")
    }

    @Test("a job that is postponed goes back to the queue, and runs no sooner than it said")
    func postponed() throws {
        let fixture = try Fixture()
        let id = try enqueue(fixture, "a")
        let job = try fixture.claim()
        let context = JobContext(job) { _ in }
        let outcome = Outcome(of: context) { throw JobPostponement(.seconds(3600), message: "away") }
        let state = try fixture.database.transaction { try outcome.write(context, fixture.queue, $0) }
        #expect(state == .queued)
        #expect(try fixture.queue.claim(kinds: ["work"], worker: "w", lease: .seconds(9)) == nil)
        let row = try #require(try fixture.queue.job(id))
        #expect(row.notBefore > row.queuedAt + .seconds(3000))
    }
}
