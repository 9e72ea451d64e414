internal import Addressing
internal import IPAM
internal import Postgres
internal import SQL

/// What a change did, or would do, to the adapters it touched: more than their counts.
package struct Consequences: Sendable, Hashable {
    /// An adapter's address whose placement began or ended.
    package struct Change: Sendable, Hashable {
        /// Of the VM or host.
        package let name: String
        package let ip: String
        /// The subnet's name, where it is placed now; else the reason why not.
        package let place: String

        package init(name: String, ip: String, place: String) {
            self.name = name
            self.ip = ip
            self.place = place
        }
    }

    package var placed = 0
    package var unplaced = 0
    /// Those that were not placed before; at most ``limit`` of ``newlyPlacedCount``.
    package var newlyPlaced: [Change] = []
    package var newlyPlacedCount = 0
    /// Those that were placed before.
    package var newlyUnplaced: [Change] = []
    package var newlyUnplacedCount = 0

    package static let limit = 100
}

extension NetworkService {
    /// Touches every adapter's address in any of the prefixes, once.
    func touch(_ prefixes: [CIDR], in connection: Connection) throws {
        var widest: [CIDR] = []
        for prefix in prefixes.sorted() where !(widest.last?.overlaps(prefix) ?? false) { widest.append(prefix) }
        for prefix in widest { try connection.execute(Queries.touchPrefix, prefix) }
    }

    /// Keeps in mind how the touched addresses are placed before a change.
    func rememberPlacements(in connection: Connection) throws {
        try connection.script(
            """
            CREATE TEMP TABLE placed_before ON COMMIT DROP AS
            SELECT account_id, owner, owner_id, device, ip FROM touched JOIN placement p
                USING (account_id, owner, owner_id, device, ip) WHERE p.reason IS NULL
            """)
    }

    /// Places the touched addresses, and tells what became of them since ``rememberPlacements(in:)``.
    func settle(in connection: Connection) throws -> Consequences {
        let effect = try placeTouched(in: connection)
        var consequences = Consequences(placed: effect.placed, unplaced: effect.unplaced)
        let rows = try connection.query(
            """
            WITH changed AS (
                SELECT t.*, p.reason, s.name AS subnet,
                    row_number() OVER (PARTITION BY p.reason IS NULL ORDER BY t.ip, t.account_id, t.owner_id, t.device) AS place,
                    count(*) OVER (PARTITION BY p.reason IS NULL) AS many
                FROM touched t
                JOIN placement p USING (account_id, owner, owner_id, device, ip)
                LEFT JOIN subnet s ON s.id = p.subnet_id
                LEFT JOIN placed_before b USING (account_id, owner, owner_id, device, ip)
                WHERE (b.ip IS NULL) = (p.reason IS NULL)
            )
            SELECT coalesce(v.name, h.name, c.owner_id), host(c.ip), coalesce(c.reason, c.subnet), c.reason IS NULL, c.many
            FROM changed c
            LEFT JOIN vm v ON c.owner = 'vm' AND v.account_id = c.account_id AND v.id = c.owner_id
            LEFT JOIN host h ON c.owner = 'host' AND h.account_id = c.account_id AND h.id = c.owner_id
            WHERE c.place <= $1::int ORDER BY c.place
            """, Consequences.limit)
        for row in rows {
            let change = try Consequences.Change(name: row.get(0), ip: row.get(1), place: row.get(2))
            if try row.get(3) {
                consequences.newlyPlaced.append(change)
                consequences.newlyPlacedCount = try row.get(4)
            } else {
                consequences.newlyUnplaced.append(change)
                consequences.newlyUnplacedCount = try row.get(4)
            }
        }
        return consequences
    }
}

extension Consequences {
    /// In words, a line each.
    package var lines: [String] {
        func list(_ changes: [Change], _ count: Int, _ verb: String) -> [String] {
            guard count > 0 else { return [] }
            let more = count - changes.count
            return ["\(verb) (\(count)):"] + changes.map { "  \($0.name)  \($0.ip)  \($0.place)" }
                + (more > 0 ? ["  and \(more) more"] : [])
        }
        return list(newlyPlaced, newlyPlacedCount, "placed now")
            + list(newlyUnplaced, newlyUnplacedCount, "no longer placed")
            + [Self.sentence(placed: placed, unplaced: unplaced)]
    }

    package static func sentence(placed: Int, unplaced: Int) -> String {
        func are(_ count: Int) -> String { count == 1 ? "1 is" : "\(count) are" }
        return "of the addresses it touches, \(are(placed)) placed and \(are(unplaced)) not"
    }

    package var json: [String: JSONValue] {
        func list(_ changes: [Change], _ key: String) -> JSONValue {
            .array(
                changes.map {
                    .object(["name": .string($0.name), "ip": .string($0.ip), key: .string($0.place)])
                })
        }
        return [
            "placed": .int(placed), "unplaced": .int(unplaced),
            "newly_placed": list(newlyPlaced, "subnet"), "newly_placed_count": .int(newlyPlacedCount),
            "newly_unplaced": list(newlyUnplaced, "reason"), "newly_unplaced_count": .int(newlyUnplacedCount),
        ]
    }
}
