package import Addressing
package import Postgres

/// The story of one address or switch from the stored evidence, in lines for a person.
package enum Explanation {
    package static func address(_ ip: IPAddress, in connection: Connection) throws -> [String] {
        var lines: [String] = []
        let reporters = try connection.query(
            """
            SELECT a.name, n.owner, coalesce(v.name, h.name, n.owner_id), n.device, n.live, i.mac, pg.name, s.name,
                CASE WHEN pg.vlan_mode = 'trunk' THEN 'trunk' WHEN pg.vlan_id = 0 THEN 'untagged'
                    ELSE 'VLAN ' || pg.vlan_id END,
                w.name, sn.name, p.reason, host(n.ip), n.missed
            FROM nic_address n
            JOIN account a ON a.id = n.account_id
            JOIN nic i ON i.account_id = n.account_id AND i.owner = n.owner AND i.owner_id = n.owner_id
                AND i.device = n.device
            JOIN nic_attachment t ON t.account_id = n.account_id AND t.owner = n.owner AND t.owner_id = n.owner_id
                AND t.device = n.device
            LEFT JOIN vm v ON n.owner = 'vm' AND v.account_id = n.account_id AND v.id = n.owner_id
            LEFT JOIN host h ON n.owner = 'host' AND h.account_id = n.account_id AND h.id = n.owner_id
            LEFT JOIN portgroup pg ON pg.account_id = n.account_id AND pg.id = i.portgroup_id
            LEFT JOIN switch s ON s.account_id = n.account_id AND s.id = pg.switch_id
            LEFT JOIN wire w ON w.id = t.wire_id
            LEFT JOIN placement p ON p.account_id = n.account_id AND p.owner = n.owner AND p.owner_id = n.owner_id
                AND p.device = n.device AND p.ip = n.ip
            LEFT JOIN subnet sn ON sn.id = p.subnet_id
            WHERE n.ip = $1::inet ORDER BY a.name, 3, n.device
            """, ip)
        if reporters.isEmpty { lines.append("no adapter reports \(ip)") }
        for row in reporters {
            let kind = try row.get(1, as: String.self) == "vm" ? "VM" : "host"
            let mac: MACAddress? = try row.get(5)
            lines.append(
                "\(kind) \(try row.get(2, as: String.self)) of \(try row.get(0, as: String.self)) reports it on adapter "
                    + "\(try row.get(3, as: String.self))\(mac.map { " (\($0))" } ?? ""), "
                    + (try row.get(4, as: Bool.self) ? "live" : "last seen"))
            let group: String? = try row.get(6)
            let path: [String?] = [
                group.map { "port group \($0)" } ?? "no port group", try row.get(8, as: String?.self),
                try row.get(7, as: String?.self).map { "switch \($0)" } as String?,
                try row.get(9, as: String?.self).map { "wire \($0)" } ?? "no wire",
            ]
            lines.append("  " + path.compactMap { $0 }.joined(separator: " -> "))
            if let reason: String = try row.get(11) {
                lines.append("  unplaced: \(reason)")
            } else if let subnet: String = try row.get(10) {
                lines.append("  placed in subnet \(subnet), and held there")
            }
        }
        for row in try Listing.unplaced.rows([nil, ip], in: connection) {
            lines.append("\(row["name"].text ?? ""): \(row["message"].text ?? "")")
            for fix in (row["fix"].text ?? "").split(separator: "\n") { lines.append("  $ \(fix)") }
        }
        let subnets = try connection.query(
            """
            SELECT s.name, s.cidr, s.vlan_id, w.name, s.confirmed FROM subnet s JOIN wire w ON w.id = s.wire_id
            WHERE s.cidr::inet >>= $1::inet ORDER BY w.name, s.vlan_id
            """, ip)
        for row in subnets {
            let confirmed = try row.get(4, as: Bool.self)
            lines.append(
                "subnet \(try row.get(0, as: String.self)) (\(try row.get(1, as: CIDR.self)), VLAN \(try row.get(2, as: Int.self)), "
                    + "wire \(try row.get(3, as: String.self))) contains it\(confirmed ? "" : "; no person confirmed it")"
            )
        }
        if subnets.isEmpty { lines.append("no subnet contains \(ip)") }
        return lines
    }

    /// Each adapter of the VMs of this name, id or UUID, and where each address of it belongs; empty where there is none.
    package static func virtualMachine(_ name: String, account: String?, in connection: Connection) throws -> [String] {
        var lines: [String] = []
        for vm in try Listing.virtualMachines.rows([account, name, nil], in: connection) {
            let facts = [
                vm["host"].text.map { "host \($0)" }, vm["power_state"].text,
                vm["template"] == .bool(true) ? "template" : nil, vm["missing"] == .bool(true) ? "missing" : nil,
                vm["uuid"].text.map { "instance UUID \($0)" },
            ]
            lines.append(
                "VM \(vm["name"].text ?? "") (\(vm["id"].text ?? "")) of account \(vm["account"].text ?? ""): "
                    + facts.compactMap { $0 }.joined(separator: ", "))
            let reasons = Dictionary(grouping: vm["unplaced"].elements) { $0["ip"].text ?? "" }
            for nic in vm["nics"].elements {
                let mac = nic["mac"].text.map { " (\($0))" } ?? ""
                let path = [
                    nic["portgroup"].text.map { "port group \($0)" } ?? "no port group",
                    nic["switch"].text.map { "switch \($0)" }, nic["wire"].text.map { "wire \($0)" } ?? "no wire",
                ]
                lines.append(
                    "  adapter \(nic["device"].text ?? "")\(mac): " + path.compactMap { $0 }.joined(separator: " -> "))
                if nic["addresses"].elements.isEmpty { lines.append("    reports no address") }
                for address in nic["addresses"].elements {
                    lines += explain(address, reasons[address["ip"].text ?? ""] ?? [])
                }
            }
            if vm["nics"].elements.isEmpty { lines.append("  has no network adapter") }
        }
        return lines
    }

    private static func explain(_ address: JSONValue, _ reasons: [JSONValue]) -> [String] {
        let ip = "\(address["ip"].text ?? "")\(address["live"] == .bool(true) ? "" : ", last seen")"
        if let subnet = address["subnet"].text { return ["    \(ip): placed in subnet \(subnet), and held there"] }
        guard let reason = reasons.first else { return ["    \(ip): not placed yet; a sync does that"] }
        let fixes = (reason["fix"].text ?? "").split(separator: "\n").map { "      $ \($0)" }
        return ["    \(ip): \(reason["reason"].text ?? ""): \(reason["message"].text ?? "")"] + fixes
    }
}
