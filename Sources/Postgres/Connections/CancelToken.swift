import CPostgres
import Locking

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Interrupts a connection from any thread: its running statement fails with `canceled`, its wait for notifications
/// returns early.
///
/// It interrupts what is running at that moment. A statement that begins afterwards is not touched, so a caller that
/// wants to stop for good sets its own flag first, checks it before each statement, and then calls `cancel()`.
/// The token outlives its connection harmlessly.
package final class CancelToken: Sendable {
    private struct State {
        var lastUse: ContinuousClock.Instant?
    }

    // Sound, because libpq documents PQcancel as thread-safe and never writes to the structure.
    private nonisolated(unsafe) let handle: OpaquePointer?
    private let state = Mutex(State())
    /// A pipe whose reading end is polled beside the socket.
    let wakeReader: Int32
    private let wakeWriter: Int32

    init(_ connection: OpaquePointer) {
        handle = PQgetCancel(connection)
        var ends: [Int32] = [-1, -1]
        if pipe(&ends) == 0 {
            for end in ends {
                _ = fcntl(end, F_SETFD, FD_CLOEXEC)
                _ = fcntl(end, F_SETFL, O_NONBLOCK)
            }
        }
        (wakeReader, wakeWriter) = (ends[0], ends[1])
    }

    deinit {
        PQfreeCancel(handle)
        if wakeReader >= 0 { Self.close(wakeReader) }
        if wakeWriter >= 0 { Self.close(wakeWriter) }
    }

    /// Asks the server to interrupt the connection's statement, and returns when it has the request.
    ///
    /// - Returns: `false` if the server could not be asked; the connection is then most likely lost.
    @discardableResult
    package func cancel() -> Bool {
        state.withLock { $0.lastUse = .now }
        var byte: UInt8 = 1
        _ = write(wakeWriter, &byte, 1)
        var message = [CChar](repeating: 0, count: 256)
        return PQcancel(handle, &message, Int32(message.count)) == 1
    }

    func wasUsed(since start: ContinuousClock.Instant) -> Bool {
        state.withLock { $0.lastUse.map { $0 >= start } ?? false }
    }

    /// Forgets the wake-ups so far; whether there were any.
    func drainWakeUps() -> Bool {
        var bytes = [UInt8](repeating: 0, count: 64)
        var any = false
        while read(wakeReader, &bytes, bytes.count) > 0 { any = true }
        return any
    }

    private static func close(_ descriptor: Int32) {
        #if canImport(Glibc)
            _ = Glibc.close(descriptor)
        #else
            _ = Darwin.close(descriptor)
        #endif
    }
}
