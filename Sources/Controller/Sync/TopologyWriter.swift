internal import Addressing
internal import Inventory
internal import Postgres
internal import Topology

/// Makes a decision about an account's switches so, writing only what differs from what is there.
struct TopologyWriter {
    let account: Account
    let connection: Connection

    /// Links, wires and subnets; before placement.
    func apply(_ decision: TopologyDecision) throws {
        for link in decision.links { try apply(link) }
        try forgetSwitches(besides: decision.links)
        for change in decision.subnetChanges {
            switch change {
            case .update(let id, let cidr, let gateway, let absorbed):
                try update(id, cidr, gateway, absorbing: absorbed)
            case .create(let wire, let subnet): try create(subnet, on: wire.rawValue)
            case .remove: break
            }
        }
        try writeSupport(decision.links)
    }

    /// Subnets and wires that nothing is left on; after placement, and only while nothing is held in them.
    ///
    /// - Returns: the subnets that are gone.
    func remove(_ decision: TopologyDecision) throws -> [Int64] {
        var subnets = decision.subnetChanges.compactMap { change -> Int64? in
            if case .remove(let subnet) = change { subnet.rawValue } else { nil }
        }
        let wires = decision.wiresToRemove.map(\.rawValue)
        if subnets.isEmpty, wires.isEmpty { return [] }
        subnets = try connection.query(
            """
            DELETE FROM subnet s WHERE s.id = ANY ($1::bigint[]) AND NOT s.confirmed
                AND NOT EXISTS (SELECT FROM address a WHERE a.subnet_id = s.id AND a.state = 'held')
            RETURNING s.id
            """, subnets
        ).map { try $0.get(0) }
        // A wire's subnets go with it; the statement still sees them.
        subnets += try connection.query(
            """
            WITH gone AS (
                DELETE FROM wire w WHERE w.id = ANY ($1::bigint[]) AND w.origin = 'automatic' AND NOT w.touched
                    AND NOT EXISTS (SELECT FROM link l WHERE l.wire_id = w.id)
                    AND NOT EXISTS (SELECT FROM subnet s JOIN address a ON a.subnet_id = s.id
                                    WHERE s.wire_id = w.id AND a.state = 'held')
                RETURNING w.id
            )
            SELECT s.id FROM subnet s JOIN gone g ON g.id = s.wire_id
            """, wires
        ).map { try $0.get(0) }
        return subnets
    }

    private func apply(_ decision: LinkDecision) throws {
        switch decision.action {
        case .keep, .leaveUnlinked: break
        case .link(let wire): try link(decision.switch, to: wire.rawValue, native: decision.nativeVLAN)
        case .createWire(let new):
            let wire = try create(new)
            try link(decision.switch, to: wire, native: decision.nativeVLAN)
        }
    }

    private func link(_ id: TopologySnapshot.SwitchID, to wire: Int64, native: VLANID) throws {
        // A person's link is never written over by a sync (I8); the decision never asks for it either.
        try connection.execute(
            """
            INSERT INTO link AS l (account_id, switch_id, wire_id, native_vlan, origin)
            VALUES ($1::bigint, $2::text, $3::bigint, $4::int, 'automatic')
            ON CONFLICT (account_id, switch_id, host_id) DO UPDATE SET wire_id = EXCLUDED.wire_id
            WHERE l.origin = 'automatic'
            """, account.id, id.rawValue, wire, native)
    }

    /// An automatic link goes with its switch.
    private func forgetSwitches(besides links: [LinkDecision]) throws {
        try connection.execute(
            """
            DELETE FROM link l WHERE l.account_id = $1::bigint AND l.origin = 'automatic'
                AND NOT EXISTS (SELECT FROM switch s WHERE s.account_id = l.account_id AND s.id = l.switch_id)
            """, account.id)
    }

