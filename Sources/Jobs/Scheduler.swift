import Dispatch
package import Logging

/// Asks for the work of every schedule when it is due. Any number of processes may run one: each due schedule is one's.
package final class Scheduler: Sendable {
    private let queue: JobQueue
    private let logger: Logger
    private let ticks: Ticker

    /// - Parameter interval: How often it looks; a schedule is late by at most so much.
    package init(
        _ queue: JobQueue, every interval: Duration = .seconds(1), logger: Logger = Logger(label: "wireloom.scheduler")
    ) {
        self.queue = queue
        self.logger = logger
        ticks = Ticker(every: interval, on: DispatchQueue(label: "wireloom.jobs.scheduler"))
    }

    package func start() {
        ticks.start { [weak self] in self?.tick() }
    }

    /// Joins a look that is under way. Safe twice, and before `start`.
    package func stop() {
        ticks.stop()
    }

    private func tick() {
        do {
            let count = try queue.enqueueDue()
            if count > 0 { logger.debug("schedules were due", metadata: [JobLogKey.count: "\(count)"]) }
        } catch {
            logger.warning("looking for due schedules failed", metadata: [JobLogKey.error: "\(error)"])
        }
    }
}
