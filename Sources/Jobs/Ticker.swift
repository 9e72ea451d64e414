import Dispatch
import Locking

/// A repeating timer on a serial queue, which its owner stops and thereby joins.
///
/// `@unchecked Sendable`: `timer` is set by `start` and taken by `stop`, both under `lock`; Dispatch sources are thread-safe.
final class Ticker: @unchecked Sendable {
    private let interval: Duration
    private let queue: DispatchQueue
    private let lock = Mutex(())
    private var timer: (any DispatchSourceTimer)?
    private var isStopped = false

    /// - Parameter queue: Serial.
    init(every interval: Duration, on queue: DispatchQueue) {
        self.interval = interval
        self.queue = queue
    }

    /// Calls `body` on the queue, first now and then every interval. A second start, or one after `stop`, does nothing.
    func start(_ body: @escaping @Sendable () -> Void) {
        lock.withLock { _ in
            guard timer == nil, !isStopped else { return }
            let timer = DispatchSource.makeTimerSource(queue: queue)
            timer.schedule(deadline: .now(), repeating: interval.dispatchInterval, leeway: .milliseconds(20))
            timer.setEventHandler { @Sendable in body() }
            timer.activate()
            self.timer = timer
        }
    }

    /// Returns when `body` does not run any more. Not from the queue.
    func stop() {
        lock.withLock { _ in
            isStopped = true
            timer?.cancel()
            timer = nil
        }
        queue.sync {}
    }
}

extension Duration {
    /// At least a millisecond; as Dispatch counts.
    var dispatchInterval: DispatchTimeInterval {
        .milliseconds(Int(clamping: Int64(max(1, (self / .milliseconds(1)).rounded()))))
    }
}
