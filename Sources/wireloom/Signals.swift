import Dispatch
import Foundation
import Locking

/// What SIGINT, SIGTERM and SIGHUP do: the command leaves things as others need them, and then the signal ends the process. A second
/// one ends it at once, unless it is the first one delivered twice, as `timeout` does.
///
/// Every thread blocks the signals, and one waits for them. So what they start is ordinary code, which may lock and wait as a
/// handler may not; and none is lost before somebody minds it.
enum Signals {
    private struct Scope {
        let action: @Sendable () -> Void
        /// Whether the process ends after the action, and the actions of the scopes around it.
        let ends: Bool
    }

    private struct State {
        /// The innermost last.
        var scopes: [Scope] = []
        /// Since when the process is on its way out.
        var endsSince: ContinuousClock.Instant?
        var isEnding: Bool { endsSince != nil }
    }

    private static let state = Mutex(State())

    /// What follows sooner is the same signal.
    private static let echo: Duration = .milliseconds(500)

    /// Begins to mind the signals: in `main`, before there is another thread.
    static func watch() {
        var watched = sigset_t()
        sigemptyset(&watched)
        for number in [SIGINT, SIGTERM] { sigaddset(&watched, number) }
        // `nohup` ignores this one for us, and it must stay so.
        let before = signal(SIGHUP, SIG_DFL)
        if unsafeBitCast(before, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
            signal(SIGHUP, SIG_IGN)
        } else {
            sigaddset(&watched, SIGHUP)
        }
        pthread_sigmask(SIG_BLOCK, &watched, nil)
        Thread.detachNewThread { [watched] in
            var watched = watched
            var number: Int32 = 0
            while sigwait(&watched, &number) == 0 { received(number) }
        }
    }

    /// A signal that comes while `body` runs runs `action`, on another thread, and those of the scopes around this one, and ends the
    /// process; `body` does not return then.
    static func ending<T>(after action: @escaping @Sendable () -> Void, _ body: () throws -> T) rethrows -> T {
        try within(Scope(action: action, ends: true), body)
    }

    /// A signal that comes while `body` runs does no more than `action`.
    static func handing<T>(to action: @escaping @Sendable () -> Void, _ body: () throws -> T) rethrows -> T {
        try within(Scope(action: action, ends: false), body)
    }

    /// On the main thread alone, so that scopes end in the order opposite to that of their beginning.
    private static func within<T>(_ scope: Scope, _ body: () throws -> T) rethrows -> T {
        change { $0.append(scope) }
        defer { change { $0.removeLast() } }
        return try body()
    }

    /// Does not return once the process is ending: the signal says how it ends, not what the command came to on the way.
    private static func change(_ scopes: (inout [Scope]) -> Void) {
        let isEnding = state.withLock { state in
            if !state.isEnding { scopes(&state.scopes) }
            return state.isEnding
        }
        while isEnding { pause() }
    }

    private static func received(_ number: Int32) {
        let (actions, ends): ([@Sendable () -> Void], Bool) = state.withLock { state in
            if !state.isEnding, let scope = state.scopes.last, !scope.ends { return ([scope.action], false) }
            if let since = state.endsSince { return ([], ContinuousClock.now - since > echo) }
            state.endsSince = .now
            return (state.scopes.reversed().filter(\.ends).map(\.action), true)
        }
        guard ends, !actions.isEmpty else {
            for action in actions { action() }
            if ends { end(number) }
            return
        }
        // Elsewhere, so that a second signal is heard.
        Thread.detachNewThread {
            for action in actions { action() }
            end(number)
        }
    }

    /// As if the signal had never been minded, for whoever waits for this process.
    private static func end(_ number: Int32) {
        signal(number, SIG_DFL)
        var only = sigset_t()
        sigemptyset(&only)
        sigaddset(&only, number)
        pthread_sigmask(SIG_UNBLOCK, &only, nil)
        raise(number)
        // The first process of a container outlives its own signals.
        _exit(128 + number)
    }
}
