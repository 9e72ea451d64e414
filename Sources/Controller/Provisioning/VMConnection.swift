internal import Postgres

/// A job's own connection to the database, made anew where it was lost between two transactions: a wait for a guest outlives a
/// restart of the database.
final class VMConnection {
    private let database: Database
    private(set) var present: Connection

    init(_ database: Database) throws {
        self.database = database
        present = try database.connect()
    }

    /// What was staged on a connection that was lost is lost with it.
    func renewIfLost() throws {
        guard !present.isInTransaction, !present.isAlive() else { return }
        present.close()
        present = try database.connect()
    }

    func close() { present.close() }
}
