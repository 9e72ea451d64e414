package import Addressing
internal import IPAM
internal import Inventory
internal import Postgres
internal import SQL

extension NetworkService {
    /// Says that a switch, or its part on one host, is on a wire: a person's link, which every sync leaves alone.
    package func link(
        switch name: String, account: String?, host: String?, toWire wireName: String, native: VLANID
    ) throws -> Effect {
        try change { connection in
            let wire = try WireTable.named(wireName, in: connection)
            let found = try resolve(switch: name, account: account, host: host, in: connection)
            try connection.execute(
                """
                INSERT INTO link (account_id, switch_id, host_id, wire_id, native_vlan, origin)
                VALUES ($1::bigint, $2::text, $3::text, $4::bigint, $5::int, 'person')
                ON CONFLICT (account_id, switch_id, host_id) DO UPDATE SET
                    wire_id = EXCLUDED.wire_id, native_vlan = EXCLUDED.native_vlan, origin = 'person'
                """, found.account, found.id, found.pin, wire.id, native)
            try WireTable.touch(wire, in: connection)
            try connection.execute(Queries.touchSwitch, found.account, found.id)
            return try placeTouched(in: connection)
        }
    }

    /// Takes a link away; the next sync links the switch by its evidence.
    package func unlink(switch name: String, account: String?, host: String?) throws -> Effect {
        try change { connection in
            let found = try resolve(switch: name, account: account, host: host, in: connection)
            let gone = try connection.execute(
                "DELETE FROM link WHERE account_id = $1::bigint AND switch_id = $2::text AND host_id = $3::text",
                found.account, found.id, found.pin)
            guard gone > 0 else { throw try notLinked(name, found.account, found.id, host: host, in: connection) }
            try connection.execute(Queries.touchSwitch, found.account, found.id)
            return try placeTouched(in: connection)
        }
    }

    /// Says what of the switch is linked instead.
    private func notLinked(
        _ name: String, _ account: Int64, _ id: String, host: String?, in connection: Connection
    ) throws -> NetworkError {
        let rows = try connection.query(
            """
            SELECT w.name, coalesce(h.name, nullif(l.host_id, '')) FROM link l JOIN wire w ON w.id = l.wire_id
            LEFT JOIN host h ON h.account_id = l.account_id AND h.id = l.host_id
            WHERE l.account_id = $1::bigint AND l.switch_id = $2::text ORDER BY 2 NULLS FIRST LIMIT 9
            """, account, id)
        let what = host.map { "switch \(name) has no link of its own on host \($0)" } ?? "switch \(name) is on no wire"
        guard !rows.isEmpty else { return NetworkError(.notFound, "\(what): there is nothing to take away") }
        let links = try rows.prefix(8).map { row in
            let wire: String = try row.get(0)
            return try row.get(1, as: String?.self).map { "wire \(wire) on host \($0), taken away with --host \($0)" }
                ?? "wire \(wire) as a whole, taken away without --host"
        }
        let more = rows.count > 8 ? "; and more" : ""
        return NetworkError(.notFound, "\(what); it is linked to \(links.joined(separator: "; "))\(more)")
    }

    private func resolve(
        switch name: String, account: String?, host: String?, in connection: Connection
    ) throws -> (account: Int64, id: String, pin: String) {
        if let account { _ = try AccountTable.named(account, in: connection) }
        let rows = try connection.query(
            """
            SELECT a.id, a.name, s.id, s.kind, s.name, own.name, h.id
            FROM switch s JOIN account a ON a.id = s.account_id
            LEFT JOIN host own ON own.account_id = s.account_id AND own.id = s.host_id
            LEFT JOIN switch_host m ON m.account_id = s.account_id AND m.switch_id = s.id AND EXISTS (
                SELECT FROM host x WHERE x.account_id = m.account_id AND x.id = m.host_id
                    AND (x.name = $3::text OR x.id = $3))
            LEFT JOIN host h ON h.account_id = m.account_id AND h.id = m.host_id
            WHERE (s.name = $1::text OR s.id = $1) AND ($2::text IS NULL OR a.name = $2 OR a.id::text = $2)
                AND ($3::text IS NULL OR h.id IS NOT NULL)
            ORDER BY a.name, own.name, s.id
            """, name, account, host)
        guard let row = rows.first else {
            let place = [account.map { " of account \($0)" }, host.map { " on host \($0)" }].compactMap { $0 }.joined()
            throw NetworkError(.notFound, "there is no switch \"\(name)\"\(place); see: wireloom switch list")
        }
        guard rows.count == 1 else {
            let candidates = try rows.prefix(8).map { row in
                let owner: String? = try row.get(5)
                let place = "account \(try row.get(1, as: String.self))" + (owner.map { ", host \($0)" } ?? "")
                return "\(try row.get(2, as: String.self)) (\(place))"
            }
            throw NetworkError(
                .ambiguousName,
                "\"\(name)\" fits \(rows.count) switches; give an id, --account or --host: "
                    + candidates.joined(separator: "; "))
        }
        let isDistributed = try row.get(3, as: String.self) == "distributed"
        return (try row.get(0), try row.get(2), isDistributed ? try row.get(6, as: String?.self) ?? "" : "")
    }
}
