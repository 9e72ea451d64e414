import Dispatch
import Logging
import Postgres
import Synchronization

/// Hears on a connection of its own that the queue changed. What it misses, polling finds.
final class Listener: Sendable {
    /// How long one wait on the socket lasts: the longest that `stop` has to wait.
    private static let slice = Duration.milliseconds(200)
    private static let pause = DispatchTimeInterval.seconds(1)

    private let database: Database
    private let logger: Logger
    private let queue = DispatchQueue(label: "wireloom.jobs.listener")
    private let isStopped = Mutex(false)
    private let stopped = DispatchSemaphore(value: 0)

    init(_ database: Database, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// - Parameter onWord: On the listener's thread, quick; `nil` is "connected: anything may have happened before".
    func start(_ onWord: @escaping @Sendable (JobQueue.Word?) -> Void) {
        queue.async { [self] in
            while !isStopped.withLock({ $0 }) {
                do {
                    try listen(onWord)
                } catch {
                    logger.warning("listening for jobs failed", metadata: [JobLogKey.error: "\(error)"])
                    _ = stopped.wait(timeout: .now() + Self.pause)
                }
            }
        }
    }

    /// Joins the loop. Safe before `start`.
    func stop() {
        isStopped.withLock { $0 = true }
        stopped.signal()
        queue.sync {}
    }

    private func listen(_ onWord: (JobQueue.Word?) -> Void) throws {
        let connection = try database.connect()
        defer { connection.close() }
        try connection.listen(JobQueue.channel)
        onWord(nil)
        while !isStopped.withLock({ $0 }) {
            for notification in try connection.notifications(wait: Self.slice) {
                onWord(JobQueue.Word(rawValue: notification.payload))
            }
        }
    }
}