    private func create(_ wire: NewWire) throws -> Int64 {
        for name in wire.names {
            let row = try connection.query(
                """
                INSERT INTO wire (name, site, origin, touched) VALUES ($1::text, $2::text, 'automatic', false)
                ON CONFLICT (name) DO NOTHING RETURNING id
                """, name, wire.site
            ).first
            guard let id: Int64 = try row?.get(0) else { continue }
            for subnet in wire.subnets { try create(subnet, on: id) }
            return id
        }
        throw SyncError(
            code: "wire_name_taken",
            message:
                "no wire could be created for a switch of account \(account.name): every name is taken, the last was "
                + "\"\(wire.names.last ?? "")\"; rename that wire")
    }

    private func create(_ subnet: NewSubnet, on wire: Int64) throws {
        try connection.execute(
            """
            INSERT INTO subnet (name, wire_id, cidr, vlan_id, gateway, confirmed)
            SELECT CASE WHEN EXISTS (SELECT FROM subnet o WHERE o.name = n.name) THEN n.name || '#' || $1::text
                ELSE n.name END, $1::bigint, $2::cidr, $3::int, $4::inet, false
            FROM (SELECT w.name || ':' || $2::cidr || ':' || $3::int AS name FROM wire w WHERE w.id = $1) n
            """, wire, subnet.cidr, subnet.vlan, subnet.gateway)
    }

    private func update(
        _ id: TopologySnapshot.SubnetID, _ cidr: CIDR, _ gateway: IPAddress?, absorbing: [TopologySnapshot.SubnetID]
    ) throws {
        // Placement, which follows, holds their addresses again in the wider one.
        for absorbed in absorbing {
            try connection.execute("DELETE FROM subnet WHERE id = $1::bigint AND NOT confirmed", absorbed.rawValue)
        }
        try connection.execute(
            "DELETE FROM address WHERE subnet_id = $1::bigint AND NOT ip <<= $2::cidr", id.rawValue, cidr)
        try connection.execute(
            """
            UPDATE subnet SET cidr = $2::cidr, gateway = $3::inet
            WHERE id = $1::bigint AND NOT confirmed AND (cidr, gateway) IS DISTINCT FROM ($2::cidr, $3::inet)
            """, id.rawValue, cidr, gateway)
    }

    /// The evidence as it was weighed.
    func writeSupport(_ links: [LinkDecision]) throws {
        var switches: [String] = []
        var hosts: [String] = []
        var wires: [Int64] = []
        var strong: [Int] = []
        var weak: [Int] = []
        var excluded: [Bool] = []
        for link in links {
            for support in link.support {
                switches.append(link.switch.rawValue)
                hosts.append(link.host?.rawValue ?? "")
                wires.append(support.wire.rawValue)
                strong.append(support.strong)
                weak.append(support.weak)
                excluded.append(!support.contested.isEmpty)
            }
        }
        let rows = """
            SELECT * FROM unnest($2::text[], $3::text[], $4::bigint[], $5::int[], $6::int[], $7::boolean[])
                AS t (switch_id, host_id, wire_id, strong, weak, excluded)
            """
        try connection.execute(
            """
            WITH t AS (\(rows))
            DELETE FROM link_support s WHERE s.account_id = $1::bigint AND NOT EXISTS (
                SELECT FROM t WHERE (t.switch_id, t.host_id, t.wire_id, t.strong, t.weak, t.excluded)
                    = (s.switch_id, s.host_id, s.wire_id, s.strong, s.weak, s.excluded))
            """, account.id, switches, hosts, wires, strong, weak, excluded)
        try connection.execute(
            """
            WITH t AS (\(rows))
            INSERT INTO link_support (account_id, switch_id, host_id, wire_id, strong, weak, excluded)
            SELECT $1::bigint, t.* FROM t
            LEFT JOIN link_support s ON s.account_id = $1 AND s.switch_id = t.switch_id AND s.host_id = t.host_id
                AND s.wire_id = t.wire_id
            WHERE s.wire_id IS NULL
            """, account.id, switches, hosts, wires, strong, weak, excluded)
    }
}
