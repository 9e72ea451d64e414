import Dispatch
import Locking
import Logging
import Postgres

/// Hears on a connection of its own that the queue changed. What it misses, polling finds.
final class Listener: Sendable {
    /// How long one wait on the socket lasts, before the server is asked whether it is still there.
    private static let slice = Duration.seconds(15)
    private static let pause = DispatchTimeInterval.seconds(1)

    private let database: Database
    private let logger: Logger
    private let queue = DispatchQueue(label: "wireloom.jobs.listener")
    private struct State {
        var isStopped = false
        /// Ends the wait that is under way.
        var waiting: CancelToken?
    }

    private let state = Mutex(State())
    private let stopped = DispatchSemaphore(value: 0)

    init(_ database: Database, logger: Logger) {
        self.database = database
        self.logger = logger
    }

    /// - Parameter onWord: On the listener's thread, quick; `nil` is "connected: anything may have happened before".
    func start(_ onWord: @escaping @Sendable (JobQueue.Word?) -> Void) {
        queue.async { [self] in
            while !isStopped {
                do {
                    try listen(onWord)
                } catch {
                    // `stop` interrupts whatever is under way.
                    if isStopped { return }
                    logger.warning("listening for jobs failed", metadata: [JobLogKey.error: "\(error)"])
                    _ = stopped.wait(timeout: .now() + Self.pause)
                }
            }
        }
    }

    /// Joins the loop. Safe before `start`.
    func stop() {
        let waiting = state.withLock { state in
            state.isStopped = true
            return state.waiting
        }
        waiting?.cancel()
        stopped.signal()
        queue.sync {}
    }

    private var isStopped: Bool { state.withLock(\.isStopped) }

    private func listen(_ onWord: (JobQueue.Word?) -> Void) throws {
        let connection = try database.connect()
        defer { connection.close() }
        let token = connection.cancelToken
        state.withLock { $0.waiting = token }
        defer { state.withLock { $0.waiting = nil } }
        try connection.listen(JobQueue.channel)
        onWord(nil)
        while !isStopped {
            let heard = try connection.notifications(wait: Self.slice)
            // A host that vanished leaves no goodbye on the socket.
            if heard.isEmpty { try connection.script("SELECT 1") }
            for notification in heard { onWord(JobQueue.Word(rawValue: notification.payload)) }
        }
    }
}
