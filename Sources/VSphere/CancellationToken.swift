private import Locking

/// Ends a conversation from another thread, within milliseconds wherever it stands.
package final class CancellationToken: Sendable {
    private struct State {
        var isCanceled = false
        var hooks: [Int: @Sendable () -> Void] = [:]
        var nextHook = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var isCancelled: Bool { state.withLock { $0.isCanceled } }

    /// Once canceled, a token stays so.
    package func cancel() {
        state.withLock { state in
            guard !state.isCanceled else { return }
            state.isCanceled = true
            // Under the lock, so that a hook whose removal returned never runs.
            for hook in state.hooks.values { hook() }
            state.hooks.removeAll()
        }
    }

    /// Runs `hook` at cancellation, at once if that was before. It must be short and leave the token alone.
    /// Returns a number for `removeHook`.
    @discardableResult
    package func onCancel(_ hook: @escaping @Sendable () -> Void) -> Int {
        state.withLock { state in
            state.nextHook += 1
            if state.isCanceled { hook() } else { state.hooks[state.nextHook] = hook }
            return state.nextHook
        }
    }

    /// After it returned, the hook does not run, nor is it running.
    package func removeHook(_ number: Int) {
        state.withLock { _ = $0.hooks.removeValue(forKey: number) }
    }
}
