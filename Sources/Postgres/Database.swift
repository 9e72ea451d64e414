import Dispatch
import Locking

/// A bounded pool of connections for threads that block.
///
/// A place of the pool is always with one of: a connection that is idle, a thread that uses one or is making one, or
/// nobody. It changes hands under one lock and never through it: nothing is sent to a server and no thread is woken
/// while the lock is held.
///
/// ```text
///           ask                    made
///   free ---------> being made ------------> lent --- body ends ---> idle, or straight to the first waiter
///     ^                  | failed              | broken                 |
///     +------------------+---------------------+                        | found dead when lent: made anew
/// ```
///
/// Connections are given in the order in which threads asked; none overtakes. A connection is looked at before it is
/// given out, so a restart of the server costs the connections that were idle, not an error. One that breaks while it
/// is lent fails its borrower with `unavailable`, who alone knows whether it is right to begin again.
///
/// What runs again by itself is only what surely has not happened: a transaction that lost a race before its COMMIT,
/// and one whose BEGIN was not heard. A connection lost during COMMIT is an error with `commitUnknown`.
package final class Database: Sendable {
    package let configuration: DatabaseConfiguration
    private let pool = Mutex(Pool())

    /// Connects to nothing yet.
    package init(_ configuration: DatabaseConfiguration) {
        self.configuration = configuration
    }

    deinit { close() }

    /// Lends a connection for the time of `body`, on the calling thread.
    ///
    /// Do not ask for a second one inside `body`: enough threads that do wait for each other. What `body` leaves open
    /// (a transaction, a COPY, a LISTEN) is ended; settings and temporary tables stay with the session.
    ///
    /// - Throws: what `body` throws; ``DatabaseError`` `timeout` where none came free in time, `unavailable` where none
    ///   could be made.
    package func withConnection<T>(_ body: (Connection) throws -> T) throws -> T {
        let connection = try borrow()
        defer { giveBack(connection) }
        return try body(connection)
    }

    /// Runs `body` in a transaction (READ COMMITTED) and commits; rolls back when it throws.
    ///
    /// Where the transaction lost a race (serialization or deadlock) before COMMIT was sent, `body` runs again, at most
    /// three times in all, so it must not act on anything but the database.
    package func transaction<T>(_ body: (Connection) throws -> T) throws -> T {
        var attempt = 1
        while true {
            // Whether a connection was there and `body` was not begun: then nothing has happened.
            var isUntouched = false
            do {
                return try withConnection { connection in
                    isUntouched = true
                    return try connection.transaction {
                        isUntouched = false
                        return try body(connection)
                    }
                }
            } catch let error as DatabaseError
                where attempt < 3 && (error.code == .retryable || error.code == .unavailable && isUntouched)
            {
                pause(.microseconds(Int64.random(in: 2_000...(20_000 << attempt))))
                attempt += 1
            }
        }
    }

    /// A connection of the caller's own, beside the pool; the caller closes it.
    package func connect() throws -> Connection {
        try Connection(configuration)
    }

    /// How many threads wait for a connection now.
    package var waiting: Int { pool.withLock { $0.waiting } }

    /// Closes the idle connections, and each lent one when it comes back. Safe to call twice.
    package func close() {
        let (idle, waiters) = pool.withLock { $0.close() }
        for slot in idle { slot.connection.close() }
        for waiter in waiters { waiter.deliver(.closed) }
    }

    // MARK: - Lending

    private func borrow() throws -> Connection {
        let waiter = Waiter()
        var turn = pool.withLock { $0.ask(waiter, limit: configuration.maxConnections) }
        if turn == nil {
            turn = waiter.wait(for: configuration.acquireTimeout)
            // Where the turn came as the time ran out, it is on its way and must not be lost.
            if turn == nil, !pool.withLock({ $0.withdraw(waiter) }) { turn = waiter.wait() }
        }
        switch turn {
        case nil:
            throw DatabaseError(
                .timeout,
                "no database connection came free in \(configuration.acquireTimeout): "
                    + "all \(configuration.maxConnections) are in use; try again")
        case .closed:
            throw DatabaseError(.unavailable, "the database pool is closed")
        case .connection(let slot) where slot.connection.isAlive():
            return slot.connection
        case .connection(let slot):
            slot.connection.close()
            return try replace()
        case .permit:
            return try replace()
        }
    }

    /// Makes a connection in a place of the pool that this thread holds.
    private func replace() throws -> Connection {
        do {
            return try Connection(configuration)
        } catch {
            settle(nil)
            throw error
        }
    }

    private func giveBack(_ connection: Connection) {
        connection.rollBack()
        if connection.isListening, (try? connection.script("UNLISTEN *")) != nil { connection.isListening = false }
        guard connection.isUsable, !connection.isListening, !connection.isInTransaction else {
            connection.close()
            return settle(nil)
        }
        settle(Slot(connection: connection))
    }

    private func settle(_ slot: Slot?) {
        let (waiter, turn) = pool.withLock { $0.settle(slot) }
        if let waiter {
            waiter.deliver(turn)
        } else if case .closed = turn {
            slot?.connection.close()
        }
    }
}

