package import IPAM
package import Postgres
internal import SQL

/// What a person changes of wires, subnets, pools and links. Each is one transaction that places the touched adapters again,
/// so that no answer is ever about the network as it was before.
package struct NetworkService: Sendable {
    /// What a change did to the adapters it touched.
    package struct Effect: Sendable {
        package let placed: Int
        package let unplaced: Int
    }

    let database: Database
    let actor: Actor

    package init(database: Database, actor: Actor) {
        self.database = database
        self.actor = actor
    }

    /// One change of the network: alone, signed, and with the tables that placement needs.
    func change<T>(_ body: (Connection) throws -> T) throws -> T {
        try database.transaction { connection in
            try AdvisoryLock.topology(exclusive: true).take(in: connection)
            try actor.declare(in: connection)
            try Placement.prepare(in: connection)
            return try body(connection)
        }
    }

    /// Places what the change touched, and tells what became of it.
    func placeTouched(in connection: Connection) throws -> Effect {
        try Placement.place(account: nil, in: connection)
        let row = try connection.query(
            """
            SELECT count(*) FILTER (WHERE p.reason IS NULL), count(*) FILTER (WHERE p.reason IS NOT NULL)
            FROM touched t JOIN placement p USING (account_id, owner, owner_id, device, ip)
            """)[0]
        return Effect(placed: try row.get(0), unplaced: try row.get(1))
    }
}
