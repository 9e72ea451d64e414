extension Listing {
    /// `$1` an address or NULL, `$2` a VM's, host's or owner's name or NULL, `$3` a moment or NULL: the state then.
    ///
    /// A transaction's last word about an address is the one that others saw; one that changes nothing is left out, and so is
    /// that an address left a subnet which it went on in another. Subnets are called what they were called then.
    package static let history = Listing(
        name: "history",
        sql: """
            SELECT to_char(t.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, host(t.ip) AS ip,
                coalesce(at_the_time.name, s.name, g.name) AS subnet, coalesce(w.name, g.wire) AS wire, t.state,
                CASE WHEN t.owner IS NOT NULL THEN t.owner WHEN t.allocated_to IS NOT NULL THEN 'allocation' END
                    AS owner_kind,
                coalesce(t.name, t.allocated_to) AS owner, t.account, t.device, t.allocated_to,
                to_char(coalesce(t.until, t.allocated_until) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS until,
                t.actor AS by, t.origin AS "from", t.job_id AS job
            FROM (
                SELECT e.*, lag((e.state, e.account_id, e.owner, e.owner_id, e.device, e.allocated_to)) OVER pair
                        IS NOT DISTINCT FROM (e.state, e.account_id, e.owner, e.owner_id, e.device, e.allocated_to)
                        AS is_same,
                    e.state = 'free' AND EXISTS (
                        SELECT FROM address_event m WHERE m.ip = e.ip AND m.transaction = e.transaction
                            AND m.subnet_id <> e.subnet_id AND m.state <> 'free') AS moved_on,
                    row_number() OVER pair = 1 AND e.state = 'free' AS is_nothing,
                    lead(e.at) OVER pair AS ends_at
                FROM (
                    SELECT DISTINCT ON (x.subnet_id, x.ip, x.transaction) x.* FROM address_event x
                    WHERE ($1::inet IS NULL OR x.ip = $1) AND ($2::text IS NULL OR (x.subnet_id, x.ip) IN (
                        SELECT y.subnet_id, y.ip FROM address_event y WHERE y.name = $2 OR y.allocated_to = $2))
                    ORDER BY x.subnet_id, x.ip, x.transaction, x.id DESC
                ) e
                WINDOW pair AS (PARTITION BY e.subnet_id, e.ip ORDER BY e.id)
            ) t
            LEFT JOIN subnet s ON s.id = t.subnet_id
            LEFT JOIN wire w ON w.id = s.wire_id
            LEFT JOIN subnet_gone g ON g.id = t.subnet_id AND s.id IS NULL
            LEFT JOIN LATERAL (
                SELECT r.before ->> 'name' AS name FROM audit r
                WHERE r.kind = 'subnet' AND r.action = 'update' AND r.before ->> 'name' <> r.after ->> 'name'
                    AND r.before ->> 'id' = t.subnet_id::text AND r.at > t.at
                ORDER BY r.at LIMIT 1) at_the_time ON true
            WHERE NOT t.is_same AND NOT t.is_nothing AND NOT t.moved_on AND ($3::timestamptz IS NULL
                OR (t.at <= $3 AND (t.ends_at IS NULL OR t.ends_at > $3)))
            ORDER BY t.at, t.id
            """,
        columns: [
            .init("AT", "at"), .init("IP", "ip", isKey: true), .init("SUBNET", "subnet", shrinks: true),
            .init("STATE", "state"),
            .init("OWNER", "owner", shrinks: true), .init("BY", "by"), .init("JOB", "job"),
        ])

    /// `$1` a kind of thing or NULL, `$2` who or NULL, `$3` how many at most.
    package static let audit = Listing(
        name: "audit",
        sql: """
            SELECT t.* FROM (
                SELECT a.id, to_char(a.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, a.actor AS by,
                    a.origin AS "from", a.job_id AS job, a.action, a.kind,
                    -- What went with its subnet or switch had nobody left to name it by, and was called by its id.
                    coalesce(CASE WHEN i.t ? 'name' OR a.name IS DISTINCT FROM i.t ->> 'id' THEN a.name END,
                        (i.t ->> 'first') || '-' || (i.t ->> 'last'), i.t ->> 'switch_id',
                        (i.t ->> 'first_wire') || '-' || (i.t ->> 'second_wire'), a.name) AS name, a.before, a.after,
                    (SELECT string_agg(k || '=' || coalesce(a.after ->> k, '-'), ' ' ORDER BY k)
                        FROM jsonb_object_keys(coalesce(a.after, a.before)) k
                        WHERE a.action = 'update' AND a.before -> k IS DISTINCT FROM a.after -> k) AS changed
                FROM audit a CROSS JOIN LATERAL (SELECT coalesce(a.after, a.before)) i (t)
                WHERE ($1::text IS NULL OR a.kind = $1) AND ($2::text IS NULL OR a.actor = $2)
                ORDER BY a.id DESC LIMIT coalesce($3::int, 50)
            ) t ORDER BY t.id
            """,
        columns: [
            .init("AT", "at"), .init("BY", "by"), .init("FROM", "from", shrinks: true), .init("ACTION", "action"),
            .init("KIND", "kind"), .init("NAME", "name", shrinks: true), .init("CHANGED", "changed", isNote: true),
        ])

    /// Conflicts that nobody noticed yet.
    package static let conflicts = Listing(
        name: "conflict",
        sql: """
            SELECT 'two_reporters' AS kind, host(u.ip) AS ip, u.name AS name, a.name AS account,
                CASE WHEN v.power_state = 'poweredOff'
                    THEN 'is powered off; its last address is now held by ' || coalesce(u.holder ->> 'name', 'another')
                    ELSE 'reports what ' || coalesce(u.holder ->> 'name', 'another') || ' holds' END AS detail
            FROM unplaced u JOIN account a ON a.id = u.account_id
            LEFT JOIN vm v ON u.owner = 'vm' AND v.account_id = u.account_id AND v.id = u.owner_id
            WHERE u.reason = 'held_by_other'
            UNION ALL
            SELECT 'same_mac', NULL, string_agg(DISTINCT coalesce(v.name, h.name), ', '),
                string_agg(DISTINCT a.name, ', '), 'have adapters with the one MAC address ' || n.mac
            FROM nic n JOIN account a ON a.id = n.account_id
            LEFT JOIN vm v ON n.owner = 'vm' AND v.account_id = n.account_id AND v.id = n.owner_id
            LEFT JOIN host h ON n.owner = 'host' AND h.account_id = n.account_id AND h.id = n.owner_id
            WHERE n.mac IS NOT NULL AND n.missing_since IS NULL AND NOT coalesce(v.template, false)
            GROUP BY n.mac
            HAVING count(*) > 1 AND count(DISTINCT coalesce(v.instance_uuid, n.account_id || n.owner_id)) > 1
            UNION ALL
            SELECT 'unseen', host(d.ip), d.allocated_to, NULL,
                'has had ' || host(d.ip) || ' of subnet ' || s.name || ' allocated for '
                    || extract(day FROM now() - d.allocated_at) || ' days, and no adapter reports it'
            FROM address d JOIN subnet s ON s.id = d.subnet_id
            WHERE d.allocated_to IS NOT NULL AND d.account_id IS NULL AND d.allocated_at < now() - interval '1 day'
            UNION ALL
            SELECT 'not_reported', host(d.ip), coalesce(v.name, h.name), a.name,
                'holds ' || host(d.ip) || ' of a pool of subnet ' || s.name || ', which none of its adapters reports'
            FROM address d JOIN subnet s ON s.id = d.subnet_id JOIN account a ON a.id = d.account_id
            LEFT JOIN vm v ON d.owner = 'vm' AND v.account_id = d.account_id AND v.id = d.owner_id
            LEFT JOIN host h ON d.owner = 'host' AND h.account_id = d.account_id AND h.id = d.owner_id
            WHERE d.pool_id IS NOT NULL AND NOT EXISTS (
                SELECT FROM nic_address n WHERE n.account_id = d.account_id AND n.owner = d.owner
                    AND n.owner_id = d.owner_id AND n.ip = d.ip)
            UNION ALL
            -- None of them has a place, so none of them is told of the other.
            SELECT 'two_reporters', host(r.ip), string_agg(DISTINCT r.name, ', '), string_agg(DISTINCT r.account, ', '),
                'report one address in one network, and have no place (' || string_agg(DISTINCT r.reason, ', ') || ')'
            FROM (
                SELECT p.ip, p.reason, a.name AS account, coalesce(v.name, h.name, p.owner_id) AS name,
                    coalesce(v.instance_uuid, p.account_id || p.owner || p.owner_id) AS reporter,
                    CASE
                        WHEN t.vlan_mode IS NULL OR t.vlan_mode = 'none'
                            THEN p.account_id || ' network ' || coalesce(n.portgroup_id, n.network_name)
                        ELSE coalesce('wire ' || t.wire_id, p.account_id || ' switch ' || t.switch_id) || ' VLAN '
                            || coalesce(CASE t.vlan_id WHEN 0 THEN t.native_vlan ELSE t.vlan_id END::text,
                                t.vlan_ranges::text)
                    END AS network
                FROM placement p
                JOIN nic n USING (account_id, owner, owner_id, device)
                JOIN nic_attachment t USING (account_id, owner, owner_id, device)
                JOIN account a ON a.id = p.account_id
                LEFT JOIN vm v ON p.owner = 'vm' AND v.account_id = p.account_id AND v.id = p.owner_id
                LEFT JOIN host h ON p.owner = 'host' AND h.account_id = p.account_id AND h.id = p.owner_id
                WHERE p.reason <> 'held_by_other'
            ) r
            WHERE r.network IS NOT NULL
            GROUP BY r.ip, r.network
            HAVING count(DISTINCT r.reporter) > 1
            UNION ALL
            SELECT 'in_pool', host(p.ip), coalesce(v.name, h.name, p.owner_id), a.name,
                'reports an address of a pool of subnet ' || s.name || ' and has no place (' || p.reason
                    || '); nobody is given it'
            FROM placement p
            JOIN pool q ON p.ip BETWEEN q.first AND q.last
            JOIN subnet s ON s.id = q.subnet_id
            JOIN account a ON a.id = p.account_id
            LEFT JOIN vm v ON p.owner = 'vm' AND v.account_id = p.account_id AND v.id = p.owner_id
            LEFT JOIN host h ON p.owner = 'host' AND h.account_id = p.account_id AND h.id = p.owner_id
            WHERE p.reason <> 'held_by_other'
            ORDER BY 1, 2, 3
            """,
        columns: [
            .init("KIND", "kind"), .init("IP", "ip", isKey: true), .init("ACCOUNT", "account"),
            .init("NAME", "name", shrinks: true), .init("DETAIL", "detail", isNote: true),
        ])
}