/// A connection that no thread is using.
///
/// `@unchecked Sendable`: it is either in the pool, where nobody touches it, or with the one thread that took it.
private struct Slot: @unchecked Sendable {
    let connection: Connection
}

/// What a thread that asked for a connection gets.
private enum Turn: Sendable {
    case connection(Slot)
    /// Room in the pool: make one.
    case permit
    case closed
}

/// A thread that waits for its turn.
private final class Waiter: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)
    private let turn = Mutex<Turn?>(nil)

    func deliver(_ turn: Turn) {
        self.turn.withLock { $0 = turn }
        semaphore.signal()
    }

    /// `nil` when the time is over.
    func wait(for timeout: Duration) -> Turn? {
        let nanoseconds = Int(clamping: timeout.wholeMicroseconds.multipliedReportingOverflow(by: 1000).partialValue)
        guard semaphore.wait(timeout: .now() + .nanoseconds(nanoseconds)) == .success else { return nil }
        return turn.withLock { $0 }
    }

    func wait() -> Turn? {
        semaphore.wait()
        return turn.withLock { $0 }
    }
}

/// Who has what; decides under the pool's lock and does nothing itself.
private struct Pool {
    private var idle: [Slot] = []
    /// Idle, lent, and being made.
    private var places = 0
    private var waiters: [Waiter] = []
    private var isClosed = false

    var waiting: Int { waiters.count }

    /// - Returns: `nil` if the waiter must wait.
    mutating func ask(_ waiter: Waiter, limit: Int) -> Turn? {
        if isClosed { return .closed }
        if waiters.isEmpty {
            // The last one given back is the likeliest to be warm and alive.
            if let slot = idle.popLast() { return .connection(slot) }
            if places < limit {
                places += 1
                return .permit
            }
        }
        waiters.append(waiter)
        return nil
    }

    /// - Returns: `false` if the waiter's turn came meanwhile.
    mutating func withdraw(_ waiter: Waiter) -> Bool {
        guard let index = waiters.firstIndex(where: { $0 === waiter }) else { return false }
        waiters.remove(at: index)
        return true
    }

    /// A place comes back, with its connection or (`nil`) without.
    mutating func settle(_ slot: Slot?) -> (Waiter?, Turn) {
        if isClosed {
            places -= 1
            return (nil, .closed)
        }
        let turn: Turn = slot.map { .connection($0) } ?? .permit
        if !waiters.isEmpty { return (waiters.removeFirst(), turn) }
        if let slot { idle.append(slot) } else { places -= 1 }
        return (nil, turn)
    }

    mutating func close() -> ([Slot], [Waiter]) {
        isClosed = true
        defer { (idle, waiters) = ([], []) }
        places -= idle.count
        return (idle, waiters)
    }
}
