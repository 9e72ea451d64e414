package import IPAM
internal import Postgres

/// What a merge, or the undoing of one, did or would do.
package struct WireChange: Sendable, Encodable {
    /// An address that was in no subnet before.
    package struct Placed: Sendable, Encodable, Hashable {
        package let ip: String
        /// The VM or host.
        package let name: String
        package let account: String
        package let subnet: String
    }

    /// The journal's entry, for `wire undo`; `nil` for a plan.
    package let entry: Int64?
    package let summary: String
    package let steps: [WireStep]
    /// Which addresses became placed, by this alone.
    package let placed: [Placed]
    /// Which addresses are placed no more.
    package let unplaced: [Placed]
    /// How many of the touched addresses are in a subnet now, and how many in none.
    package let placedInAll: Int
    package let unplacedInAll: Int

    /// The same, taken back: the journal has no entry of it.
    var asPlan: WireChange {
        WireChange(
            entry: nil, summary: summary, steps: steps, placed: placed, unplaced: unplaced, placedInAll: placedInAll,
            unplacedInAll: unplacedInAll)
    }

    private enum CodingKeys: String, CodingKey {
        case entry, summary, steps, placed, unplaced
        case placedInAll = "placed_in_all"
        case unplacedInAll = "unplaced_in_all"
    }
}

/// Who of the touched adapters was where, to tell what a change did to them.
struct PlacementsBefore {
    private let connection: Connection

    /// Keeps the placements of the touched addresses until the transaction ends.
    init(in connection: Connection) throws {
        self.connection = connection
        try connection.script(
            """
            CREATE TEMP TABLE IF NOT EXISTS placement_before (
                account_id bigint, owner text, owner_id text, device text, ip inet, subnet text) ON COMMIT DELETE ROWS;
            TRUNCATE placement_before;
            INSERT INTO placement_before
            SELECT t.*, s.name FROM touched t LEFT JOIN placement p ON p.reason IS NULL
                AND (p.account_id, p.owner, p.owner_id, p.device, p.ip) = (t.account_id, t.owner, t.owner_id, t.device, t.ip)
            LEFT JOIN subnet s ON s.id = p.subnet_id
            """)
    }

    /// The addresses that have a subnet now and had none, or had one and have none.
    func changes() throws -> (placed: [WireChange.Placed], unplaced: [WireChange.Placed]) {
        let rows = try connection.query(
            """
            SELECT s.name IS NOT NULL, host(b.ip), coalesce(v.name, h.name, b.owner_id), a.name, coalesce(s.name, b.subnet)
            FROM placement_before b JOIN account a ON a.id = b.account_id
            LEFT JOIN placement p ON p.reason IS NULL
                AND (p.account_id, p.owner, p.owner_id, p.device, p.ip) = (b.account_id, b.owner, b.owner_id, b.device, b.ip)
            LEFT JOIN subnet s ON s.id = p.subnet_id
            LEFT JOIN vm v ON b.owner = 'vm' AND v.account_id = b.account_id AND v.id = b.owner_id
            LEFT JOIN host h ON b.owner = 'host' AND h.account_id = b.account_id AND h.id = b.owner_id
            WHERE (s.name IS NULL) <> (b.subnet IS NULL) ORDER BY 4, 3, b.ip
            """)
        var placed: [WireChange.Placed] = []
        var unplaced: [WireChange.Placed] = []
        for row in rows {
            let item = WireChange.Placed(
                ip: try row.get(1), name: try row.get(2), account: try row.get(3), subnet: try row.get(4))
            if try row.get(0) { placed.append(item) } else { unplaced.append(item) }
        }
        return (placed, unplaced)
    }
}
