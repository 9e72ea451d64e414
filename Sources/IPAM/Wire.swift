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
        let rows = try connection.query(
            """
            SELECT id, name, site FROM wire WHERE name = $1::text OR id::text = $1 ORDER BY name = $1 DESC LIMIT 1
            """, name)
        guard let row = rows.first else {
            throw NetworkError(
                .notFound, "there is no wire \"\(name)\"; see: wireloom wire list, or: wireloom wire create \(name)")
        }
        return try Wire(id: row.get(0), name: row.get(1), site: row.get(2))
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
}
