import Foundation
import Locking
import Postgres
import Support
import Testing

@testable import Jobs

@Suite("stopping a runner")
struct RunnerStopTests {
    @Test("stop lets a running job finish and begins no other")
    func graceful() throws {
        let fixture = try Fixture()
        let started = Gate()
        let mayEnd = Gate()
        let handler = Handler { _ in
            started.open()
            mayEnd.pass()
        }
        let running = try fixture.enqueue("a")
        let waiting = try fixture.enqueue("b")
        let runner = Runner(fixture.queue, handlers: [handler], fixture.configuration(width: 1))
        runner.start()
        started.pass()
        let stopped = Gate()
        let isClean = Mutex(false)
        try concurrently(2) { index in
            if index == 0 {
                let clean = runner.stop(grace: .seconds(60))
                isClean.withLock { $0 = clean }
                stopped.open()
            } else {
                // Only once no lane is given away any more: else the job that waits would rightly have its turn.
                while !runner.isStopping { sched_yield() }
                mayEnd.open()
            }
        }
        stopped.pass()
        #expect(isClean.withLock { $0 })
        #expect(try fixture.row(running).state == .succeeded)
        #expect(try fixture.row(waiting).state == .queued)
    }

    @Test("a job that does not finish in time is told to stop and goes back to the queue")
    func handsBack() throws {
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
        let id = try fixture.enqueue("a", maxAttempts: 1)
        let runner = Runner(fixture.queue, handlers: [handler], fixture.configuration())
        runner.start()
        started.pass()
        #expect(runner.stop(grace: .zero, patience: .seconds(60)))
        let row = try fixture.row(id)
        #expect(row.state == .queued && row.leaseUntil == nil)
        #expect(try fixture.queue.events(id).map(\.code) == ["worker_stopped"])
    }

    @Test("a job that does not listen is left to its lease, and stop says so")
    func abandons() throws {
        let fixture = try Fixture()
        let started = Gate()
        let mayEnd = Gate()
        let ended = Gate()
        let handler = Handler { _ in
            started.open()
            mayEnd.pass()
            ended.open()
        }
        let id = try fixture.enqueue("a")
        let runner = Runner(fixture.queue, handlers: [handler], fixture.configuration())
        runner.start()
        started.pass()
        #expect(!runner.stop(grace: .zero, patience: .zero))
        #expect(try fixture.row(id).state == .running)
        mayEnd.open()
        ended.pass()
    }

    @Test("stop before start, twice and from two threads does no harm, and a stopped runner does not start again")
    func twice() throws {
        let fixture = try Fixture()
        let id = try fixture.enqueue("a")
        let unstarted = Runner(fixture.queue, handlers: [Handler { _ in }], fixture.configuration())
        #expect(unstarted.stop())
        unstarted.start()
        #expect(try fixture.row(id).state == .queued)

        let runner = Runner(fixture.queue, handlers: [Handler { _ in }], fixture.configuration())
        runner.start()
        _ = try runner.wait(for: [id])
        try concurrently(3) { _ in _ = runner.stop() }
        #expect(runner.stop())
        let late = try fixture.enqueue("a")
        runner.start()
        #expect(try fixture.row(late).state == .queued)
        // Nobody would ever run it: a stopped runner does not wait for it either.
        #expect(try runner.wait(for: [late]).map(\.state) == [.queued])
    }

    @Test("a runner outlives the loss of all its connections")
    func reconnects() throws {
        let fixture = try Fixture()
        let ran = Gate()
        let runner = Runner(
            fixture.queue, handlers: [Handler { _ in ran.open() }], fixture.configuration(poll: .milliseconds(20)))
        runner.start()
        let first = try fixture.enqueue("a")
        ran.pass()
        _ = try runner.wait(for: [first])
        try fixture.scratch.terminateSessions()
        // The pool may hand out a session that is about to end: this side looks from elsewhere.
        let other = fixture.otherQueue()
        let second = try other.database.transaction {
            try other.enqueue(kind: "work", subject: "a", label: "a", in: $0).id
        }
        ran.pass()
        let watcher = Runner(other, handlers: [], fixture.configuration())
        #expect(try watcher.wait(for: [second], every: .milliseconds(20)).map(\.state) == [.succeeded])
        runner.stop()
    }
}
