import Dispatch
import Postgres

/// A connection of its own for one serial queue, opened when first used and again after it was lost. The pool is for the lanes' work:
/// a heartbeat must not wait for a free connection.
///
/// `@unchecked Sendable`: `connection` and `isClosed` are touched only on `queue`; `run` traps elsewhere.
final class DedicatedConnection: @unchecked Sendable {
    let queue: DispatchQueue
    private let database: Database
    private let settings: String?
    private var connection: Connection?
    private var isClosed = false

    /// - Parameter settings: SQL that each of its sessions begins with.
    init(_ database: Database, label: String, settings: String? = nil) {
        self.database = database
        self.settings = settings
        queue = DispatchQueue(label: label)
    }

    /// Runs `body` on the connection. An error of the connection's closes it; the next call opens another.
    func run<T>(_ body: (Connection) throws -> T) throws -> T {
        dispatchPrecondition(condition: .onQueue(queue))
        guard !isClosed else { throw JobError(.canceled, "the runner has stopped") }
        let connection = try self.connection ?? open()
        self.connection = connection
        do {
            return try body(connection)
        } catch let error as DatabaseError where error.code == .unavailable {
            connection.close()
            self.connection = nil
            throw error
        }
    }

    private func open() throws -> Connection {
        let connection = try database.connect()
        do {
            if let settings { try connection.script(settings) }
            return connection
        } catch {
            connection.close()
            throw error
        }
    }

    /// Closes the connection for good; from outside the queue.
    func close() {
        queue.sync {
            isClosed = true
            connection?.close()
            connection = nil
        }
    }
}
