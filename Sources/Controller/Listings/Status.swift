package import Postgres

/// The numbers of `wireloom status`.
package struct Status: Sendable {
    package let json: JSONValue

    package func text(_ field: String) -> String { json[field].text ?? "0" }

    package static func read(in connection: Connection) throws -> Status {
        let row = try connection.query(
            """
            SELECT to_jsonb(t) FROM (SELECT
                (SELECT count(*) FROM account) AS accounts,
                (SELECT count(*) FROM account a WHERE 'failed' = (
                    SELECT j.state FROM job j WHERE j.kind = 'sync' AND j.subject = 'account:' || a.id
                        AND j.finished_at IS NOT NULL ORDER BY j.id DESC LIMIT 1)) AS failing,
                (SELECT count(*) FROM job WHERE state = 'running') AS running,
                (SELECT count(*) FROM job WHERE state = 'queued') AS queued,
                (SELECT count(*) FROM host) AS hosts, (SELECT count(*) FROM vm) AS vms,
                (SELECT count(*) FROM switch) AS switches,
                (SELECT count(*) FROM switch s WHERE NOT EXISTS (SELECT FROM link l
                    WHERE l.account_id = s.account_id AND l.switch_id = s.id)) AS unlinked,
                (SELECT count(*) FROM wire) AS wires, (SELECT count(*) FROM subnet) AS subnets,
                (SELECT count(*) FROM subnet WHERE NOT confirmed) AS unconfirmed,
                (SELECT count(*) FROM address WHERE state = 'held') AS held,
                (SELECT count(*) FROM address WHERE state = 'quarantined' AND until > now()) AS quarantined,
                (SELECT count(*) FROM placement WHERE reason IS NOT NULL) AS unplaced) t
            """)[0]
        let json: JSON = try row.get(0)
        return Status(json: try json.decoded())
    }

    /// What waits for a person, a line each, with the command to look.
    package var waiting: [String] {
        var lines: [String] = []
        if text("unplaced") != "0" {
            lines.append("addresses that belong nowhere yet: \(text("unplaced")), see: wireloom vm list --unplaced")
        }
        if text("unlinked") != "0" {
            lines.append("switches that are on no wire: \(text("unlinked")), see: wireloom switch list")
        }
        if text("unconfirmed") != "0" {
            lines.append("subnets that await a person's word: \(text("unconfirmed")), see: wireloom subnet list")
        }
        return lines
    }
}
