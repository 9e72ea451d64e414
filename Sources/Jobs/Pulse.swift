import Dispatch
import Locking
import Logging
import Postgres

/// The heartbeat of a runner: renews the leases of all its jobs in one statement, carries their progress and log lines, and brings
/// back word of a cancellation or a lost lease. One serial queue and one connection, so that a job's lines keep their order.
final class Pulse: Sendable {
    private let queue: JobQueue
    private let connection: DedicatedConnection
    private let lease: Duration
    private let logger: Logger
    private let contexts = Mutex<[JobQueue.Claim: JobContext]>([:])
    private let ticks: Ticker
    /// Judges leases by the local clock alone: on a queue of its own, for the heartbeat may hang in a dead connection.
    private let distrust: Ticker

    init(_ queue: JobQueue, lease: Duration, logger: Logger) {
        self.queue = queue
        self.lease = lease
        self.logger = logger
        // A job's end can meet its own row locked: by its final transaction, which goes on in the server for a while after the
        // connection broke. Meanwhile the other jobs' leases must be renewed; whoever ends the job tries again.
        let patience = max(.milliseconds(100), min(.seconds(5), lease / 6))
        connection = DedicatedConnection(
            queue.database, label: "wireloom.jobs.pulse",
            settings: "SET lock_timeout = \(Int(patience / .milliseconds(1)))")
        ticks = Ticker(every: min(.seconds(1), lease / 3), on: connection.queue)
        distrust = Ticker(every: lease / 6, on: DispatchQueue(label: "wireloom.jobs.distrust"))
    }

    func start() {
        ticks.start { [weak self] in self?.tick() }
        distrust.start { [weak self] in
            guard let self else { return }
            let now = ContinuousClock.now
            for context in contexts.withLock({ Array($0.values) }) { context.distrust(at: now) }
        }
    }

    func stop() {
        ticks.stop()
        distrust.stop()
        connection.close()
    }

    func add(_ context: JobContext) {
        contexts.withLock { $0[context.job.claim] = context }
    }

    func remove(_ context: JobContext) {
        contexts.withLock { _ = $0.removeValue(forKey: context.job.claim) }
    }

    /// Looks at once whether a cancellation waits.
    func hurry() {
        connection.queue.async { self.beat(every: .zero) }
    }

    /// Writes a job's lines now. A failure is for the next tick, or for the end of the job.
    func flush(_ context: JobContext) {
        connection.queue.sync { write(of: context) }
    }

    /// Runs `body` on the pulse's connection after the job's lines are written; from a lane.
    func conclude<T>(_ context: JobContext, _ body: (Connection) throws -> T) throws -> T {
        try connection.queue.sync {
            write(of: context)
            return try connection.run(body)
        }
    }

    private func tick() {
        beat(every: lease / 3)
        for context in contexts.withLock({ Array($0.values) }) { write(of: context) }
    }

    private func beat(every interval: Duration) {
        let now = ContinuousClock.now
        let due = contexts.withLock { Array($0.values) }.compactMap { context in
            context.beat(at: now, every: interval).map { (context, $0) }
        }
        guard !due.isEmpty else { return }
        do {
            let sent = ContinuousClock.now
            let standings = try connection.run { try queue.beat(due.map(\.1), lease: lease, in: $0) }
            for (context, _) in due {
                if let standing = standings[context.job.claim] { context.heard(standing, sent: sent) }
            }
        } catch {
            for (context, _) in due { context.beatFailed() }
            logger.warning("heartbeat failed", metadata: [JobLogKey.error: "\(error)"])
        }
    }

    private func write(of context: JobContext) {
        let drafts = context.takeDrafts()
        guard !drafts.isEmpty else { return }
        do {
            try connection.run { try queue.append(drafts, to: context.job.claim, in: $0) }
        } catch let error as DatabaseError where error.code == .conflict {
            // The job is deleted, and its log with it.
            return
        } catch {
            context.putBack(drafts)
            logger.warning(
                "writing a job's log failed",
                metadata: [JobLogKey.job: "\(context.job.id)", JobLogKey.error: "\(error)"])
        }
    }
}

/// The keys of this module's log metadata.
enum JobLogKey {
    static let job = "job.id"
    static let kind = "job.kind"
    static let label = "job.label"
    static let state = "job.state"
    static let error = "error"
    static let count = "count"
}
