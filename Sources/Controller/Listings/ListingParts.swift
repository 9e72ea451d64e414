/// Statements that several listings share.
enum UnplacedListing {
    /// The facts of an unplaced address; the reader adds the sentence and the command (Topology's `UnplacedReason`).
    static let object = """
        json_build_object('ip', host(u.ip), 'device', u.device, 'reason', u.reason, 'switch', u.switch, 'switch_host', u.switch_host,
            'portgroup', u.portgroup, 'vlan_id', u.vlan_id, 'untagged', u.untagged, 'native_vlan', u.native_vlan,
            'vlan_ranges', u.vlan_ranges, 'wire', u.wire, 'subnets', u.subnets,
            'candidates', u.candidates, 'holder', u.holder, 'switch_call', u.switch_call, 'pin_host', u.pin_host,
            'link_others', u.link_others, 'host_others', u.host_others, 'creation', u.creation)
        """
}

enum AddressListing {
    /// What is held, allocated or quarantined, and what is reserved and not held; quarantines that are over are free.
    static let sql = """
        SELECT t.ip, s.name AS subnet, w.name AS wire, t.state, t.owner_kind, t.owner, a.name AS account, t.mac, t.device,
            t.allocated_to, t.note,
            to_char(t.since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS since,
            to_char(t.until AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS until
        FROM (
            SELECT d.subnet_id, d.ip AS first, host(d.ip) AS ip,
                CASE WHEN d.state = 'quarantined' AND d.until <= now() THEN 'free' ELSE d.state END AS state,
                CASE WHEN d.owner IS NOT NULL THEN d.owner WHEN k.vm_request_id IS NOT NULL THEN 'job'
                    WHEN d.allocated_to IS NOT NULL THEN 'allocation' END AS owner_kind,
                coalesce(v.name, h.name, d.allocated_to) AS owner, d.account_id, n.mac, d.device, d.allocated_to,
                NULL AS note, d.since, coalesce(d.until, d.allocated_until) AS until
            FROM address d
            LEFT JOIN allocation_key k ON k.id = d.key_id
            LEFT JOIN nic n ON n.account_id = d.account_id AND n.owner = d.owner AND n.owner_id = d.owner_id
                AND n.device = d.device
            LEFT JOIN vm v ON d.owner = 'vm' AND v.account_id = d.account_id AND v.id = d.owner_id
            LEFT JOIN host h ON d.owner = 'host' AND h.account_id = d.account_id AND h.id = d.owner_id
            WHERE d.state <> 'free'
            UNION ALL
            SELECT r.subnet_id, r.first, host(r.first) || CASE WHEN r.first = r.last THEN '' ELSE '-' || host(r.last) END,
                'reserved', 'reservation', r.owner, NULL, NULL, NULL, NULL, r.note, r.created_at, r.expires_at
            FROM reservation r
            WHERE (r.expires_at IS NULL OR r.expires_at > now()) AND NOT EXISTS (
                SELECT FROM address d WHERE d.subnet_id = r.subnet_id AND r.first = r.last AND d.ip = r.first
                    AND d.state = 'held')
        ) t
        JOIN subnet s ON s.id = t.subnet_id JOIN wire w ON w.id = s.wire_id
        LEFT JOIN account a ON a.id = t.account_id
        """

    static let columns: [Listing.Column] = [
        .init("IP", "ip", isKey: true), .init("SUBNET", "subnet", shrinks: true), .init("STATE", "state"),
        .init("OWNER", "owner"),
        .init("ACCOUNT", "account"), .init("SINCE", "since"),
    ]
}

/// Counts of addresses, each counted once.
enum UsageListing {
    /// A count, as a string above 2^53, where JSON's numbers are no longer exact.
    static func number(_ expression: String) -> String {
        "CASE WHEN \(expression) > 9007199254740992 THEN to_json(trunc(\(expression))::text) "
            + "ELSE to_json((\(expression))::bigint) END"
    }

    /// The counts of `u`.
    static let fields = ["total", "free", "held", "reserved", "quarantined", "outside"].map {
        "\(number("u.\($0)")) AS \($0)"
    }.joined(separator: ", ")

    /// The sums of a wire `w`.
    static let ofWire = """
        SELECT coalesce(sum(x.total), 0) AS total, coalesce(sum(x.free), 0) AS free, coalesce(sum(x.held), 0) AS held,
            coalesce(sum(x.reserved), 0) AS reserved, coalesce(sum(x.quarantined), 0) AS quarantined,
            coalesce(sum(x.outside), 0) AS outside
        FROM subnet s JOIN subnet_usage x ON x.subnet_id = s.id WHERE s.wire_id = w.id
        """
}

enum SubnetListing {
    private static func number(_ expression: String) -> String { UsageListing.number(expression) }

    static let sql = """
        SELECT s.id, s.name, w.name AS wire, s.cidr, s.vlan_id, host(s.gateway) AS gateway,
            (SELECT coalesce(json_agg(host(d)), '[]') FROM unnest(s.dns) d) AS dns, s.dns_suffix, s.description,
            s.confirmed, \(UsageListing.fields),
            (SELECT coalesce(json_agg(json_build_object('id', p.id,
                    'range', host(p.first) || '-' || host(p.last), 'role', p.role, 'policy', p.policy,
                    'quarantine_seconds', extract(epoch FROM p.quarantine)::bigint, 'size', \(number("p.size")),
                    'free', \(number("q.free")), 'held', \(number("q.held")), 'reserved', \(number("q.reserved")),
                    'quarantined', \(number("q.quarantined"))) ORDER BY p.first), '[]')
                FROM pool p JOIN pool_usage q ON q.pool_id = p.id WHERE p.subnet_id = s.id) AS pools
        FROM subnet s JOIN wire w ON w.id = s.wire_id JOIN subnet_usage u ON u.subnet_id = s.id
        WHERE ($1::text IS NULL OR s.name = $1 OR s.id::text = $1)
            AND ($2::text IS NULL OR w.name = $2 OR w.id::text = $2)
        ORDER BY w.name, s.vlan_id, s.cidr
        """
}
