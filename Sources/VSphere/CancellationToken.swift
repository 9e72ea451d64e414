private import Locking

/// Ends a conversation from another thread, within milliseconds wherever it stands.
///
///     open --cancel(sparingDeeds)--> no call begins, and all end but a deed --cancel--> all end
package final class CancellationToken: Sendable {
    private struct State {
        var isCanceled = false
        /// Nothing is spared.
        var isFinal = false
        var hooks: [Int: @Sendable () -> Void] = [:]
        var nextHook = 0
    }

    private let state = Mutex(State())

    package init() {}

    package var isCancelled: Bool { state.withLock { $0.isCanceled } }

    /// Whether also a deed is ended whose answer is waited for.
    package var endsDeeds: Bool { state.withLock { $0.isFinal } }

    /// Once canceled, a token stays so.
    ///
    /// - Parameter sparingDeeds: whether the answer to a call that must not be repeated, as one that begins a task, is still waited
    ///   for: what it began is not known without.
    package func cancel(sparingDeeds: Bool = false) {
        state.withLock { state in
            guard !state.isFinal, !(sparingDeeds && state.isCanceled) else { return }
            state.isCanceled = true
            state.isFinal = !sparingDeeds
            // Under the lock, so that a hook whose removal returned never runs.
            for hook in state.hooks.values { hook() }
            if state.isFinal { state.hooks.removeAll() }
        }
    }

    /// Runs `hook` at cancellation, at once if that was before; and once more where one that spared deeds is followed by one that does
    /// not. It must be short and leave the token alone. Returns a number for `removeHook`.
    @discardableResult
    package func onCancel(_ hook: @escaping @Sendable () -> Void) -> Int {
        state.withLock { state in
            state.nextHook += 1
            if state.isCanceled { hook() }
            if !state.isFinal { state.hooks[state.nextHook] = hook }
            return state.nextHook
        }
    }

    /// After it returned, the hook does not run, nor is it running.
    package func removeHook(_ number: Int) {
        state.withLock { _ = $0.hooks.removeValue(forKey: number) }
    }
}
