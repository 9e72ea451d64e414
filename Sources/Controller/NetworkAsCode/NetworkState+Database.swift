internal import Addressing
internal import IPAM
internal import Postgres

extension NetworkState {
    /// As the transaction sees it.
    static func read(in connection: Connection) throws -> NetworkState {
        var state = NetworkState()
        for row in try connection.query("SELECT name, site, touched FROM wire ORDER BY name COLLATE \"C\"") {
            let wire = try Wire(name: row.get(0), site: row.get(1), isPersons: row.get(2))
            if wire.isPersons { state.wires.append(wire) } else { state.automaticWires[wire.name] = wire }
        }
        let pools = try self.pools(in: connection)
        let reservations = try self.reservations(in: connection)
        state.subnets = try connection.query(
            """
            SELECT s.id, s.name, w.name, s.cidr, s.vlan_id, s.gateway, s.dns, s.dns_suffix, s.description
            FROM subnet s JOIN wire w ON w.id = s.wire_id WHERE s.confirmed
            ORDER BY w.name COLLATE "C", s.vlan_id, s.cidr
            """
        ).map { row in
            let id: Int64 = try row.get(0)
            return try Subnet(
                id: id, name: row.get(1), wire: row.get(2), cidr: row.get(3), vlan: row.get(4), gateway: row.get(5),
                dns: row.get(6), dnsSuffix: row.get(7), description: row.get(8), pools: pools[id] ?? [],
                reservations: reservations[id] ?? [])
        }
        state.links = try connection.query(
            """
            SELECT l.account_id, l.switch_id, l.host_id, w.name, l.native_vlan FROM link l
            JOIN wire w ON w.id = l.wire_id JOIN account a ON a.id = l.account_id
            WHERE l.origin = 'person' ORDER BY a.name COLLATE "C", l.switch_id COLLATE "C", l.host_id COLLATE "C"
            """
        ).map { row in
            try Link(
                key: .init(account: row.get(0), switchID: row.get(1), hostID: row.get(2)), wire: row.get(3),
                native: row.get(4))
        }
        state.switches = try directory(in: connection)
        return state
    }

    private static func pools(in connection: Connection) throws -> [Int64: [PoolRequest]] {
        var pools: [Int64: [PoolRequest]] = [:]
        let rows = try connection.query(
            "SELECT subnet_id, first, last, role, policy, quarantine FROM pool ORDER BY subnet_id, first")
        for row in rows {
            guard let range = AddressRange(try row.get(1), try row.get(2)) else { continue }
            pools[try row.get(0), default: []].append(
                try PoolRequest(range, role: row.get(3), policy: row.get(4), quarantine: row.get(5)))
        }
        return pools
    }

    private static func reservations(in connection: Connection) throws -> [Int64: [NetworkFile.Reservation]] {
        var reservations: [Int64: [NetworkFile.Reservation]] = [:]
        let rows = try connection.query(
            """
            SELECT subnet_id, first, last, owner, note, expires_at FROM reservation
            WHERE expires_at IS NULL OR expires_at > now() ORDER BY subnet_id, first
            """)
        for row in rows {
            guard let range = AddressRange(try row.get(1), try row.get(2)) else { continue }
            reservations[try row.get(0), default: []].append(
                try .init(range: range, owner: row.get(3), note: row.get(4), expires: row.get(5)))
        }
        return reservations
    }

    private static func directory(in connection: Connection) throws -> SwitchDirectory {
        var accounts: [String: Int64] = [:]
        for row in try connection.query("SELECT name, id FROM account") { accounts[try row.get(0)] = try row.get(1) }
        var members: [Int64: [String: [SwitchDirectory.Host]]] = [:]
        let rows = try connection.query(
            """
            SELECT m.account_id, m.switch_id, h.id, h.name FROM switch_host m
            JOIN host h ON h.account_id = m.account_id AND h.id = m.host_id ORDER BY h.id
            """)
        for row in rows {
            members[try row.get(0), default: [:]][try row.get(1), default: []].append(
                .init(id: try row.get(2), name: try row.get(3)))
        }
        let switches = try connection.query(
            """
            SELECT s.account_id, s.id, s.name, h.id, h.name FROM switch s
            LEFT JOIN host h ON h.account_id = s.account_id AND h.id = s.host_id ORDER BY s.account_id, s.id
            """
        ).map { row -> SwitchDirectory.Entry in
            let account: Int64 = try row.get(0)
            let id: String = try row.get(1)
            let owner = try row.get(3, as: String?.self)
            return .init(
                account: account, id: id, name: try row.get(2),
                owner: try owner.map { .init(id: $0, name: try row.get(4)) },
                members: members[account]?[id] ?? [])
        }
        return SwitchDirectory(accounts: accounts, switches: switches)
    }
}
