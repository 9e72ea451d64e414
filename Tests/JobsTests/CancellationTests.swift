import Dispatch
import Locking
import Postgres
import Testing

@testable import Jobs

@Suite("cancellation")
struct CancellationTests {
    @Test("an interrupt runs once, whether work is told to stop before or while it waits", arguments: [true, false])
    func interrupts(before: Bool) {
        let cancellation = Cancellation()
        let interrupted = Gate()
        let count = Mutex(0)
        if before { cancellation.cancel(.stopping) }
        cancellation.interrupting(with: {
            count.withLock { $0 += 1 }
            interrupted.open()
        }) {
            if !before { cancellation.cancel(.stopping) }
            cancellation.cancel(.leaseLost)
            interrupted.pass()
        }
        #expect(count.withLock { $0 } == 1)
        #expect(cancellation.reason == .stopping)
    }

    @Test("an interrupt taken back never runs")
    func takenBack() {
        let cancellation = Cancellation()
        let later = Gate()
        let count = Mutex(0)
        cancellation.interrupting(with: { count.withLock { $0 += 1 } }) {}
        let end = cancellation.onCancel { later.open() }
        cancellation.cancel(.stopping)
        // Interrupts run one after another: the first would have run by now.
        later.pass()
        end()
        #expect(count.withLock { $0 } == 0)
    }

    @Test("leaving the scope waits for an interrupt that is running")
    func waitsForRunning() {
        let cancellation = Cancellation()
        let entered = Gate()
        let mayEnd = Gate()
        let ended = Mutex(false)
        cancellation.interrupting(with: {
            entered.open()
            mayEnd.pass()
            ended.withLock { $0 = true }
        }) {
            cancellation.cancel(.stopping)
            entered.pass()
            mayEnd.open()
        }
        #expect(ended.withLock { $0 })
    }

    @Test(
        "told to stop, work throws, and says why",
        arguments: [
            (Cancellation.Reason.requested(by: "ada"), JobError.Code.canceled, "canceled by ada"),
            (.requested(by: nil), .canceled, "canceled"),
            (.leaseLost, .lostLease, "the job may be another worker's by now: this one stops"),
            (.stopping, .canceled, "this process is stopping: the job goes back to the queue"),
        ])
    func check(reason: Cancellation.Reason, code: JobError.Code, detail: String) throws {
        let cancellation = Cancellation()
        try cancellation.check()
        cancellation.cancel(reason)
        #expect(throws: JobError(code, detail)) { try cancellation.check() }
    }

    @Test("a worker that has not been heard for a lease stops trusting its claim, by its own clock")
    func distrust() {
        let now = ContinuousClock.now
        let context = JobContext(.sample(claimedAt: now, lease: .seconds(30))) { _ in }
        context.distrust(at: now + .seconds(29))
        #expect(!context.isCancelled)
        context.heard(.held, sent: now + .seconds(20))
        context.distrust(at: now + .seconds(49))
        #expect(!context.isCancelled)
        context.distrust(at: now + .seconds(50))
        #expect(context.cancellation.reason == .leaseLost)
    }

    @Test("a heartbeat goes out at its time, or sooner with news")
    func beats() {
        let now = ContinuousClock.now
        let context = JobContext(.sample(claimedAt: now, lease: .seconds(30))) { _ in }
        #expect(context.beat(at: now + .seconds(9), every: .seconds(10)) == nil)
        #expect(context.beat(at: now + .seconds(10), every: .seconds(10)) != nil)
        context.heard(.held, sent: now + .seconds(10))
        #expect(context.beat(at: now + .seconds(11), every: .seconds(10)) == nil)
        context.report(phase: "reading", done: 1, total: 2)
        let beat = context.beat(at: now + .seconds(11), every: .seconds(10))
        #expect(beat?.phase == "reading" && beat?.done == 1 && beat?.total == 2)
        #expect(context.beat(at: now + .seconds(11), every: .seconds(10)) == nil)
        context.beatFailed()
        #expect(context.beat(at: now + .seconds(11), every: .seconds(10)) != nil)
    }
}
