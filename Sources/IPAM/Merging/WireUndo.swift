package import Postgres
internal import SQL

/// Makes wires, links, subnets and their addresses what they were before an entry of the journal, within the caller's
/// transaction, which holds the topology lock and places the touched addresses again afterwards.
///
/// What the entry touched must be as the entry left it. Links that syncs made since do not count: they go, and the next
/// sync makes them anew by what is then known.
package struct WireUndo {
    package let entry: Int64
    /// What was done, as `merged wires a and b into c`.
    package let summary: String
    let connection: Connection

    /// - Parameter id: `nil` for the newest entry that is not undone.
    /// - Throws: ``NetworkError`` with code `not_found`, or `clash` where there is nothing left to undo.
    package init(_ id: Int64?, in connection: Connection) throws {
        self.connection = connection
        let row = try connection.query(
            """
            SELECT j.id, j.summary, j.action, u.id FROM wire_journal j LEFT JOIN wire_journal u ON u.undoes = j.id
            WHERE j.id = $1::bigint OR ($1 IS NULL AND j.action = 'merge' AND u.id IS NULL)
            ORDER BY j.id DESC LIMIT 1
            """, id
        ).first
        guard let row else {
            throw NetworkError(
                .notFound,
                id.map { "the journal of wires has no entry \($0); see: wireloom wire journal" }
                    ?? "there is nothing to undo; see: wireloom wire journal")
        }
        entry = try row.get(0)
        summary = try row.get(1)
        if try row.get(2, as: String.self) == "undo" {
            throw NetworkError(.clash, "entry \(entry) is itself the undoing of another; merge the wires again instead")
        }
        if let by: Int64 = try row.get(3) {
            throw NetworkError(.clash, "entry \(entry) (\(summary)) is undone already, by entry \(by)")
        }
        let subnets: [Int64] = try connection.query(
            """
            SELECT s.id FROM subnet s WHERE s.wire_id IN (SELECT unnest(wires) FROM wire_journal WHERE id = $1::bigint)
            UNION SELECT s.id FROM subnet s JOIN journal_images($1, 'subnet') i ON i.key = s.id::text
            UNION SELECT s.id FROM wire_journal j, jsonb_array_elements(j.elsewhere) x, subnet s
                WHERE j.id = $1 AND s.id::text = coalesce(nullif(x -> 'after', 'null'), x -> 'before') ->> 'subnet_id'
            ORDER BY 1
            """, entry
        ).map { try $0.get(0) }
        try SubnetTable.lock(subnets, in: connection)
        for subnet in subnets { try SubnetTable.settle(subnet, in: connection) }
        let united: [Int64] = try connection.query("SELECT united FROM wire_journal WHERE id = $1::bigint", entry)[0]
            .get(0)
        try SubnetTable.lockAddresses(united, in: connection)
    }

    /// The addresses that this can concern, for placement.
    package func touch() throws {
        let row = try connection.query(
            """
            SELECT wires, ARRAY(SELECT key::bigint FROM journal_images(id, 'subnet') i WHERE i.before IS DISTINCT FROM i.after)
            FROM wire_journal WHERE id = $1::bigint
            """, entry
        ).one()
        try connection.execute(
            Queries.touchWires, try row.get(0, as: [Int64].self), try row.get(1, as: [Int64].self))
    }

    /// - Throws: ``NetworkError`` with code `clash`, which names all that changed since.
    package func run() throws -> [WireStep] {
        let changes = try WireChanges(entry, in: connection).all()
        guard changes.isEmpty else {
            throw NetworkError(
                .clash,
                Words.lines("entry \(entry) (\(summary)) cannot be undone, because of what changed since", changes))
        }
        var steps = try relink()
        steps += try restoreSubnets()
        try restoreContents()
        try restoreElsewhere()
        steps += try removeTarget()
        try restoreVerdicts()
        _ = try connection.query(
            """
            INSERT INTO wire_journal (action, summary, wires, undoes)
            SELECT 'undo', 'undid entry ' || id || ': ' || summary, wires, id FROM wire_journal WHERE id = $1::bigint
            RETURNING id
            """, entry)
        return steps
    }

    // MARK: Wires and links

    private func relink() throws -> [WireStep] {
        var steps: [WireStep] = []
        let dropped = try connection.query(
            """
            DELETE FROM link l USING wire_journal j
            WHERE j.id = $1::bigint AND l.origin = 'automatic' AND l.wire_id = ANY (j.wires)
                AND NOT EXISTS (SELECT FROM journal_images($1, 'link') i WHERE i.key = image_key('link', to_jsonb(l)))
            RETURNING coalesce((SELECT s.name FROM switch s WHERE s.account_id = l.account_id AND s.id = l.switch_id),
                l.switch_id), (SELECT a.name FROM account a WHERE a.id = l.account_id)
            """, entry)
        for row in dropped {
            let name: String = try row.get(0)
            steps.append(
                .init(
                    .note, "switch", name,
                    "switch \(name) (\(try row.get(1, as: String.self))), linked by a sync since, is linked anew by the next "
                        + "one"))
        }
        let wires = try connection.query(
            """
            SELECT i.before ->> 'name', restore_rows('wire', jsonb_build_array(i.before))
            FROM journal_images($1::bigint, 'wire') i WHERE i.after IS NULL ORDER BY i.key
            """, entry)
        for row in wires {
            let name: String = try row.get(0)
            steps.append(.init(.restore, "wire", name, "wire \(name) is there again"))
        }
        let moved = try connection.query(
            """
            UPDATE link l SET wire_id = b.wire_id, native_vlan = b.native_vlan, origin = b.origin
            FROM journal_images($1::bigint, 'link') i
            CROSS JOIN LATERAL jsonb_populate_record(NULL::link, i.before) b
            WHERE i.before IS DISTINCT FROM i.after
                AND (l.account_id, l.switch_id, l.host_id) = (b.account_id, b.switch_id, b.host_id)
            RETURNING coalesce((SELECT s.name FROM switch s WHERE s.account_id = l.account_id AND s.id = l.switch_id),
                l.switch_id), (SELECT a.name FROM account a WHERE a.id = l.account_id),
                (SELECT w.name FROM wire w WHERE w.id = b.wire_id)
            """, entry)
        for row in moved {
            let name: String = try row.get(0)
            let account: String = try row.get(1)
            steps.append(
                .init(
                    .move, "switch", name,
                    "switch \(name) (\(account)) moves back to wire \(try row.get(2, as: String.self))"))
        }
        return steps
    }

    /// The target goes where the entry made it; else it is what it was, except that a person's touch since stays.
    private func removeTarget() throws -> [WireStep] {
        let gone = try connection.query(
            """
            DELETE FROM wire w USING journal_images($1::bigint, 'wire') i
            WHERE i.before IS NULL AND w.id::text = i.key RETURNING w.name
            """, entry)
        try connection.execute(
            """
            UPDATE wire w SET touched = (i.before -> 'touched')::boolean
            FROM journal_images($1::bigint, 'wire') i
            WHERE i.before IS NOT NULL AND i.after IS NOT NULL AND w.id::text = i.key
                AND w.touched <> (i.before -> 'touched')::boolean
                AND NOT EXISTS (SELECT FROM subnet s WHERE s.wire_id = w.id AND s.confirmed)
                AND NOT EXISTS (SELECT FROM link l WHERE l.wire_id = w.id AND l.origin = 'person')
            """, entry)
        return try gone.map {
            let name: String = try $0.get(0)
            return .init(.remove, "wire", name, "wire \(name) goes")
        }
    }

    /// What was weighed and said of the wires.
    private func restoreVerdicts() throws {
        for table in ["link_support", "wire_rejection"] {
            let (mine, keep) =
                table == "link_support"
                ? (
                    "t.wire_id = ANY (j.wires)",
                    "EXISTS (SELECT FROM account a WHERE a.id = (x ->> 'account_id')::bigint)"
                )
                : (
                    "(t.first_wire = ANY (j.wires) OR t.second_wire = ANY (j.wires))",
                    """
                    EXISTS (SELECT FROM wire w WHERE w.id = (x ->> 'first_wire')::bigint)
                        AND EXISTS (SELECT FROM wire w WHERE w.id = (x ->> 'second_wire')::bigint)
                    """
                )
            try connection.execute(
                "DELETE FROM \(table) t USING wire_journal j WHERE j.id = $1::bigint AND \(mine)", entry)
            _ = try connection.query(
                """
                SELECT restore_rows('\(table)', (SELECT coalesce(jsonb_agg(x), '[]')
                    FROM jsonb_array_elements(j.before -> '\(table)') x WHERE \(keep)))
                FROM wire_journal j WHERE j.id = $1::bigint
                """, entry)
        }
    }
}
