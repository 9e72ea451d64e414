package import Postgres

/// The invariants of stored addresses that constraints alone cannot keep, as questions to the database.
package enum StorageRules {
    /// What is wrong, a line each; empty where nothing is.
    package static func violations(in database: Database) throws -> [String] {
        try database.withConnection { connection in
            var lines: [String] = []
            for (rule, sql) in rules {
                lines += try connection.query("SELECT x::text FROM (\(sql)) t (x) LIMIT 5").map {
                    "\(rule): \(try $0.get(0, as: String.self))"
                }
            }
            return lines
        }
    }

    private static let rules: [(String, String)] = [
        (
            "I10: an address lies in its subnet and in the pool it names",
            """
            SELECT a.ip FROM address a JOIN subnet s ON s.id = a.subnet_id
            LEFT JOIN pool p ON p.subnet_id = a.subnet_id AND a.ip BETWEEN p.first AND p.last
            WHERE NOT s.cidr::inet >>= a.ip OR a.pool_id IS DISTINCT FROM p.id
            """
        ),
        (
            "I10: an extent lies in its pool",
            """
            SELECT e.first FROM extent e JOIN pool p ON p.id = e.pool_id
            WHERE NOT (e.first BETWEEN p.first AND p.last AND e.last BETWEEN p.first AND p.last)
            """
        ),
        (
            "I10: no free row in an extent, a reservation, or the gateway's place",
            "SELECT a.ip FROM address a WHERE a.state = 'free' AND NOT is_free_row(a.subnet_id, a.pool_id, a.ip)"
        ),
        (
            "I10: no extent over a reservation or the gateway",
            """
            SELECT e.first FROM extent e JOIN pool p ON p.id = e.pool_id JOIN subnet s ON s.id = p.subnet_id
            WHERE s.gateway BETWEEN e.first AND e.last OR EXISTS (SELECT FROM reservation r
                WHERE r.subnet_id = s.id AND r.first <= e.last AND r.last >= e.first)
            """
        ),
        (
            "I10: an address of a pool that may be allocated is in an extent or has a row",
            """
            SELECT p.id || ': ' || n.covered || ' of ' || p.size FROM pool p JOIN subnet s ON s.id = p.subnet_id
            CROSS JOIN LATERAL (SELECT
                (SELECT coalesce(sum(inet_count(e.first, e.last)), 0) FROM extent e WHERE e.pool_id = p.id)
                + (SELECT count(*) FROM address a WHERE a.pool_id = p.id AND NOT EXISTS (
                    SELECT FROM extent e WHERE e.pool_id = p.id AND a.ip BETWEEN e.first AND e.last))
                + (SELECT coalesce(sum(inet_count(greatest(r.first, p.first), least(r.last, p.last)) - (
                        SELECT count(*) FROM address a WHERE a.pool_id = p.id AND a.ip BETWEEN r.first AND r.last)), 0)
                    FROM reservation r WHERE r.subnet_id = s.id AND r.first <= p.last AND r.last >= p.first)
                + (SELECT count(*) FROM (SELECT s.gateway AS ip) g WHERE g.ip BETWEEN p.first AND p.last
                    AND NOT EXISTS (SELECT FROM address a WHERE a.subnet_id = s.id AND a.ip = g.ip)
                    AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = s.id AND g.ip BETWEEN r.first AND r.last))
                AS covered) n
            WHERE n.covered <> p.size
            """
        ),
        (
            "I7: who holds an address is there, and every quarantine ends",
            """
            SELECT a.ip FROM address a WHERE (a.state = 'held' AND a.account_id IS NULL AND a.allocated_to IS NULL)
                OR (a.state = 'quarantined' AND a.until IS NULL)
            """
        ),
        (
            "I7: what is held for a VM has its job, or its VM",
            """
            SELECT host(a.ip) || ' of request ' || q.id || ', ' || q.state FROM address a
            JOIN allocation_key k ON k.id = a.key_id JOIN vm_request q ON q.id = k.vm_request_id
            WHERE CASE q.state
                WHEN 'open' THEN NOT EXISTS (SELECT FROM job j WHERE j.id = q.job_id AND j.finished_at IS NULL)
                WHEN 'created' THEN a.account_id IS NULL
                WHEN 'kept' THEN a.account_id IS NULL
                ELSE true END
            """
        ),
        (
            "I3: a placement is on the wire of its adapter's switch, in a matching VLAN, and its adapter holds the address",
            """
            SELECT host(p.ip) || ' of ' || p.owner_id FROM placement p
            JOIN nic_attachment t USING (account_id, owner, owner_id, device)
            JOIN subnet s ON s.id = p.subnet_id
            LEFT JOIN address a ON a.subnet_id = p.subnet_id AND a.ip = p.ip AND a.state = 'held'
                AND (a.account_id, a.owner, a.owner_id, a.device) = (p.account_id, p.owner, p.owner_id, p.device)
            WHERE p.reason IS NULL AND (a.ip IS NULL OR s.wire_id IS DISTINCT FROM t.wire_id
                OR NOT s.cidr::inet >>= p.ip
                OR NOT vlan_matches(t.vlan_mode, t.vlan_id, t.vlan_ranges, t.native_vlan, s.vlan_id))
            """
        ),
        (
            "the history replayed gives the present state",
            """
            SELECT coalesce(a.ip, e.ip) || ': ' || coalesce(a.state, 'no row') || ' is ' || coalesce(e.state, 'nothing')
            FROM (SELECT * FROM address WHERE state <> 'free') a
            FULL JOIN (
                SELECT * FROM (SELECT DISTINCT ON (subnet_id, ip) * FROM address_event
                    ORDER BY subnet_id, ip, id DESC) l WHERE state <> 'free'
            ) e ON e.subnet_id = a.subnet_id AND e.ip = a.ip
            WHERE (a.state, a.until, a.account_id, a.owner, a.owner_id, a.device, a.allocated_to, a.allocated_until)
                IS DISTINCT FROM (e.state, e.until, e.account_id, e.owner, e.owner_id, e.device, e.allocated_to,
                    e.allocated_until)
            """
        ),
        (
            "the counts of a subnet add up",
            "SELECT subnet_id FROM subnet_usage WHERE outside < 0 OR free < 0 OR obtainable > free"
        ),
    ]
}
