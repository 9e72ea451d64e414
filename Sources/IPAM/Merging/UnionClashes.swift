internal import Addressing
internal import Postgres

/// What two subnets that are to become one have against it, as far as their addresses, reservations and pools go.
struct UnionClashes {
    private let members: [Int64]
    private let survivors: [Int64]
    private let connection: Connection

    init(_ pairs: [SubnetUnions.Pair], in connection: Connection) {
        let own = Set(pairs.map(\.survivor)).sorted()
        members = pairs.map(\.member) + own
        survivors = pairs.map(\.survivor) + own
        self.connection = connection
    }

    /// The subnets and what each becomes; a survivor becomes itself.
    private static let union = """
        WITH pair AS (SELECT m.id AS member, s.id AS survivor, m.name AS name, s.name AS survivor_name, s.cidr, s.gateway
            FROM unnest($1::bigint[], $2::bigint[]) u (member, survivor)
            JOIN subnet m ON m.id = u.member JOIN subnet s ON s.id = u.survivor)
        """

    func all() throws -> [String] {
        try [
            Self.holders, Self.strandedAllocations, Self.strandedReservations, Self.reservations, Self.reserved,
            Self.gateways, Self.pools,
        ].flatMap { sql in
            try connection.query(Self.union + sql, members, survivors).map { try $0.get(0) }
        }
    }

    /// One address, two holders. One adapter that has it in both is one holder, and so is a VM that moved between accounts.
    private static let holders = """
        SELECT host(a.ip) || ' is held twice: ' || string_agg(coalesce(a.owner || ' '
                || coalesce((SELECT v.name FROM vm v WHERE a.owner = 'vm' AND v.account_id = a.account_id AND v.id = a.owner_id),
                    (SELECT h.name FROM host h WHERE a.owner = 'host' AND h.account_id = a.account_id AND h.id = a.owner_id),
                    a.owner_id) || ' (' || (SELECT c.name FROM account c WHERE c.id = a.account_id) || ')',
                'the allocation to "' || a.allocated_to || '"') || ' in subnet ' || p.name, ' and ' ORDER BY p.member)
        FROM pair p JOIN address a ON a.subnet_id = p.member AND a.state = 'held' AND a.ip <<= p.cidr::inet
        LEFT JOIN vm o ON a.owner = 'vm' AND o.account_id = a.account_id AND o.id = a.owner_id
        LEFT JOIN nic n ON (n.account_id, n.owner, n.owner_id, n.device) = (a.account_id, a.owner, a.owner_id, a.device)
        GROUP BY p.survivor, a.ip
        HAVING count(*) > 1 AND (count(a.account_id) < count(*) OR count(a.allocated_to) > 1
            OR count(DISTINCT coalesce(o.instance_uuid || n.mac::text,
                concat_ws('/', a.account_id, a.owner, a.owner_id, a.device))) > 1)
        ORDER BY p.survivor, a.ip
        """

    private static let strandedAllocations = """
        SELECT host(a.ip) || ' of subnet ' || m.name || ' is allocated to "' || a.allocated_to || '" and would be in no subnet'
        FROM (SELECT DISTINCT member, name FROM pair) m
        JOIN address a ON a.subnet_id = m.member AND a.allocated_to IS NOT NULL
        WHERE NOT EXISTS (SELECT FROM pair p WHERE p.member = m.member AND a.ip <<= p.cidr::inet)
        ORDER BY a.ip
        """

    private static let strandedReservations = """
        SELECT 'the reservation ' || host(r.first) || '-' || host(r.last) || ' of subnet ' || m.name
            || ' would be in no subnet'
        FROM (SELECT DISTINCT member, name FROM pair) m JOIN reservation r ON r.subnet_id = m.member
        WHERE NOT EXISTS (SELECT FROM pair p
            WHERE p.member = m.member AND r.first <<= p.cidr::inet AND r.last <<= p.cidr::inet)
        ORDER BY r.first
        """

    private static let reservations = """
        SELECT 'the reservations ' || host(r.first) || '-' || host(r.last) || ' for "' || r.owner || '" in subnet ' || p.name
            || ' and ' || host(o.first) || '-' || host(o.last) || ' for "' || o.owner || '" in subnet ' || q.name || ' overlap'
        FROM pair p JOIN pair q ON q.survivor = p.survivor AND q.member > p.member
        JOIN reservation r ON r.subnet_id = p.member
        JOIN reservation o ON o.subnet_id = q.member AND o.first <= r.last AND o.last >= r.first
        WHERE (r.first, r.last, r.owner) <> (o.first, o.last, o.owner)
        ORDER BY r.first, o.first
        """

    private static let reserved = """
        SELECT host(a.ip) || ' is allocated to "' || a.allocated_to || '" in subnet ' || p.name || ' and reserved for "'
            || r.owner || '" in subnet ' || q.name
        FROM pair p JOIN pair q ON q.survivor = p.survivor AND q.member <> p.member
        JOIN reservation r ON r.subnet_id = q.member
        JOIN address a ON a.subnet_id = p.member AND a.ip BETWEEN r.first AND r.last AND a.allocated_to IS NOT NULL
            AND a.allocated_to <> r.owner
        ORDER BY a.ip
        """

    private static let gateways = """
        SELECT host(a.ip) || ' is the gateway of subnet ' || m.name || ' and allocated to "' || a.allocated_to
            || '" in subnet ' || q.name
        FROM pair p JOIN subnet m ON m.id = p.member AND p.gateway IS NULL AND masklen(m.cidr) = masklen(p.cidr)
        JOIN pair q ON q.survivor = p.survivor AND q.member <> p.member
        JOIN address a ON a.subnet_id = q.member AND a.ip = m.gateway AND a.allocated_to IS NOT NULL
        ORDER BY a.ip
        """

    private static let pools = """
        SELECT 'the pools ' || host(x.first) || '-' || host(x.last) || ' for ' || x.role || 's in subnet ' || p.name || ' and '
            || host(y.first) || '-' || host(y.last) || ' for ' || y.role || 's in subnet ' || q.name || ' overlap'
        FROM pair p JOIN pair q ON q.survivor = p.survivor AND q.member > p.member
        JOIN pool x ON x.subnet_id = p.member
        JOIN pool y ON y.subnet_id = q.member AND y.first <= x.last AND y.last >= x.first AND y.role <> x.role
        ORDER BY x.first, y.first
        """
}
