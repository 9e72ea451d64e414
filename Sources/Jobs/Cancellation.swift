import Dispatch
import Locking

/// Tells straight-line work that it should stop, once and for good.
///
/// Blocking calls are reached by closures (`PQcancel`, curl's wakeup), which run on a queue of their own: one that hangs holds up
/// neither the heartbeat nor another job.
package final class Cancellation: Sendable {
    package enum Reason: Sendable, Equatable {
        /// A person asked.
        case requested(by: String?)
        /// The job may be another worker's by now.
        case leaseLost
        /// This process is stopping; the job goes back to the queue.
        case stopping
    }

    private struct State {
        var reason: Reason?
        var watchers: [UInt64: Watcher] = [:]
        var nextKey: UInt64 = 0
    }

    /// Holds its closure until it ran or was taken back. The lock is held while the closure runs, so that `disarm` returns only
    /// when it no longer does: a late `PQcancel` would hit whatever the connection does next.
    private final class Watcher: Sendable {
        private let action: Mutex<(@Sendable () -> Void)?>

        init(_ action: @escaping @Sendable () -> Void) {
            self.action = Mutex(action)
        }

        func fire() {
            action.withLock { action in
                action?()
                action = nil
            }
        }

        func disarm() {
            action.withLock { $0 = nil }
        }
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "wireloom.jobs.cancellation")

    package init() {}

    /// Why the work should stop; `nil` while it should not.
    package var reason: Reason? {
        state.withLock { $0.reason }
    }

    package var isCancelled: Bool { reason != nil }

    /// Throws `JobError.canceled` when the work should stop.
    package func check() throws {
        switch reason {
        case nil: return
        case .requested(let person):
            throw JobError(.canceled, "canceled" + (person.map { " by \($0)" } ?? ""))
        case .leaseLost:
            throw JobError(.lostLease, "the job may be another worker's by now: this one stops")
        case .stopping:
            throw JobError(.canceled, "this process is stopping: the job goes back to the queue")
        }
    }

    /// Tells the work to stop. The first reason stays.
    package func cancel(_ reason: Reason) {
        let watchers: [Watcher] = state.withLock { state in
            guard state.reason == nil else { return [] }
            state.reason = reason
            defer { state.watchers = [:] }
            return Array(state.watchers.values)
        }
        guard !watchers.isEmpty else { return }
        queue.async { for watcher in watchers { watcher.fire() } }
    }

    /// Runs `body`, and `interrupt` once if the work is told to stop meanwhile or was already. When this returns, `interrupt` does
    /// not run and will not. `interrupt` comes from another thread and must be quick.
    package func interrupting<T>(
        with interrupt: @escaping @Sendable () -> Void, _ body: () throws -> T
    ) rethrows -> T {
        let end = onCancel(interrupt)
        defer { end() }
        return try body()
    }

    /// As `interrupting`, for work without a scope. Calling the result takes `action` back; not from within `action`.
    package func onCancel(_ action: @escaping @Sendable () -> Void) -> @Sendable () -> Void {
        let watcher = Watcher(action)
        let key: UInt64? = state.withLock { state in
            guard state.reason == nil else { return nil }
            state.nextKey += 1
            state.watchers[state.nextKey] = watcher
            return state.nextKey
        }
        if key == nil {
            queue.async { watcher.fire() }
        }
        return { [self] in
            if let key { state.withLock { _ = $0.watchers.removeValue(forKey: key) } }
            watcher.disarm()
        }
    }
}
