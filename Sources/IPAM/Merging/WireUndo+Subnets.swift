internal import Postgres

extension WireUndo {
    /// Subnets go back to their wires, and those that had become a part of another are there again.
    func restoreSubnets() throws -> [WireStep] {
        var steps: [WireStep] = []
        let moved = try connection.query(
            """
            UPDATE subnet s SET wire_id = b.wire_id, confirmed = b.confirmed, gateway = b.gateway, dns = b.dns,
                dns_suffix = b.dns_suffix, description = b.description
            FROM journal_images($1::bigint, 'subnet') i
            CROSS JOIN LATERAL jsonb_populate_record(NULL::subnet, i.before) b
            WHERE i.before IS DISTINCT FROM i.after AND i.after IS NOT NULL AND s.id = b.id
            RETURNING s.name, (SELECT w.name FROM wire w WHERE w.id = s.wire_id),
                i.before -> 'wire_id' IS DISTINCT FROM i.after -> 'wire_id'
            """, entry)
        for row in moved where try row.get(2) {
            let name: String = try row.get(0)
            steps.append(
                .init(.move, "subnet", name, "subnet \(name) moves back to wire \(try row.get(1, as: String.self))"))
        }
        try connection.execute(
            """
            DELETE FROM subnet_gone g USING journal_images($1::bigint, 'subnet') i
            WHERE i.after IS NULL AND g.id::text = i.key
            """, entry)
        let restored = try connection.query(
            """
            SELECT i.before ->> 'name', restore_rows('subnet', jsonb_build_array(i.before))
            FROM journal_images($1::bigint, 'subnet') i WHERE i.after IS NULL ORDER BY i.key::bigint
            """, entry)
        for row in restored {
            let name: String = try row.get(0)
            steps.append(.init(.restore, "subnet", name, "subnet \(name) is there again"))
        }
        return steps.sorted { ($0.action.rawValue, $0.name) < ($1.action.rawValue, $1.name) }
    }

    /// Pools, reservations, keys and addresses of the united subnets, each in the subnet where it was.
    func restoreContents() throws {
        for table in ["pool", "reservation"] {
            try connection.execute(
                "DELETE FROM \(table) t USING wire_journal j WHERE j.id = $1::bigint AND t.subnet_id = ANY (j.united)",
                entry)
        }
        for table in ["pool", "extent", "reservation"] {
            _ = try connection.query(
                "SELECT restore_rows('\(table)', before -> '\(table)') FROM wire_journal WHERE id = $1::bigint", entry)
        }
        try connection.execute(
            """
            UPDATE allocation_key k SET subnet_id = x.subnet_id, request = jsonb_set(k.request, '{subnet}', to_jsonb(x.subnet_id))
            FROM wire_journal j, jsonb_to_recordset(j.before -> 'allocation_key') x (id bigint, subnet_id bigint)
            WHERE j.id = $1::bigint AND k.id = x.id AND k.subnet_id <> x.subnet_id
            """, entry)
        let images = """
            image AS MATERIALIZED (
                SELECT x AS row, r.subnet_id, r.ip FROM wire_journal j, jsonb_array_elements(j.before -> 'address') x,
                    jsonb_to_record(x) r (subnet_id bigint, ip inet)
                WHERE j.id = $1::bigint)
            """
        try connection.execute(
            """
            WITH \(images)
            DELETE FROM address a USING wire_journal j
            WHERE j.id = $1 AND a.subnet_id = ANY (j.united) AND NOT EXISTS (SELECT FROM image i
                WHERE i.subnet_id = a.subnet_id AND i.ip = a.ip AND same_row(i.row - 'pool_id', to_jsonb(a)))
            """, entry)
        _ = try connection.query(
            """
            WITH \(images)
            SELECT restore_rows('address', coalesce(jsonb_agg(\(Self.restorable("i.row"))), '[]')) FROM image i
            WHERE NOT EXISTS (SELECT FROM address a WHERE a.subnet_id = i.subnet_id AND a.ip = i.ip)
            """, entry)
        try connection.execute(
            """
            UPDATE address a SET pool_id = NULL FROM wire_journal j WHERE j.id = $1::bigint AND a.subnet_id = ANY (j.united)
            """, entry)
    }

    /// The image of an address as it can be now: of an adapter that is gone meanwhile it was let go.
    private static func restorable(_ image: String) -> String {
        """
        CASE WHEN \(image) -> 'account_id' = 'null' OR EXISTS (SELECT FROM nic n
                WHERE n.account_id = (\(image) ->> 'account_id')::bigint AND n.owner = \(image) ->> 'owner'
                    AND n.owner_id = \(image) ->> 'owner_id' AND n.device = \(image) ->> 'device') THEN \(image)
            ELSE \(image) || '{"account_id": null, "owner": null, "owner_id": null, "device": null}'
                || CASE WHEN \(image) -> 'allocated_to' <> 'null' THEN '{}' ELSE jsonb_build_object(
                    'state', 'quarantined', 'until', now() + coalesce((SELECT p.quarantine FROM pool p
                        WHERE p.subnet_id = (\(image) ->> 'subnet_id')::bigint
                            AND (\(image) ->> 'ip')::inet BETWEEN p.first AND p.last), interval '1 hour')) END
            END
        """
    }

    /// The addresses of other subnets that placement changed then, as far as they still are as it left them.
    func restoreElsewhere() throws {
        let images = """
            image AS MATERIALIZED (
                SELECT x -> 'before' AS before, x -> 'after' AS after, r.subnet_id, r.ip
                FROM wire_journal j, jsonb_array_elements(j.elsewhere) x,
                    jsonb_to_record(CASE WHEN x -> 'after' = 'null' THEN x -> 'before' ELSE x -> 'after' END)
                        r (subnet_id bigint, ip inet)
                WHERE j.id = $1::bigint AND EXISTS (SELECT FROM subnet s WHERE s.id = r.subnet_id)),
            same AS MATERIALIZED (
                SELECT i.* FROM image i LEFT JOIN address a ON a.subnet_id = i.subnet_id AND a.ip = i.ip
                WHERE CASE WHEN i.after = 'null' THEN a.ip IS NULL ELSE same_row(i.after - 'pool_id', to_jsonb(a)) END)
            """
        // What nobody had may have become a gateway, reserved or outside of every pool meanwhile.
        try connection.execute(
            """
            WITH \(images)
            UPDATE address a SET state = 'free', since = now(), until = NULL, account_id = NULL, owner = NULL, owner_id = NULL,
                device = NULL, allocated_to = NULL, allocated_at = NULL, allocated_until = NULL, key_id = NULL
            FROM same i WHERE a.subnet_id = i.subnet_id AND a.ip = i.ip
                AND (i.before = 'null' OR i.before ->> 'state' = 'free') AND is_free_row(a.subnet_id, a.pool_id, a.ip)
            """, entry)
        let rows = try connection.query(
            """
            WITH \(images),
            gone AS (
                DELETE FROM address a USING same i WHERE a.subnet_id = i.subnet_id AND a.ip = i.ip
            )
            SELECT coalesce(jsonb_agg(\(Self.restorable("i.before"))), '[]')::jsonb FROM same i
            WHERE i.before <> 'null' AND i.before ->> 'state' <> 'free'
            """, entry)
        _ = try connection.query("SELECT restore_rows('address', $1::jsonb)", try rows[0].get(0, as: JSON.self))
    }
}
