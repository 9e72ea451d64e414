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
        /// Those that had no place before, as `web-1 10.20.0.5 -> servers`, sorted.
        package let newlyPlaced: [String]
        /// Those that had a place before, as `web-1 10.20.0.5: vlan_mismatch`, sorted.
        package let newlyUnplaced: [String]
    }

    let database: Database
    let actor: Actor

    /// Whether every change is done and then taken back, so that a plan can never differ from the deed.
    package let rehearses: Bool

    package init(database: Database, actor: Actor, rehearses: Bool = false) {
        self.database = database
        self.actor = actor
        self.rehearses = rehearses
    }

    /// One change of the network: alone, signed, and with the tables that placement needs.
    func change<T>(_ body: (Connection) throws -> T) throws -> T {
        var answer: T?
        do {
            return try database.transaction { connection in
                try AdvisoryLock.topology(exclusive: true).take(in: connection)
                try actor.declare(in: connection)
                try Placement.prepare(in: connection)
                let value = try body(connection)
                guard rehearses else { return value }
                answer = value
                throw CurtainFalls()
            }
        } catch let end as CurtainFalls {
            guard let answer else { throw end }
            return answer
        }
    }

    /// Places what the change touched, and tells what became of it.
    func placeTouched(in connection: Connection) throws -> Effect {
        try connection.script(
            """
            CREATE TEMP TABLE IF NOT EXISTS unplaced_before (LIKE touched) ON COMMIT DELETE ROWS;
            CREATE TEMP TABLE IF NOT EXISTS placed_till_now (LIKE touched) ON COMMIT DELETE ROWS;
            TRUNCATE unplaced_before, placed_till_now;
            INSERT INTO unplaced_before SELECT t.* FROM touched t
                JOIN placement p USING (account_id, owner, owner_id, device, ip) WHERE p.reason IS NOT NULL;
            -- A placement that is gone went with its subnet; the tag still tells whether it was one.
            INSERT INTO placed_till_now SELECT t.* FROM touched t
                LEFT JOIN placement p USING (account_id, owner, owner_id, device, ip)
                LEFT JOIN vm v ON p.ip IS NULL AND t.owner = 'vm' AND v.account_id = t.account_id AND v.id = t.owner_id
                WHERE p.reason IS NULL
                    AND (p.ip IS NOT NULL OR NOT host(t.ip) = ANY (string_to_array(coalesce(v.sync_ips, ''), ',')))
            """)
        try Placement.place(account: nil, in: connection)
        let row = try connection.query(
            """
            SELECT count(*) FILTER (WHERE p.reason IS NULL), count(*) FILTER (WHERE p.reason IS NOT NULL),
                ARRAY(SELECT coalesce(v.name, h.name, b.owner_id) || ' ' || host(b.ip) || ' -> ' || s.name
                    FROM unplaced_before b
                    JOIN placement q USING (account_id, owner, owner_id, device, ip)
                    JOIN subnet s ON s.id = q.subnet_id
                    LEFT JOIN vm v ON b.owner = 'vm' AND v.account_id = b.account_id AND v.id = b.owner_id
                    LEFT JOIN host h ON b.owner = 'host' AND h.account_id = b.account_id AND h.id = b.owner_id
                    WHERE q.reason IS NULL ORDER BY 1),
                ARRAY(SELECT DISTINCT coalesce(v.name, h.name, b.owner_id) || ' ' || host(b.ip) || ': ' || q.reason
                    FROM placed_till_now b
                    JOIN placement q USING (account_id, owner, owner_id, device, ip)
                    LEFT JOIN vm v ON b.owner = 'vm' AND v.account_id = b.account_id AND v.id = b.owner_id
                    LEFT JOIN host h ON b.owner = 'host' AND h.account_id = b.account_id AND h.id = b.owner_id
                    WHERE q.reason IS NOT NULL ORDER BY 1)
            FROM touched t JOIN placement p USING (account_id, owner, owner_id, device, ip)
            """)[0]
        return Effect(
            placed: try row.get(0), unplaced: try row.get(1), newlyPlaced: try row.get(2),
            newlyUnplaced: try row.get(3))
    }
}

/// The end of a rehearsal: rolls its transaction back.
private struct CurtainFalls: Error {}
