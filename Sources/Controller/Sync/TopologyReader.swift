internal import Addressing
internal import Inventory
internal import Postgres
internal import Topology

/// Reads what linking an account's switches depends on, from the merged inventory, within the sync's transaction. What the
/// sync is going to let go of counts for nothing any more.
struct TopologyReader {
    let account: Account
    let connection: Connection

    func snapshot() throws -> TopologySnapshot {
        let vlans = try portGroupVLANs()
        return TopologySnapshot(
            account: account.name, site: account.site, switches: try switches(), links: try links(), wires: try wires(),
            confirmedSubnets: try confirmedSubnets(), unconfirmedSubnets: try unconfirmedSubnets(),
            evidence: try evidence(vlans), holders: try holders(), hostAddresses: try hostAddresses(vlans))
    }

    func switches() throws -> [TopologySnapshot.Switch] {
        var members: [String: [TopologySnapshot.Host]] = [:]
        for row in try connection.query(
            """
            SELECT m.switch_id, h.id, h.name FROM switch_host m
            JOIN host h ON h.account_id = m.account_id AND h.id = m.host_id WHERE m.account_id = $1::bigint
            """, account.id)
        {
            members[try row.get(0), default: []].append(.init(id: .init(try row.get(1)), name: try row.get(2)))
        }
        return try connection.query(
            """
            SELECT s.id, s.name, s.datacenter, s.host_id, h.name FROM switch s
            LEFT JOIN host h ON h.account_id = s.account_id AND h.id = s.host_id WHERE s.account_id = $1::bigint
            """, account.id
        ).map { row in
            let id: String = try row.get(0)
            let kind: TopologySnapshot.Switch.Kind =
                if let host = try row.get(3, as: String?.self) {
                    .standard(.init(id: .init(host), name: try row.get(4, as: String?.self) ?? host))
                } else { .distributed(members[id] ?? []) }
            return .init(id: .init(id), name: try row.get(1), kind: kind, datacenter: try row.get(2))
        }
    }

    /// An automatic link goes with its switch, so that its wire can go with them.
    func links() throws -> [TopologySnapshot.Link] {
        try connection.query(
            """
            SELECT l.switch_id, l.host_id, l.wire_id, l.native_vlan, l.origin FROM link l
            WHERE l.account_id = $1::bigint AND (l.origin = 'person'
                OR EXISTS (SELECT FROM switch s WHERE s.account_id = l.account_id AND s.id = l.switch_id))
            """, account.id
        ).map { row in
            let host: String = try row.get(1)
            return .init(
                switch: .init(try row.get(0)), host: host.isEmpty ? nil : .init(host), wire: .init(try row.get(2)),
                nativeVLAN: try row.get(3), origin: try row.get(4, as: String.self) == "person" ? .person : .automatic)
        }
    }

    private func wires() throws -> [TopologySnapshot.Wire] {
        try connection.query(
            """
            SELECT w.id, w.name, w.site, w.origin, w.touched,
                (SELECT count(*) FROM link l WHERE l.wire_id = w.id AND l.account_id <> $1::bigint)
            FROM wire w
            """, account.id
        ).map { row in
            .init(
                id: .init(try row.get(0)), name: try row.get(1), site: try row.get(2),
                origin: try row.get(3, as: String.self) == "person" ? .person : .automatic, touched: try row.get(4),
                linksElsewhere: try row.get(5))
        }
    }

    private func confirmedSubnets() throws -> [TopologySnapshot.Subnet] {
        try connection.query("SELECT id, wire_id, cidr, vlan_id, name FROM subnet WHERE confirmed").map(subnet)
    }

    private func unconfirmedSubnets() throws -> [TopologySnapshot.UnconfirmedSubnet] {
        try connection.query(
            """
            SELECT s.id, s.wire_id, s.cidr, s.vlan_id, s.name, s.gateway, held.lowest, held.highest
            FROM subnet s
            LEFT JOIN LATERAL (
                SELECT min(a.ip) AS lowest, max(a.ip) AS highest FROM address a
                WHERE a.subnet_id = s.id AND a.state = 'held'
                    AND NOT (a.account_id = $1::bigint AND a.owner = 'host' AND EXISTS (
                        SELECT FROM nic_address n WHERE n.account_id = a.account_id AND n.owner = a.owner
                            AND n.owner_id = a.owner_id AND n.device = a.device AND n.ip = a.ip))
                    AND NOT EXISTS (SELECT FROM released r WHERE r.subnet_id = a.subnet_id AND r.ip = a.ip)
            ) held ON true
            WHERE NOT s.confirmed AND s.wire_id IN (SELECT wire_id FROM link WHERE account_id = $1)
            """, account.id
        ).map { row in
            let lowest: IPAddress? = try row.get(6)
            let highest: IPAddress? = try row.get(7)
            return .init(
                subnet: try subnet(row), gateway: try row.get(5),
                held: lowest.flatMap { lowest in highest.flatMap { AddressRange(lowest, $0) } })
        }
    }

    private func subnet(_ row: Row) throws -> TopologySnapshot.Subnet {
        .init(
            id: .init(try row.get(0)), wire: .init(try row.get(1)), cidr: try row.get(2), vlan: try row.get(3),
            name: try row.get(4))
    }

