internal import IPAM
internal import Postgres

extension Listing {
    package static let wireJournal = Listing(
        name: "entry",
        sql: """
            SELECT j.id, to_char(j.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, j.actor, j.origin, j.action,
                j.summary, j.undoes, u.id AS undone_by
            FROM wire_journal j LEFT JOIN wire_journal u ON u.undoes = j.id ORDER BY j.id DESC
            """,
        columns: [
            .init("ID", "id"), .init("AT", "at"), .init("ACTOR", "actor"), .init("UNDONE BY", "undone_by"),
            .init("SUMMARY", "summary", shrinks: true),
        ])

    /// `$1` wire id. A row a host and VLAN, also where no port group of the host's switches on the wire has the VLAN.
    package static let coverage = Listing(
        name: "coverage",
        sql: """
            WITH member AS (
                SELECT DISTINCT l.account_id, m.host_id FROM link l
                JOIN switch_host m ON m.account_id = l.account_id AND m.switch_id = l.switch_id
                    AND (l.host_id = m.host_id OR l.host_id = '' AND NOT EXISTS (SELECT FROM link pin
                        WHERE pin.account_id = l.account_id AND pin.switch_id = l.switch_id AND pin.host_id = m.host_id))
                WHERE l.wire_id = $1::bigint
            ),
            carried AS (
                SELECT DISTINCT l.account_id, m.host_id, p.id, p.name, s.name AS switch, n.vlan_id
                FROM link l
                JOIN switch_host m ON m.account_id = l.account_id AND m.switch_id = l.switch_id
                    AND (l.host_id = m.host_id OR l.host_id = '' AND NOT EXISTS (SELECT FROM link pin
                        WHERE pin.account_id = l.account_id AND pin.switch_id = l.switch_id AND pin.host_id = m.host_id))
                JOIN switch s ON s.account_id = l.account_id AND s.id = l.switch_id
                JOIN portgroup p ON p.account_id = l.account_id AND p.switch_id = l.switch_id AND NOT p.uplink
                    AND (p.host_id IS NULL OR p.host_id = m.host_id)
                JOIN subnet n ON n.wire_id = l.wire_id
                    AND vlan_matches(p.vlan_mode, p.vlan_id, p.vlan_ranges, l.native_vlan, n.vlan_id)
                WHERE l.wire_id = $1
            ),
            used AS (
                SELECT DISTINCT v.account_id, coalesce(h.cluster, h.id) AS cluster, v.id, n.vlan_id
                FROM placement q JOIN subnet n ON n.id = q.subnet_id AND n.wire_id = $1
                JOIN vm v ON q.owner = 'vm' AND v.account_id = q.account_id AND v.id = q.owner_id AND NOT v.template
                JOIN host h ON h.account_id = v.account_id AND h.id = v.host_id
                WHERE q.reason IS NULL
            )
            SELECT a.name AS account, h.cluster, h.name AS host, n.vlan_id, n.subnets,
                coalesce(c.portgroups, '[]') AS portgroups, c.portgroups IS NOT NULL AS covered,
                CASE WHEN c.portgroups IS NULL THEN (SELECT count(*) FROM used u
                    WHERE u.account_id = h.account_id AND u.cluster = coalesce(h.cluster, h.id) AND u.vlan_id = n.vlan_id)
                    ELSE 0 END AS vms_at_risk,
                CASE WHEN c.portgroups IS NULL THEN 'missing' ELSE c.names END AS port_group
            FROM member m
            JOIN account a ON a.id = m.account_id
            JOIN host h ON h.account_id = m.account_id AND h.id = m.host_id
            CROSS JOIN (SELECT vlan_id, json_agg(name ORDER BY name) AS subnets FROM subnet WHERE wire_id = $1
                GROUP BY vlan_id) n
            LEFT JOIN LATERAL (SELECT json_agg(json_build_object('name', c.name, 'id', c.id, 'switch', c.switch)
                    ORDER BY c.name, c.id) AS portgroups, string_agg(c.name, ', ' ORDER BY c.name, c.id) AS names
                FROM carried c WHERE c.account_id = m.account_id AND c.host_id = m.host_id AND c.vlan_id = n.vlan_id
                ) c ON true
            ORDER BY n.vlan_id, a.name, h.name
            """,
        columns: [
            .init("VLAN", "vlan_id"), .init("ACCOUNT", "account"), .init("HOST", "host", shrinks: true),
            .init("PORT GROUP", "port_group", shrinks: true), .init("VMS AT RISK", "vms_at_risk"),
        ])

