package import Postgres

/// A layer-2 broadcast domain, shared by all accounts.
package struct Wire: Sendable {
    package let id: Int64
    package let name: String
    /// Automatic decisions consider it for accounts of this site only; `nil`: for all.
    package let site: String?
}

/// The table `wire`.
package enum WireTable {
    /// By name or id.
    ///
    /// - Throws: ``NetworkError`` with code `not_found`.
    package static func named(_ name: String, in connection: Connection) throws -> Wire {
        guard let wire = try find(name, in: connection) else {
            throw NetworkError(
                .notFound,
                "there is no wire \"\(name.shown)\"; see: wireloom wire list, or: wireloom wire create \(name.shown)")
        }
        return wire
    }

    /// By name or id; `nil` where there is none.
    ///
    /// - Throws: ``NetworkError`` with code `ambiguous_name` where it is one's name and another's id.
    package static func find(_ name: String, in connection: Connection) throws -> Wire? {
        let wires = try connection.query(
            """
            SELECT id, name, site FROM wire WHERE name = $1::text OR id::text = $1 ORDER BY name = $1 DESC LIMIT 2
            """, name
        ).map { try Wire(id: $0.get(0), name: $0.get(1), site: $0.get(2)) }
        if wires.count > 1 {
            throw NetworkError(
                .ambiguousName,
                "\"\(name)\" is the name of one wire, whose id is \(wires[0].id), and the id of another, whose name is "
                    + "\"\(wires[1].name)\"; write what only one of them is called")
        }
        return wires.first
    }

    /// A wire called `7` would be taken for the wire with the id 7.
    ///
    /// - Throws: ``NetworkError`` with code `invalid`.
    package static func refuseNumber(_ name: String) throws {
        guard name.isEmpty || name.contains(where: { !$0.isASCII || !$0.isNumber }) else {
            throw NetworkError(
                .invalid, "there is no wire with the id \(name.shown), and a number is no name for a new one")
        }
    }

    /// - Throws: ``NetworkError`` with code `duplicate`.
    package static func create(name: String, site: String?, in connection: Connection) throws -> Wire {
        let rows = try connection.query(
            """
            INSERT INTO wire (name, site, origin, touched) VALUES ($1::text, $2::text, 'person', true)
            ON CONFLICT (name) DO NOTHING RETURNING id
            """, name, site)
        guard let row = rows.first else {
            throw NetworkError(.duplicate, "there is a wire \"\(name)\" already; choose another name")
        }
        return try Wire(id: row.get(0), name: name, site: site)
    }

    /// From now on no sync recomputes or removes it.
    package static func touch(_ wire: Wire, in connection: Connection) throws {
        try connection.execute("UPDATE wire SET touched = true WHERE id = $1::bigint AND NOT touched", wire.id)
    }

    /// - Throws: ``NetworkError`` with code `duplicate` or `invalid`.
    package static func rename(_ wire: Wire, to name: String, in connection: Connection) throws {
        try refuseNumber(name)
        do {
            // Its name is a person's now, so it does not go by itself any more.
            try connection.execute(
                "UPDATE wire SET name = $2::text, touched = true WHERE id = $1::bigint", wire.id, name)
        } catch let error as DatabaseError where error.constraint == "wire_name_unique" {
            throw NetworkError(.duplicate, "there is a wire \"\(name)\" already; choose another name")
        }
    }

    /// - Throws: ``NetworkError`` with code `in_use`, which counts what uses it, unless `force`.
    /// - Returns: what was let go of, in words.
    @discardableResult
    package static func delete(_ wire: Wire, force: Bool, in connection: Connection) throws -> [String] {
        let subnets = try connection.query(
            """
            SELECT id, name, wire_id, cidr, vlan_id, gateway, confirmed FROM subnet WHERE wire_id = $1::bigint ORDER BY id
            """, wire.id
        ).map(SubnetTable.ref)
        try SubnetTable.lock(subnets.map(\.id), in: connection)
        try SubnetTable.lockAddresses(subnets.map(\.id), in: connection)
        for subnet in subnets { try SubnetTable.settle(subnet.id, in: connection) }
        let uses = try uses(of: wire, in: connection)
        guard force || uses.isEmpty else {
            throw NetworkError(
                .inUse,
                "wire \(wire.name) is in use: \(uses.joined(separator: ", ")); to let go of all that, add --force")
        }
        for subnet in subnets { try SubnetTable.delete(subnet, force: true, in: connection) }
        try connection.execute("DELETE FROM wire WHERE id = $1::bigint", wire.id)
        return uses
    }

    private static func uses(of wire: Wire, in connection: Connection) throws -> [String] {
        let row = try connection.query(
            """
            SELECT (SELECT count(DISTINCT (account_id, switch_id)) FROM link WHERE wire_id = $1::bigint),
                (SELECT count(*) FROM subnet WHERE wire_id = $1),
                (SELECT count(*) FROM address a JOIN subnet s ON s.id = a.subnet_id
                    WHERE s.wire_id = $1 AND a.state = 'held' AND a.account_id IS NOT NULL),
                (SELECT count(*) FROM address a JOIN subnet s ON s.id = a.subnet_id
                    WHERE s.wire_id = $1 AND a.allocated_to IS NOT NULL),
                (SELECT count(*) FROM reservation r JOIN subnet s ON s.id = r.subnet_id
                    WHERE s.wire_id = $1 AND (r.expires_at IS NULL OR r.expires_at > now()))
            """, wire.id
        ).one()
        let words = [
            ("linked switch", "linked switches"), ("subnet", "subnets"),
            ("address held by an adapter", "addresses held by adapters"), ("allocated address", "allocated addresses"),
            ("reservation", "reservations"),
        ]
        return try words.enumerated().compactMap { column, word in
            let number: Int = try row.get(column)
            return number > 0 ? Words.count(number, word.0, word.1) : nil
        }
    }
}

extension String {
    /// As it may be quoted in a sentence: one line, not long.
    fileprivate var shown: String {
        String(prefix(60).filter { !$0.unicodeScalars.contains { $0.properties.generalCategory == .control } })
    }
}
