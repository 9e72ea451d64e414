internal import Addressing
internal import Postgres
internal import Topology

/// Reads what speaks for or against wires being one network.
struct SuggestionReader {
    let connection: Connection

    func snapshot() throws -> SuggestionSnapshot {
        var snapshot = SuggestionSnapshot()
        snapshot.wires = try connection.query(
            """
            SELECT w.id, w.name, w.site, w.touched,
                (SELECT count(DISTINCT (l.account_id, l.switch_id)) FROM link l WHERE l.wire_id = w.id)
            FROM wire w
            """
        ).map { row in
            .init(
                id: .init(try row.get(0)), name: try row.get(1), site: try row.get(2), isPersons: try row.get(3),
                switches: try row.get(4))
        }
        snapshot.subnets = try connection.query("SELECT wire_id, cidr, vlan_id, gateway, confirmed FROM subnet").map {
            row in
            .init(
                wire: .init(try row.get(0)), cidr: try row.get(1), vlan: try row.get(2), gateway: try row.get(3),
                isConfirmed: try row.get(4))
        }
        snapshot.keptAddresses = try Self.kept.flatMap { try shared($0) }
        snapshot.physicalSwitches = try shared(Self.physicalSwitches)
        snapshot.observedNetworks = try shared(Self.observedNetworks)
        snapshot.conflicts = try pairs(Self.conflicts)
        snapshot.rejected = try pairs("SELECT first_wire, second_wire FROM wire_rejection")
        return snapshot
    }

    private func shared(_ sql: String) throws -> [SuggestionSnapshot.Shared] {
        try connection.query(sql).map { row in
            .init(WirePair(.init(try row.get(0)), .init(try row.get(1))), try row.get(2))
        }
    }

    private func pairs(_ sql: String) throws -> Set<WirePair> {
        Set(try connection.query(sql).map { row in WirePair(.init(try row.get(0)), .init(try row.get(1))) })
    }

    /// One adapter or VM known twice with one address; a live adapter that still holds its address on another wire, where
    /// it was on another host; and what the history has of one VM and address on two hosts and wires. Each of the hosts is
    /// on its wire now: an adapter whose link was changed, or changed back, under it has moved nowhere.
    private static let kept = [
        """
        SELECT DISTINCT t.wire_id, u.wire_id, v.name || ' with ' || host(a.ip)
        FROM nic_address a
        JOIN nic n USING (account_id, owner, owner_id, device)
        JOIN vm v ON n.owner = 'vm' AND v.account_id = n.account_id AND v.id = n.owner_id
        JOIN nic_address b ON b.ip = a.ip AND b.owner = 'vm'
            AND (b.account_id, b.owner_id, b.device) > (a.account_id, a.owner_id, a.device)
        JOIN nic m ON m.account_id = b.account_id AND m.owner = b.owner AND m.owner_id = b.owner_id AND m.device = b.device
        JOIN vm x ON x.account_id = b.account_id AND x.id = b.owner_id
        JOIN nic_attachment t ON (t.account_id, t.owner, t.owner_id, t.device) = (a.account_id, a.owner, a.owner_id, a.device)
        JOIN nic_attachment u ON (u.account_id, u.owner, u.owner_id, u.device) = (b.account_id, b.owner, b.owner_id, b.device)
        WHERE (n.mac = m.mac OR v.instance_uuid = x.instance_uuid) AND t.wire_id <> u.wire_id
        """,
        """
        WITH \(member)
        SELECT DISTINCT t.wire_id, s.wire_id, v.name || ' with ' || host(d.ip)
        FROM address d
        JOIN subnet s ON s.id = d.subnet_id
        JOIN nic_address a ON (a.account_id, a.owner, a.owner_id, a.device, a.ip)
            = (d.account_id, d.owner, d.owner_id, d.device, d.ip) AND a.live
        JOIN nic_attachment t ON (t.account_id, t.owner, t.owner_id, t.device) = (d.account_id, d.owner, d.owner_id, d.device)
        JOIN vm v ON v.account_id = d.account_id AND v.id = d.owner_id
        JOIN LATERAL (
            SELECT e.host_id FROM address_event e
            WHERE e.subnet_id = d.subnet_id AND e.ip = d.ip AND e.state = 'held'
                AND (e.account_id, e.owner, e.owner_id, e.device) = (d.account_id, d.owner, d.owner_id, d.device)
            ORDER BY e.id DESC LIMIT 1) e ON e.host_id <> t.host_id
        JOIN member m ON (m.account_id, m.host_id, m.wire_id) = (d.account_id, e.host_id, s.wire_id)
        WHERE d.state = 'held' AND d.owner = 'vm' AND t.wire_id <> s.wire_id
            AND vlan_matches(t.vlan_mode, t.vlan_id, t.vlan_ranges, t.native_vlan, s.vlan_id)
        """,
        """
        WITH \(member),
        held AS (
            SELECT DISTINCT e.account_id, e.owner_id, e.device, e.ip, e.host_id, e.name, s.wire_id, s.vlan_id
            FROM address_event e
            JOIN subnet s ON s.id = e.subnet_id
            JOIN member m ON (m.account_id, m.host_id, m.wire_id) = (e.account_id, e.host_id, s.wire_id)
            WHERE e.owner = 'vm' AND e.state = 'held')
        SELECT f.wire_id, g.wire_id, max(f.name) || ' with ' || host(f.ip)
        FROM held f
        JOIN held g ON (g.account_id, g.owner_id, g.device, g.ip, g.vlan_id)
            = (f.account_id, f.owner_id, f.device, f.ip, f.vlan_id) AND g.wire_id > f.wire_id AND g.host_id <> f.host_id
        GROUP BY f.wire_id, g.wire_id, f.account_id, f.owner_id, f.ip
        """,
    ]

