import Locking
package import Postgres

/// Does the work of one kind of job. Straight-line blocking code on a lane of the `Runner`.
///
/// A handler ends its job by `context.finish(in:)` inside the transaction that writes its result; one that has nothing to write just
/// returns. To fail it throws: a `JobFailure` in its own words, anything else in ours. Where it can neither finish nor fail now, it
/// throws a `JobPostponement`. A job that must run fails by a `JobFailure` alone: anything else postpones it.
package protocol JobHandler: Sendable {
    var kind: String { get }
    func run(_ context: JobContext) throws
}

/// What a handler has of its job: the request, a way to say how far it is, the token that tells it to stop, and the fence.
package final class JobContext: Sendable {
    package let job: ClaimedJob
    package let cancellation = Cancellation()

    /// Beyond so many events the rest is counted, not kept: a log is to be read.
    static let eventLimit = 5_000

    private struct State {
        var phase: String?
        var done: Int64?
        var total: Int64?
        var drafts: [JobQueue.Draft] = []
        var events = 0
        var leftOut = 0
        var findings = 0
        /// The handler called `finish`; whether that transaction was committed, only the database knows.
        var finishRequested = false
        /// When the lease ends as far as this process knows.
        var trustedUntil: ContinuousClock.Instant
        var lastBeat: ContinuousClock.Instant
        /// The queue does not have the latest progress yet.
        var isProgressNew = false
    }

    private let state: Mutex<State>
    private let patience: Duration
    /// Writes what the context holds, now.
    private let flush: @Sendable (JobContext) -> Void

    /// - Parameter patience: how long the job waits at first that can be neither finished nor undone.
    init(_ job: ClaimedJob, patience: Duration = .seconds(15), flush: @escaping @Sendable (JobContext) -> Void) {
        self.job = job
        self.patience = patience
        self.flush = flush
        state = Mutex(State(trustedUntil: job.claimedAt + job.lease, lastBeat: job.claimedAt))
        if let reason = job.cancellation { cancellation.cancel(reason) }
    }

    // MARK: For the handler

    /// Whether the handler should stop as soon as it can.
    package var isCancelled: Bool { cancellation.isCancelled }

    /// Whether the lease is certain to be this worker's, by the local clock: for deeds that no transaction can take back.
    package var isTrusted: Bool { ContinuousClock.now < trustedUntil }

    /// How long the job waits in the queue where it can be neither finished nor undone now: longer each time.
    package var postponement: Duration { min(patience * min(job.attempt, 20), .seconds(300)) }

    /// Throws when the handler should stop.
    package func checkCancellation() throws {
        try cancellation.check()
    }

    /// Says how far the work is. Costs no round trip: the next heartbeat carries the latest word, within a second or two.
    package func report(phase: String, done: Int64? = nil, total: Int64? = nil) {
        state.withLock { state in
            state.phase = phase.withoutNUL
            state.done = done
            state.total = total
            state.isProgressNew = true
        }
    }

    /// Writes a line into the job's log. Costs no round trip; lines keep their order, survive the failure of the job, and are in the
    /// table before the job's end is.
    package func log(
        _ level: JobEvent.Level, code: String, subject: String? = nil, message: String, fix: String? = nil
    ) {
        state.withLock { state in
            if level == .finding { state.findings += 1 }
            guard state.events < Self.eventLimit else {
                state.leftOut += 1
                return
            }
            state.events += 1
            state.drafts.append(
                JobQueue.Draft(
                    level: level.rawValue, code: code, subject: subject, message: message, fix: fix, at: .now))
        }
    }

    /// Locks the job's row in the caller's transaction, early: from here to the end nobody can take the job. Throws `lostLease`.
    package func lock(in connection: Connection) throws {
        try JobQueue.lock(job, in: connection)
    }

    /// Ends the job in the caller's transaction, whose last statement this should be. Throws `JobError.lostLease` where the job is
    /// not this worker's any more, and the caller must let that roll the transaction back.
    ///
    /// - Parameter findings: How much a person should see; `nil` is the number of findings logged.
    package func finish(in connection: Connection, findings: Int? = nil) throws {
        let logged = state.withLock { state in
            state.finishRequested = true
            return state.findings
        }
        flush(self)
        try JobQueue.end(job, .done(findings: findings ?? logged), in: connection)
    }

    // MARK: For the runner

    /// What the next heartbeat should carry for this job; `nil` where there is nothing new and the last one is younger than
    /// `interval`.
    func beat(at now: ContinuousClock.Instant, every interval: Duration) -> JobQueue.Beat? {
        state.withLock { state in
            guard state.isProgressNew || now - state.lastBeat >= interval else { return nil }
            state.isProgressNew = false
            return JobQueue.Beat(
                id: job.id.value, attempt: job.attempt, phase: state.phase, done: state.done, total: state.total)
        }
    }

    /// What the queue answered to the heartbeat sent at `sent`.
    func heard(_ standing: JobQueue.Standing, sent: ContinuousClock.Instant) {
        switch standing {
        case .held:
            trust(since: sent)
        case .cancelRequested(let person):
            trust(since: sent)
            cancellation.cancel(.requested(by: person))
        case .finished:
            // Our own commit; the handler is on its way out.
            trust(since: sent)
        case .lost:
            cancellation.cancel(.leaseLost)
        }
    }

    /// The heartbeat did not get through; the progress is news again.
    func beatFailed() {
        state.withLock { $0.isProgressNew = true }
    }

    private func trust(since sent: ContinuousClock.Instant) {
        state.withLock { state in
            state.lastBeat = max(state.lastBeat, sent)
            state.trustedUntil = max(state.trustedUntil, sent + job.lease)
        }
    }

    /// Stops the work when the lease may have run out unheard: the local clock's only use.
    func distrust(at now: ContinuousClock.Instant) {
        if now >= trustedUntil { cancellation.cancel(.leaseLost) }
    }

    var findings: Int { state.withLock(\.findings) }
    var isFinishRequested: Bool { state.withLock(\.finishRequested) }
    var trustedUntil: ContinuousClock.Instant { state.withLock(\.trustedUntil) }

    /// Hands over the lines not written yet; `putBack` returns them where that failed.
    func takeDrafts() -> [JobQueue.Draft] {
        state.withLock { state in
            defer { state.drafts = [] }
            return state.drafts
        }
    }

    func putBack(_ drafts: [JobQueue.Draft]) {
        state.withLock { $0.drafts.insert(contentsOf: drafts, at: 0) }
    }

    /// The line that says how many lines were left out, once the work is over.
    func logLeftOut() {
        state.withLock { state in
            guard state.leftOut > 0 else { return }
            let message = "\(state.leftOut) more lines were left out: a job keeps \(Self.eventLimit)"
            state.leftOut = 0
            state.drafts.append(
                JobQueue.Draft(
                    level: JobEvent.Level.warning.rawValue, code: "log_full", subject: nil, message: message, fix: nil,
                    at: .now))
        }
    }
}
