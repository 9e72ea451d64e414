/// Statements that several listings share.
enum UnplacedListing {
    /// The facts of an unplaced address; the reader adds the sentence and the command (Topology's `UnplacedReason`).
    static let object = """
        json_build_object('ip', host(u.ip), 'device', u.device, 'reason', u.reason, 'switch', u.switch, 'switch_host', u.switch_host,
            'portgroup', u.portgroup, 'vlan_id', u.vlan_id, 'wire', u.wire, 'subnets', u.subnets,
            'candidates', u.candidates, 'holder', u.holder)
        """
}

enum AddressListing {
    static let sql = """
        SELECT host(d.ip) AS ip, s.name AS subnet, w.name AS wire,
            CASE d.state WHEN 'quarantined' THEN CASE WHEN d.until <= now() THEN 'free' ELSE d.state END
                ELSE d.state END AS state,
            d.owner AS owner_kind, o.name AS owner, a.name AS account, n.mac, d.device,
            to_char(d.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
            to_char(d.until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS until
        FROM address d
        JOIN subnet s ON s.id = d.subnet_id JOIN wire w ON w.id = s.wire_id
        LEFT JOIN account a ON a.id = d.account_id
        LEFT JOIN nic n ON n.account_id = d.account_id AND n.owner = d.owner AND n.owner_id = d.owner_id
            AND n.device = d.device
        LEFT JOIN LATERAL (
            SELECT v.name FROM vm v WHERE d.owner = 'vm' AND v.account_id = d.account_id AND v.id = d.owner_id
            UNION ALL
            SELECT h.name FROM host h WHERE d.owner = 'host' AND h.account_id = d.account_id AND h.id = d.owner_id
        ) o ON true
        """

    static let columns: [Listing.Column] = [
        .init("IP", "ip"), .init("SUBNET", "subnet", shrinks: true), .init("STATE", "state"), .init("OWNER", "owner"),
        .init("ACCOUNT", "account"), .init("SINCE", "since"),
    ]
}

enum SubnetListing {
    /// Counts as in DESIGN.md 3.5: usable addresses; of a pool's, those without a row are free.
    static let sql = """
        SELECT s.id, s.name, w.name AS wire, s.cidr, s.vlan_id, host(s.gateway) AS gateway,
            (SELECT coalesce(json_agg(host(d)), '[]') FROM unnest(s.dns) d) AS dns, s.confirmed,
            CASE WHEN c.total > 9007199254740992 THEN to_json(c.total::text) ELSE to_json(c.total) END AS total,
            CASE WHEN c.pooled - c.taken > 9007199254740992 THEN to_json((c.pooled - c.taken)::text)
                ELSE to_json(c.pooled - c.taken) END AS free,
            c.held, 0 AS reserved, c.quarantined,
            CASE WHEN c.total > 9007199254740992
                THEN to_json((c.total - c.held - c.quarantined - (c.pooled - c.taken))::text)
                ELSE to_json(c.total - c.held - c.quarantined - (c.pooled - c.taken)) END AS outside,
            (SELECT coalesce(json_agg(host(p.first) || '-' || host(p.last) ORDER BY p.first), '[]') FROM pool p
                WHERE p.subnet_id = s.id) AS pools
        FROM subnet s JOIN wire w ON w.id = s.wire_id
        CROSS JOIN LATERAL (
            SELECT CASE WHEN masklen(s.cidr) >= b.bits - 1 THEN power(2::numeric, b.bits - masklen(s.cidr))
                    WHEN b.bits = 32 THEN power(2::numeric, 32 - masklen(s.cidr)) - 2
                    ELSE power(2::numeric, 128 - masklen(s.cidr)) - 1 END::numeric(40) AS total,
                (SELECT count(*) FROM address d WHERE d.subnet_id = s.id AND d.state = 'held') AS held,
                (SELECT count(*) FROM address d WHERE d.subnet_id = s.id AND d.state = 'quarantined' AND d.until > now())
                    AS quarantined,
                (SELECT coalesce(sum(p.size), 0) FROM pool p WHERE p.subnet_id = s.id) AS pooled,
                (SELECT count(*) FROM address d WHERE d.subnet_id = s.id
                    AND (d.state = 'held' OR d.until > now())
                    AND EXISTS (SELECT FROM pool p WHERE p.subnet_id = s.id AND d.ip BETWEEN p.first AND p.last))
                + (SELECT count(*) FROM pool p WHERE p.subnet_id = s.id AND s.gateway BETWEEN p.first AND p.last
                    AND NOT EXISTS (SELECT FROM address d WHERE d.subnet_id = s.id AND d.ip = s.gateway)) AS taken
            FROM (SELECT CASE family(s.cidr) WHEN 4 THEN 32 ELSE 128 END AS bits) b
        ) c
        WHERE ($1::text IS NULL OR s.name = $1 OR s.id::text = $1)
            AND ($2::text IS NULL OR w.name = $2 OR w.id::text = $2)
        ORDER BY w.name, s.vlan_id, s.cidr
        """
}