    /// The wires that each host is on.
    private static let member = """
        member AS (
            SELECT DISTINCT m.account_id, m.host_id, coalesce(pin.wire_id, own.wire_id) AS wire_id
            FROM switch_host m
            LEFT JOIN link pin ON pin.account_id = m.account_id AND pin.switch_id = m.switch_id AND pin.host_id = m.host_id
            LEFT JOIN link own ON own.account_id = m.account_id AND own.switch_id = m.switch_id AND own.host_id = ''
            WHERE coalesce(pin.wire_id, own.wire_id) IS NOT NULL)
        """

    /// The wire of each host's physical adapter, by the switch that has it as an uplink.
    private static let uplink = """
        uplink AS (
            SELECT m.account_id, m.host_id, d.device, coalesce(pin.wire_id, own.wire_id) AS wire_id
            FROM switch_host m CROSS JOIN LATERAL unnest(m.uplinks) d (device)
            LEFT JOIN link pin ON pin.account_id = m.account_id AND pin.switch_id = m.switch_id AND pin.host_id = m.host_id
            LEFT JOIN link own ON own.account_id = m.account_id AND own.switch_id = m.switch_id AND own.host_id = '')
        """

    private static let physicalSwitches = """
        WITH \(uplink),
        seen AS (
            SELECT DISTINCT u.wire_id, p.switch FROM physical_neighbour p JOIN uplink u USING (account_id, host_id, device)
            WHERE u.wire_id IS NOT NULL)
        SELECT a.wire_id, b.wire_id, 'switch ' || a.switch
        FROM seen a JOIN seen b ON b.switch = a.switch AND b.wire_id > a.wire_id
        """

    private static let observedNetworks = """
        WITH \(uplink),
        seen AS (
            SELECT DISTINCT u.wire_id, o.vlan_id, o.network
            FROM observed_network o JOIN uplink u USING (account_id, host_id, device) WHERE u.wire_id IS NOT NULL)
        SELECT a.wire_id, b.wire_id, a.network || ' on VLAN ' || a.vlan_id
        FROM seen a JOIN seen b ON b.network = a.network AND b.vlan_id = a.vlan_id AND b.wire_id > a.wire_id
        """

    private static let conflicts = """
        SELECT DISTINCT s.wire_id, t.wire_id
        FROM address a JOIN subnet s ON s.id = a.subnet_id
        JOIN address b ON b.ip = a.ip AND b.subnet_id > a.subnet_id AND b.state = 'held'
        JOIN subnet t ON t.id = b.subnet_id AND t.vlan_id = s.vlan_id AND t.wire_id <> s.wire_id
        LEFT JOIN nic n ON (n.account_id, n.owner, n.owner_id, n.device) = (a.account_id, a.owner, a.owner_id, a.device)
        LEFT JOIN nic m ON (m.account_id, m.owner, m.owner_id, m.device) = (b.account_id, b.owner, b.owner_id, b.device)
        WHERE a.state = 'held' AND n.mac IS DISTINCT FROM m.mac
        """
}
