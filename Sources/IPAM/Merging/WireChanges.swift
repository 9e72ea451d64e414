internal import Postgres

/// What changed since an entry of the journal of that which it touched, a sentence each.
struct WireChanges {
    private let entry: Int64
    private let connection: Connection

    init(_ entry: Int64, in connection: Connection) {
        self.entry = entry
        self.connection = connection
    }

    func all() throws -> [String] {
        try [
            Self.newer, Self.wires, Self.names, Self.links, Self.linked, Self.subnets, Self.added, Self.subnetNames,
            Self.pools, Self.reservations, Self.addresses, Self.confirmed,
        ].flatMap { sql in try connection.query(sql, entry).map { try $0.get(0) } }
    }

    private static let newer = """
        SELECT 'entry ' || n.id || ' (' || n.summary || ') came later; undo it first: wireloom wire undo ' || n.id
        FROM wire_journal j JOIN wire_journal n ON n.id > j.id AND n.action = 'merge' AND n.wires && j.wires
        WHERE j.id = $1::bigint AND NOT EXISTS (SELECT FROM wire_journal u WHERE u.undoes = n.id) ORDER BY n.id DESC
        """

    private static let wires = """
        SELECT 'wire ' || (i.after ->> 'name') || CASE WHEN w.id IS NULL THEN ' is gone'
            WHEN w.name <> i.after ->> 'name' THEN ' is called ' || w.name || ' now' ELSE ' was changed' END
        FROM journal_images($1::bigint, 'wire') i LEFT JOIN wire w ON w.id::text = i.key
        WHERE i.after IS NOT NULL AND NOT same_row(i.after, to_jsonb(w))
        """

    private static let names = """
        SELECT 'there is another wire ' || w.name || ' now'
        FROM journal_images($1::bigint, 'wire') i JOIN wire w ON w.name = i.before ->> 'name'
        WHERE i.after IS NULL
        """

    private static let linkTitle = """
        'switch ' || coalesce((SELECT s.name || coalesce(' of host ' || (SELECT h.name FROM host h
                WHERE h.account_id = s.account_id AND h.id = coalesce(nullif(k.host_id, ''), s.host_id)), '')
            FROM switch s WHERE s.account_id = k.account_id AND s.id = k.switch_id), k.switch_id)
        """

    private static let links = """
        SELECT \(linkTitle) || CASE WHEN l.switch_id IS NULL THEN ' is linked no more'
            WHEN l.wire_id <> k.wire_id THEN ' is on wire ' || (SELECT w.name FROM wire w WHERE w.id = l.wire_id) || ' now'
            WHEN l.native_vlan <> k.native_vlan THEN ' has the native VLAN ' || l.native_vlan || ' now'
            ELSE ' is linked by a ' || CASE l.origin WHEN 'person' THEN 'person' ELSE 'sync' END || ' now' END
        FROM journal_images($1::bigint, 'link') i
        CROSS JOIN LATERAL jsonb_populate_record(NULL::link, i.after) k
        LEFT JOIN link l ON (l.account_id, l.switch_id, l.host_id) = (k.account_id, k.switch_id, k.host_id)
        WHERE i.after IS NOT NULL AND i.before IS DISTINCT FROM i.after AND NOT same_row(i.after, to_jsonb(l))
        """

    /// A person's link to a wire that would go.
    private static let linked = """
        SELECT \(linkTitle) || ' was linked to wire ' || (i.after ->> 'name')
        FROM journal_images($1::bigint, 'wire') i JOIN link k ON k.wire_id::text = i.key AND k.origin = 'person'
        WHERE i.before IS NULL
            AND NOT EXISTS (SELECT FROM journal_images($1, 'link') o WHERE o.key = image_key('link', to_jsonb(k)))
        """

    /// One that took others in counts even where that left its own row as it was: what it had is put back into it.
    private static let subnets = """
        SELECT 'subnet ' || (i.after ->> 'name') || CASE WHEN s.id IS NULL THEN ' is gone'
            WHEN to_jsonb(s) -> 'wire_id' <> i.after -> 'wire_id' THEN ' is on another wire now' ELSE ' was edited' END
        FROM journal_images($1::bigint, 'subnet') i JOIN wire_journal j ON j.id = $1
        LEFT JOIN subnet s ON s.id::text = i.key
        -- One that took another in is filled again as it was, so it must be as it was left, even if it was not changed.
        WHERE i.after IS NOT NULL AND NOT same_row(i.after, to_jsonb(s))
            AND (i.before IS DISTINCT FROM i.after OR i.key::bigint = ANY (j.united))
        """

    /// A subnet on a wire that would go.
    private static let added = """
        SELECT 'wire ' || (i.after ->> 'name') || ' has the subnet ' || s.name
        FROM journal_images($1::bigint, 'wire') i JOIN subnet s ON s.wire_id::text = i.key
        WHERE i.before IS NULL AND NOT EXISTS (SELECT FROM journal_images($1, 'subnet') o WHERE o.key = s.id::text)
        """

