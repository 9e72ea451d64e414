internal import Dispatch
internal import IPAM
internal import Logging
package import Postgres

/// Ends, while `serve` runs, what is over by now: reservations, allocations, quarantines, keys and secrets. Allocating does the same for
/// the subnet it needs, so nothing waits for this; it keeps what people see near the truth.
///
/// `@unchecked Sendable`: `timer` is set in `start` and cleared in `stop`, both on the owner's thread.
package final class Housekeeping: @unchecked Sendable {
    private static let interval = DispatchTimeInterval.seconds(30)

    private let database: Database
    private let queue = DispatchQueue(label: "wireloom.housekeeping")
    private let logger = Logger(label: "wireloom.housekeeping")
    private var timer: (any DispatchSourceTimer)?

    package init(database: Database) {
        self.database = database
    }

    package func start() {
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + Self.interval, repeating: Self.interval, leeway: .seconds(1))
        timer.setEventHandler { @Sendable [self, logger] in
            do {
                try sweep()
            } catch {
                logger.warning("ending what is over failed", metadata: ["error": "\(error)"])
            }
        }
        timer.activate()
        self.timer = timer
    }

    /// Ends what is over by now, once.
    package func sweep() throws {
        try database.withConnection { connection in
            try SubnetTable.settle(nil, in: connection)
            try SubnetTable.forgetKeys(in: connection)
            try VMRequestTable.eraseUserData(in: connection)
        }
    }

    /// Returns when it does nothing any more.
    package func stop() {
        timer?.cancel()
        timer = nil
        queue.sync {}
    }
}