    private func evidence(_ vlans: [String: PortGroupVLAN]) throws -> [TopologySnapshot.Evidence] {
        try connection.query(
            """
            SELECT n.switch_id, n.host_id, n.portgroup_id, a.ip, n.mac, a.owner = 'host', a.live
            FROM nic_address a
            JOIN nic_attachment n USING (account_id, owner, owner_id, device)
            WHERE a.account_id = $1::bigint AND n.switch_id IS NOT NULL AND n.host_id IS NOT NULL
                AND (a.owner = 'vm' OR EXISTS (
                    SELECT FROM nic i WHERE i.account_id = a.account_id AND i.owner = a.owner
                        AND i.owner_id = a.owner_id AND i.device = a.device AND i.management))
                AND NOT EXISTS (SELECT FROM dropped d WHERE (d.account_id, d.owner, d.owner_id, d.device, d.ip)
                    = (a.account_id, a.owner, a.owner_id, a.device, a.ip))
            """, account.id
        ).map { row in
            .init(
                switch: .init(try row.get(0)), host: .init(try row.get(1)),
                portGroupVLAN: vlans[try row.get(2)] ?? .unmatchable, address: try row.get(3), mac: try row.get(4),
                strength: try row.get(5) ? .strong : .weak, live: try row.get(6))
        }
    }

    private func hostAddresses(_ vlans: [String: PortGroupVLAN]) throws -> [TopologySnapshot.HostAddress] {
        try connection.query(
            """
            SELECT n.switch_id, n.host_id, n.portgroup_id, a.ip, a.prefix_length,
                CASE WHEN coalesce(i.netstack, 'defaultTcpipStack') = 'defaultTcpipStack' THEN h.gateways ELSE '{}' END
            FROM nic_address a
            JOIN nic_attachment n USING (account_id, owner, owner_id, device)
            JOIN nic i USING (account_id, owner, owner_id, device)
            JOIN host h ON h.account_id = a.account_id AND h.id = a.owner_id
            WHERE a.account_id = $1::bigint AND a.owner = 'host' AND n.switch_id IS NOT NULL
                AND NOT EXISTS (SELECT FROM dropped d WHERE (d.account_id, d.owner, d.owner_id, d.device, d.ip)
                    = (a.account_id, a.owner, a.owner_id, a.device, a.ip))
            """, account.id
        ).map { row in
            .init(
                switch: .init(try row.get(0)), host: .init(try row.get(1)),
                portGroupVLAN: vlans[try row.get(2)] ?? .unmatchable, address: try row.get(3),
                prefixLength: try row.get(4), gateways: try row.get(5))
        }
    }

    /// Only those with another MAC than an adapter of this account that reports the address: no other speaks against a wire.
    /// Most hold what they report themselves, and are left out before their holder's MAC is looked up.
    private func holders() throws -> [TopologySnapshot.Holder] {
        try connection.query(
            """
            WITH mine AS MATERIALIZED (
                SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip, n.mac
                FROM nic_address a JOIN nic n USING (account_id, owner, owner_id, device)
                WHERE a.account_id = $1::bigint AND n.mac IS NOT NULL
                AND NOT EXISTS (SELECT FROM dropped d WHERE (d.account_id, d.owner, d.owner_id, d.device, d.ip)
                    = (a.account_id, a.owner, a.owner_id, a.device, a.ip))
            )
            SELECT DISTINCT h.subnet_id, h.ip, n.mac, CASE WHEN n.account_id = $1 THEN n.switch_id END,
                CASE WHEN n.account_id = $1 THEN n.host_id END
            FROM mine
            JOIN subnet s ON s.confirmed AND s.cidr::inet >>= mine.ip
            JOIN address h ON h.subnet_id = s.id AND h.ip = mine.ip AND h.state = 'held'
                AND (h.account_id, h.owner, h.owner_id, h.device)
                    IS DISTINCT FROM (mine.account_id, mine.owner, mine.owner_id, mine.device)
            JOIN nic_attachment n ON n.account_id = h.account_id AND n.owner = h.owner AND n.owner_id = h.owner_id
                AND n.device = h.device AND n.mac <> mine.mac
            WHERE EXISTS (
                SELECT FROM nic_address a
                WHERE a.account_id = h.account_id AND a.owner = h.owner AND a.owner_id = h.owner_id
                    AND a.device = h.device AND a.ip = h.ip AND a.live
                AND NOT EXISTS (SELECT FROM dropped d WHERE (d.account_id, d.owner, d.owner_id, d.device, d.ip)
                    = (a.account_id, a.owner, a.owner_id, a.device, a.ip)))
            """, account.id
        ).map { row in
            .init(
                subnet: .init(try row.get(0)), address: try row.get(1), mac: try row.get(2),
                switch: try row.get(3, as: String?.self).map { .init($0) },
                host: try row.get(4, as: String?.self).map { .init($0) })
        }
    }

    /// Apart from the adapters, of which there are many on each.
    func portGroupVLANs() throws -> [String: PortGroupVLAN] {
        let rows = try connection.query(
            """
            SELECT id, vlan_mode, vlan_id, ARRAY(SELECT lower(r) FROM unnest(vlan_ranges) r),
                ARRAY(SELECT upper(r) - 1 FROM unnest(vlan_ranges) r)
            FROM portgroup WHERE account_id = $1::bigint
            """, account.id)
        return Dictionary(uniqueKeysWithValues: try rows.map { row in (try row.get(0), try vlan(row)) })
    }

    private func vlan(_ row: Row) throws -> PortGroupVLAN {
        let id: Int? = try row.get(2)
        switch try row.get(1, as: String.self) {
        case "access" where id == 0: return .untagged
        case "access", "private": return id.flatMap { VLANID($0) }.map(PortGroupVLAN.tagged) ?? .unmatchable
        case "trunk":
            return .trunk(
                zip(try row.get(3, as: [Int].self), try row.get(4, as: [Int].self)).filter { $0 <= $1 }.map { $0...$1 })
        default: return .unmatchable
        }
    }
}