    private static let subnetNames = """
        SELECT 'there is another subnet ' || s.name || ' now'
        FROM journal_images($1::bigint, 'subnet') i JOIN subnet s ON s.name = i.before ->> 'name'
        WHERE i.after IS NULL
        """

    private static let pools = """
        SELECT DISTINCT 'the pools of subnet ' || s.name || ' changed'
        FROM (SELECT * FROM journal_images($1::bigint, 'pool') WHERE after IS NOT NULL) i
        FULL JOIN (SELECT p.* FROM pool p JOIN wire_journal j ON j.id = $1 AND p.subnet_id = ANY (j.united)) p
            ON p.id::text = i.key
        JOIN subnet s ON s.id = coalesce(p.subnet_id, (i.after ->> 'subnet_id')::bigint)
        WHERE i.after IS NULL OR NOT same_row(i.after, to_jsonb(p))
        """

    private static let reservations = """
        SELECT DISTINCT 'the reservations of subnet ' || s.name || ' changed'
        FROM (SELECT * FROM journal_images($1::bigint, 'reservation') WHERE after IS NOT NULL
            AND coalesce((after ->> 'expires_at')::timestamptz > now(), true)) i
        FULL JOIN (SELECT r.* FROM reservation r JOIN wire_journal j ON j.id = $1 AND r.subnet_id = ANY (j.united)) r
            ON r.id::text = i.key
        JOIN subnet s ON s.id = coalesce(r.subnet_id, (i.after ->> 'subnet_id')::bigint)
        WHERE i.after IS NULL OR NOT same_row(i.after, to_jsonb(r))
        """

    /// Of the united subnets. A quarantine that is over by now is nothing; nor is what an adapter holds whose switch a
    /// sync linked since.
    private static let addresses = """
        WITH image AS MATERIALIZED (
            SELECT r.* FROM wire_journal j, jsonb_array_elements(j.after -> 'address') x,
                jsonb_populate_record(NULL::address, x) r
            WHERE j.id = $1::bigint AND r.state <> 'free' AND coalesce(r.until > now(), true)),
        present AS (
            SELECT a.* FROM address a JOIN wire_journal j ON j.id = $1 AND a.subnet_id = ANY (j.united)
            WHERE a.state <> 'free' AND coalesce(a.until > now(), true))
        SELECT host(coalesce(p.ip, i.ip)) || ' of subnet ' || s.name || CASE
            WHEN i.ip IS NULL AND p.state = 'held' THEN ' is held since' WHEN i.ip IS NULL THEN ' is in quarantine since'
            WHEN p.ip IS NULL THEN ' is held no more' WHEN i.state = 'held' AND p.state = 'quarantined' THEN ' was released'
            ELSE ' has another holder' END || coalesce(': ' || coalesce((SELECT v.name FROM vm v
                WHERE p.owner = 'vm' AND v.account_id = p.account_id AND v.id = p.owner_id),
            (SELECT h.name FROM host h WHERE p.owner = 'host' AND h.account_id = p.account_id AND h.id = p.owner_id),
            'allocated to "' || p.allocated_to || '"'), '')
        FROM image i FULL JOIN present p ON p.subnet_id = i.subnet_id AND p.ip = i.ip
        JOIN subnet s ON s.id = coalesce(p.subnet_id, i.subnet_id)
        WHERE (i.state, i.account_id, i.owner, i.owner_id, i.device, i.allocated_to, i.key_id)
                IS DISTINCT FROM (p.state, p.account_id, p.owner, p.owner_id, p.device, p.allocated_to, p.key_id)
            AND NOT (i.ip IS NULL AND p.account_id IS NOT NULL AND p.allocated_to IS NULL AND EXISTS (
                SELECT FROM nic_attachment t JOIN link l ON l.account_id = t.account_id AND l.switch_id = t.switch_id
                    AND l.host_id = '' AND l.origin = 'automatic' AND l.wire_id = t.wire_id
                WHERE (t.account_id, t.owner, t.owner_id, t.device) = (p.account_id, p.owner, p.owner_id, p.device)
                    AND NOT EXISTS (SELECT FROM journal_images($1, 'link') o WHERE o.key = image_key('link', to_jsonb(l)))))
        ORDER BY s.name, coalesce(p.ip, i.ip)
        """

    /// A subnet that the merge confirmed and that would be unconfirmed again, where nothing is kept that a person makes.
    private static let confirmed = """
        SELECT 'subnet ' || s.name || ' has pools, reservations or allocations since'
        FROM journal_images($1::bigint, 'subnet') i JOIN wire_journal j ON j.id = $1 JOIN subnet s ON s.id::text = i.key
        WHERE NOT (i.before ->> 'confirmed')::boolean AND s.confirmed AND NOT s.id = ANY (j.united)
            AND (EXISTS (SELECT FROM pool p WHERE p.subnet_id = s.id)
                OR EXISTS (SELECT FROM reservation r WHERE r.subnet_id = s.id)
                OR EXISTS (SELECT FROM address a WHERE a.subnet_id = s.id AND a.allocated_to IS NOT NULL))
        ORDER BY s.name
        """
}
