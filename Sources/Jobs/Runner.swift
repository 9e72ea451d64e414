import Dispatch
import Locking
package import Logging
import Postgres

/// The work queue of a process: runs jobs on `width` lanes, each a serial Dispatch queue with a thread of its own.
///
///     notification, tick, lane free ──> claimer ──job──> lane ──> handler ──> conclude
///                                                          └── pulse: lease, progress, log, cancellation
///
/// The claimer takes a job only for a lane that is free. The database says which subject may run, so any number of runners share one
/// queue. `stop` lets the jobs finish, then tells them to stop, and hands back to the queue what did not finish.
package final class Runner: Sendable {
    package struct Configuration: Sendable {
        /// How this worker is known in the queue; unlike any other's.
        package let worker: String
        /// How many jobs run at once.
        package let width: Int
        /// How long a worker may be silent before its jobs are taken from it.
        package var lease: Duration = .seconds(30)
        /// How long a job waits at first that can be neither finished nor undone; longer each time, up to five minutes.
        package var patience: Duration = .seconds(15)
        /// How often the queue is looked at without being told: what a lost notification costs.
        package var poll: Duration = .seconds(2)
        /// Only these jobs; `nil` is any.
        package var only: [JobID]?
        /// How many ended jobs a subject keeps; `nil` leaves pruning to others.
        package var keepPerSubject: Int? = 50
        /// How long any ended job is kept.
        package var keepFor: Duration = .seconds(90 * 86_400)
        /// Called when nothing runs and nothing may be claimed, once each time that comes about.
        package var onIdle: (@Sendable () -> Void)?
        package var logger = Logger(label: "wireloom.jobs")

        package init(worker: String, width: Int) {
            self.worker = worker
            self.width = width
        }
    }

    private enum Life { case new, running, stopping, stopped }

    private struct State {
        var life = Life.new
        var lanes: Lanes<JobContext>
        /// The claimer is on its way and will see what changed.
        var isKicked = false
        var saidIdle = false
        var waiters: [UInt64: DispatchSemaphore] = [:]
        var nextWaiter: UInt64 = 0
    }

    private static let pruneInterval = Duration.seconds(600)

    private let queue: JobQueue
    private let handlers: [String: any JobHandler]
    private let configuration: Configuration
    private let state: Mutex<State>
    private let lanes: [DispatchQueue]
    private let working = DispatchGroup()
    private let stopping = DispatchGroup()
    private let claimer: DedicatedConnection
    private let ticks: Ticker
    private let lastPrune = Mutex<ContinuousClock.Instant?>(nil)
    private let listener: Listener
    private let pulse: Pulse
    private var logger: Logger { configuration.logger }

    /// - Precondition: one handler a kind.
    package init(_ queue: JobQueue, handlers: [any JobHandler], _ configuration: Configuration) {
        self.queue = queue
        self.handlers = Dictionary(uniqueKeysWithValues: handlers.map { ($0.kind, $0) })
        self.configuration = configuration
        state = Mutex(State(lanes: Lanes(width: configuration.width)))
        lanes = (0..<configuration.width).map { DispatchQueue(label: "wireloom.jobs.lane-\($0)") }
        claimer = DedicatedConnection(queue.database, label: "wireloom.jobs.claimer")
        ticks = Ticker(every: configuration.poll, on: claimer.queue)
        listener = Listener(queue.database, logger: configuration.logger)
        pulse = Pulse(queue, lease: configuration.lease, logger: configuration.logger)
    }

    // MARK: Life

    /// Begins to take jobs. A second start, or one after `stop`, does nothing.
    package func start() {
        let begins = state.withLock { state in
            guard state.life == .new else { return false }
            state.life = .running
            return true
        }
        guard begins else { return }
        pulse.start()
        listener.start { [weak self] word in
            guard let self else { return }
            if word == .cancel || word == nil { pulse.hurry() }
            wakeWaiters()
            kick()
        }
        ticks.start { [weak self] in self?.tick() }
    }

    /// Takes no more jobs, lets the running ones finish for `grace`, then tells them to stop and gives them `patience`; what did not
    /// finish goes back to the queue. Returns whether every lane came home; a job that did not is left to its lease. Safe twice,
    /// before `start`, and from several threads; not from a handler.
    @discardableResult
    package func stop(grace: Duration = .seconds(20), patience: Duration = .seconds(10)) -> Bool {
        let before = state.withLock { state in
            defer {
                switch state.life {
                case .new: state.life = .stopped
                case .running:
                    state.life = .stopping
                    stopping.enter()
                case .stopping, .stopped: break
                }
                state.lanes.close()
            }
            return state.life
        }
        guard before == .running else {
            stopping.wait()
            return state.withLock { $0.lanes.isQuiet }
        }
        defer {
            state.withLock { $0.life = .stopped }
            wakeWaiters()
            stopping.leave()
        }
        ticks.stop()
        if working.wait(timeout: .now() + grace.dispatchInterval) == .timedOut {
            for context in state.withLock({ Array($0.lanes.busy.values) }) { context.cancellation.cancel(.stopping) }
            _ = working.wait(timeout: .now() + patience.dispatchInterval)
        }
        listener.stop()
        claimer.close()
        pulse.stop()
        return state.withLock { $0.lanes.isQuiet }
    }

    /// Follows jobs, whoever runs them, until all have ended or this runner has stopped, and returns them. Throws when the database
    /// was away for as long as a lease: by then the jobs may be anybody's.
    ///
    /// - Parameters:
    ///   - interval: How often `each` sees them at least.
    ///   - each: Sees the jobs as they are; for showing progress.
    package func wait(
        for ids: [JobID], every interval: Duration = .seconds(1), each: ([JobRow]) throws -> Void = { _ in }
    ) throws -> [JobRow] {
        let changed = DispatchSemaphore(value: 0)
        let key = state.withLock { state in
            state.nextWaiter += 1
            state.waiters[state.nextWaiter] = changed
            return state.nextWaiter
        }
        defer { state.withLock { _ = $0.waiters.removeValue(forKey: key) } }
        let filter = JobFilter(ids: ids, limit: ids.count)
        var patience = Patience(configuration.lease)
        while true {
            let isStopped = state.withLock { $0.life == .stopped }
            let found =
                isStopped
                ? try queue.jobs(filter)
                : try patience.bear(away: { error in
                    logger.warning(
                        "following jobs has to wait for the database", metadata: [JobLogKey.error: "\(error)"])
                }) { try queue.jobs(filter) }
            if let rows = found {
                try each(rows)
                if isStopped || rows.allSatisfy(\.state.isFinal) { return rows }
            }
            _ = changed.wait(timeout: .now() + interval.dispatchInterval)
        }
    }

    private func wakeWaiters() {
        for waiter in state.withLock({ Array($0.waiters.values) }) { waiter.signal() }
    }

    /// Whether `stop` was called: no job is begun any more.
    var isStopping: Bool { state.withLock(\.lanes.isClosed) }

    // MARK: Claiming

    /// Has the claimer look again; many calls before it does come to one look.
    private func kick() {
        let isFirst = state.withLock { state in
            guard state.life == .running, !state.isKicked else { return false }
            state.isKicked = true
            return true
        }
        if isFirst { claimer.queue.async { self.claimReady() } }
    }

    private func tick() {
        do {
            let reaped = try claimer.run { try queue.reapExpired(in: $0) }
            for (id, state) in reaped {
                logger.warning(
                    "a worker vanished from its job",
                    metadata: [JobLogKey.job: "\(id)", JobLogKey.state: "\(state.rawValue)"])
            }
            try pruneIfDue()
        } catch {
            logger.warning("looking after the queue failed", metadata: [JobLogKey.error: "\(error)"])
        }
        claimReady()
    }

    private func pruneIfDue() throws {
        guard let keep = configuration.keepPerSubject, configuration.only == nil else { return }
        let isDue = lastPrune.withLock { last in
            let now = ContinuousClock.now
            if let last, now - last < Self.pruneInterval { return false }
            last = now
            return true
        }
        guard isDue else { return }
        let count = try claimer.run {
            try queue.prune(keepPerSubject: keep, maxAge: configuration.keepFor, in: $0)
        }
        if count > 0 { logger.info("old jobs were deleted", metadata: [JobLogKey.count: "\(count)"]) }
    }

    /// Fills the free lanes; on the claimer's queue.
    private func claimReady() {
        state.withLock { $0.isKicked = false }
        while let lane = state.withLock({ $0.lanes.reserve() }) {
            do {
                let claimed = try claimer.run {
                    try queue.claim(
                        kinds: handlers.keys.sorted(), ids: configuration.only, worker: configuration.worker,
                        lease: configuration.lease, in: $0)
                }
                guard let claimed else {
                    state.withLock { $0.lanes.giveUp(lane) }
                    return sayIdle()
                }
                begin(claimed, on: lane)
            } catch {
                state.withLock { $0.lanes.giveUp(lane) }
                logger.warning("claiming a job failed", metadata: [JobLogKey.error: "\(error)"])
                return
            }
        }
    }

    private func sayIdle() {
        let isNews = state.withLock { state in
            guard state.lanes.isQuiet, !state.saidIdle else { return false }
            state.saidIdle = true
            return true
        }
        if isNews { configuration.onIdle?() }
    }

    // MARK: Working

    private func begin(_ job: ClaimedJob, on lane: Int) {
        let pulse = self.pulse
        let context = JobContext(job, patience: configuration.patience) { pulse.flush($0) }
        state.withLock { state in
            state.saidIdle = false
            state.lanes.begin(context, on: lane)
        }
        pulse.add(context)
        lanes[lane].async(group: working) { self.work(context, on: lane) }
    }

    private func work(_ context: JobContext, on lane: Int) {
        let outcome = Outcome(of: context) {
            guard let handler = handlers[context.job.kind] else { return }
            try handler.run(context)
        }
        conclude(context, outcome)
        pulse.remove(context)
        state.withLock { $0.lanes.end(lane) }
        wakeWaiters()
        kick()
    }

    /// Writes how the job ended, as long as the lease may be ours: a database that is away for a moment costs no work. A process
    /// that is stopping does not wait for it.
    private func conclude(_ context: JobContext, _ outcome: Outcome) {
        var metadata: Logger.Metadata = [
            JobLogKey.job: "\(context.job.id)", JobLogKey.kind: "\(context.job.kind)",
            JobLogKey.label: "\(context.job.label)",
        ]
        if let cause = outcome.unexpected {
            logger.error(
                "a job met an unexpected error",
                metadata: metadata.merging([JobLogKey.error: "\(String(reflecting: cause))"]) { $1 })
        }
        context.logLeftOut()
        while true {
            do {
                let state = try pulse.conclude(context) { try outcome.write(context, queue, $0) }
                metadata[JobLogKey.state] = "\(state.rawValue)"
                logger.debug("a job ended", metadata: metadata)
                return
            } catch let error as JobError where error.code == .lostLease {
                logger.warning("a job was lost to another worker", metadata: metadata)
                return
            } catch {
                metadata[JobLogKey.error] = "\(error)"
                guard ContinuousClock.now < context.trustedUntil, context.cancellation.reason != .stopping,
                    (error as? DatabaseError)?.mayPass == true
                else {
                    logger.error("a job's end could not be written; its lease will run out", metadata: metadata)
                    return
                }
                _ = DispatchSemaphore(value: 0).wait(timeout: .now() + .milliseconds(500))
            }
        }
    }
}