    /// `$1` wire id. One row: the wire with the whole chain from account to subnet.
    static let wireChain = Listing(
        name: "wire",
        sql: """
            SELECT w.id, w.name, w.site, w.origin, w.touched, \(UsageListing.fields),
                coalesce((SELECT json_agg(json_build_object('name', s.name, 'cidr', s.cidr, 'vlan_id', s.vlan_id,
                        'gateway', host(s.gateway), 'confirmed', s.confirmed,
                        'total', \(UsageListing.number("x.total")), 'free', \(UsageListing.number("x.free")),
                        'held', \(UsageListing.number("x.held")), 'reserved', \(UsageListing.number("x.reserved")),
                        'quarantined', \(UsageListing.number("x.quarantined")),
                        'outside', \(UsageListing.number("x.outside"))) ORDER BY s.vlan_id, s.cidr)
                    FROM subnet s JOIN subnet_usage x ON x.subnet_id = s.id WHERE s.wire_id = w.id), '[]') AS subnets,
                coalesce((SELECT json_agg(c ORDER BY c.account, c.switch, c.switch_id, c.pinned_host NULLS FIRST) FROM (
                    SELECT a.name AS account, coalesce(x.name, l.switch_id) AS switch, l.switch_id, x.kind,
                        x.uuid AS switch_uuid,
                        CASE WHEN l.host_id <> '' THEN coalesce((SELECT h.name FROM host h
                            WHERE h.account_id = l.account_id AND h.id = l.host_id), l.host_id) END AS pinned_host,
                        l.native_vlan, l.origin, coalesce(e.strong, 0) AS strong, coalesce(e.weak, 0) AS weak,
                        coalesce(e.excluded, false) AS contested,
                        coalesce((SELECT json_agg(json_build_object('wire', ow.name, 'strong', o.strong, 'weak', o.weak,
                                'contested', o.excluded) ORDER BY o.strong DESC, o.weak DESC, ow.name)
                            FROM link_support o JOIN wire ow ON ow.id = o.wire_id
                            WHERE o.account_id = l.account_id AND o.switch_id = l.switch_id AND o.host_id = l.host_id
                                AND o.wire_id <> l.wire_id), '[]') AS other_support,
                        coalesce((SELECT json_agg(h.name ORDER BY h.name) FROM switch_host m
                            JOIN host h ON h.account_id = m.account_id AND h.id = m.host_id
                            WHERE m.account_id = l.account_id AND m.switch_id = l.switch_id
                                AND (l.host_id = m.host_id OR l.host_id = '' AND NOT EXISTS (SELECT FROM link pin
                                    WHERE pin.account_id = l.account_id AND pin.switch_id = l.switch_id
                                        AND pin.host_id = m.host_id))), '[]') AS hosts,
                        coalesce((SELECT json_agg(json_build_object('name', p.name, 'id', p.id, 'vlan_mode', p.vlan_mode,
                                'vlan_id', p.vlan_id, 'vlan_ranges', (SELECT json_agg(json_build_array(lower(r), upper(r) - 1))
                                    FROM unnest(p.vlan_ranges) r),
                                'subnets', (SELECT coalesce(json_agg(s.name ORDER BY s.vlan_id, s.cidr), '[]') FROM subnet s
                                    WHERE s.wire_id = w.id AND vlan_matches(p.vlan_mode, p.vlan_id, p.vlan_ranges,
                                        l.native_vlan, s.vlan_id)),
                                'vms', (SELECT count(DISTINCT n.owner_id) FROM nic n WHERE n.account_id = p.account_id
                                    AND n.portgroup_id = p.id AND n.owner = 'vm'))
                                ORDER BY p.vlan_id NULLS LAST, p.name, p.id)
                            FROM portgroup p WHERE p.account_id = l.account_id AND p.switch_id = l.switch_id
                                AND NOT p.uplink), '[]') AS portgroups
                    FROM link l JOIN account a ON a.id = l.account_id
                    LEFT JOIN switch x ON x.account_id = l.account_id AND x.id = l.switch_id
                    LEFT JOIN link_support e ON e.account_id = l.account_id AND e.switch_id = l.switch_id
                        AND e.host_id = l.host_id AND e.wire_id = l.wire_id
                    WHERE l.wire_id = w.id) c), '[]') AS chain
            FROM wire w CROSS JOIN LATERAL (\(UsageListing.ofWire)) u WHERE w.id = $1::bigint
            """,
        columns: [])
}

extension NetworkService {
    /// Accounts, hosts, switches, port groups, VLANs and subnets of a wire, and why each link holds.
    package func wireChain(_ name: String) throws -> JSONValue {
        try database.withConnection { connection in
            let wire = try WireTable.named(name, in: connection)
            guard case .object(var fields)? = try Listing.wireChain.rows([wire.id], in: connection).first else {
                throw NetworkError(.notFound, "wire \(wire.name) was removed just now")
            }
            fields["chain"] = .array(fields["chain"]?.elements.map { LinkReason.explain($0, on: wire.name) } ?? [])
            return .object(fields)
        }
    }

    /// Each host of a wire with each VLAN of its subnets.
    package func wireCoverage(_ name: String) throws -> [JSONValue] {
        try database.withConnection { connection in
            try Listing.coverage.rows([WireTable.named(name, in: connection).id], in: connection)
        }
    }
}

/// Says why a link holds.
enum LinkReason {
    /// Adds the sentence `why` to a link of the chain.
    static func explain(_ link: JSONValue, on wire: String) -> JSONValue {
        guard case .object(var fields) = link else { return link }
        fields["why"] = .string(why(link))
        return .object(fields)
    }

    private static func why(_ link: JSONValue) -> String {
        var parts: [String] = []
        if link["pinned_host"] != .null {
            parts.append("pinned for this host by a person")
        } else {
            parts.append(link["origin"].text == "person" ? "linked by a person" : "linked by evidence")
        }
        parts.append(support(link))
        if link["contested"] == .bool(true) { parts.append("some of its addresses are held by others there") }
        let others = link["other_support"].elements.map { "\(support($0)) for \($0["wire"].text ?? "")" }
        if !others.isEmpty { parts.append("against " + others.prefix(3).joined(separator: ", ")) }
        return parts.joined(separator: "; ")
    }

    private static func support(_ value: JSONValue) -> String {
        let strong = value["strong"].integer ?? 0
        let weak = value["weak"].integer ?? 0
        var parts: [String] = []
        if strong > 0 { parts.append("\(strong) management address\(strong == 1 ? "" : "es")") }
        if weak > 0 { parts.append("\(weak) VM address\(weak == 1 ? "" : "es")") }
        return parts.isEmpty
            ? "no address supports it"
            : parts.joined(separator: " and ") + " support\(strong + weak == 1 ? "s" : "") it"
    }
}
