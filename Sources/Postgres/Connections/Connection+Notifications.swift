import CPostgres

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A NOTIFY that arrived.
package struct Notification: Hashable, Sendable {
    package let channel: String
    package let payload: String
    /// The server process of the session that sent it.
    package let sender: Int32
}

extension Connection {
    /// Begins to listen; holds until the connection closes. Use a connection of `Database.connect()`: one of the pool
    /// forgets its channels when it is given back.
    package func listen(_ channel: String) throws {
        try script("LISTEN \(quoted(identifier: channel))")
        isListening = true
    }

    /// Waits until a notification arrives, the time is over, or ``CancelToken/cancel()`` is called.
    ///
    /// Notifications wake early; nothing may rest on one arriving.
    ///
    /// - Returns: all that have arrived, in order; none when the time is over.
    /// - Throws: ``DatabaseError`` of code `unavailable` when the session has ended.
    package func notifications(wait: Duration) throws -> [Notification] {
        let handle = try ready()
        let deadline = ContinuousClock.now + wait
        while true {
            let arrived = try drainNotifications(handle)
            if !arrived.isEmpty || cancelToken.drainWakeUps() { return arrived }
            let woken = try Readiness.wait(
                PQsocket(handle), for: Int16(POLLIN), orWake: cancelToken.wakeReader, until: deadline)
            if !woken { return [] }
        }
    }

    /// Whether the server is still there, without asking it: a server that went away has left its goodbye on the socket.
    package func isAlive() -> Bool {
        guard let handle, isUsable else { return false }
        return (try? drainNotifications(handle)) != nil && isUsable
    }

    /// Reads until the socket is empty: the end of a session can stand behind its last message.
    private func drainNotifications(_ handle: OpaquePointer) throws -> [Notification] {
        var arrived: [Notification] = []
        repeat {
            guard PQconsumeInput(handle) == 1 else { throw lost("LISTEN") }
            while let notify = PQnotifies(handle) {
                arrived.append(
                    Notification(
                        channel: String(cString: notify.pointee.relname),
                        payload: String(cString: notify.pointee.extra),
                        sender: notify.pointee.be_pid))
                PQfreemem(notify)
            }
        } while try Readiness.wait(PQsocket(handle), for: Int16(POLLIN), until: .now)
        return arrived
    }
}
