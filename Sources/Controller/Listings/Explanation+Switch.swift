internal import Addressing
package import Postgres
internal import Topology

extension Explanation {
    /// Each switch of this name or id: its wire, the evidence for each candidate, and why this one or none. Empty where there
    /// is no such switch.
    package static func `switch`(_ name: String, account: String?, in connection: Connection) throws -> [String] {
        try Listing.switches.rows([account, name], in: connection).flatMap { row in
            try SwitchStory(row, in: connection).lines
        }
    }
}

/// Why a switch is on its wire, from what the last sync weighed.
private struct SwitchStory {
    /// What the last sync counted for a wire.
    private struct Candidate {
        let wire: String
        let score: Score
        /// An address of the switch is another's there: the wire cannot be its own.
        let isContested: Bool

        func isBetter(than other: Candidate?) -> Bool { score > (other?.score ?? Score()) }
    }

    private static let shown = 3

    private(set) var lines: [String] = []
    private let row: JSONValue
    private let connection: Connection

    init(_ row: JSONValue, in connection: Connection) throws {
        self.row = row
        self.connection = connection
        let place = row["host"].text.map { " on host \($0)" } ?? ""
        lines.append(
            "\(row["kind"].text ?? "") switch \(row["name"].text ?? "")\(place), account \(row["account"].text ?? "")")
        lines.append(
            row["wire"].text.map { "  is on wire \($0), native VLAN \(row["native_vlan"].text ?? "1")" }
                ?? "  is on no wire")
        try weigh(candidates(host: ""))
        for pin in row["host_links"].elements {
            lines.append(
                "  on host \(pin["host"].text ?? ""): wire \(pin["wire"].text ?? ""), pinned by a person, which no evidence changes"
            )
        }
    }

    private func candidates(host: String) throws -> [Candidate] {
        try connection.query(
            """
            SELECT w.name, ls.strong, ls.weak, ls.excluded
            FROM link_support ls JOIN wire w ON w.id = ls.wire_id JOIN account a ON a.id = ls.account_id
            WHERE a.name = $1::text AND ls.switch_id = $2::text AND ls.host_id = $3::text
            ORDER BY ls.strong DESC, ls.weak DESC, w.name
            """, row["account"].text, row["id"].text, host
        ).map {
            try Candidate(
                wire: $0.get(0), score: Score(strong: $0.get(1), weak: $0.get(2)), isContested: $0.get(3))
        }
    }

    /// The rule that decided, then each candidate with its evidence and how it came out.
    private mutating func weigh(_ candidates: [Candidate]) throws {
        let linked = row["wire"].text
        let own = candidates.first { $0.wire == linked }
        let fit = candidates.filter { !$0.isContested && !$0.score.isNone }
        let best = fit.filter { candidate in fit.allSatisfy { !$0.isBetter(than: candidate) } }
        let better = fit.filter { $0.wire != linked && $0.isBetter(than: own) }
        lines.append("  why: " + rule(linked, own, best, better))
        if candidates.isEmpty {
            lines.append("  no confirmed subnet of any wire it may use contains an address seen on it")
        }
        for candidate in candidates {
            lines.append(
                "  wire \(candidate.wire): \(candidate.score.words ?? "no address"): \(verdict(candidate, linked, own, best))"
            )
            lines += try evidence(for: candidate.wire).map { "    \($0)" }
        }
        lines += try wiresOfOtherSites().map { "  \($0)" }
        let ways = linked == nil ? best : better
        if linked == nil, best.count > 1 { lines.append("  say which one it is:") }
        if linked != nil, !ways.isEmpty { lines.append("  if the wire is another one, say so:") }
        lines += try ways.map { "    $ \(try command(to: $0.wire))" }
    }

    private func rule(_ linked: String?, _ own: Candidate?, _ best: [Candidate], _ better: [Candidate]) -> String {
        guard let linked else {
            switch best.count {
            case 0:
                return
                    "nobody linked it, and nothing speaks for a wire; the next sync makes one for it alone, unless every host "
                    + "of it is pinned"
            case 1: return "nobody linked it; the next sync links it to the wire with the most evidence"
            default:
                return
                    "nobody linked it, and the evidence for \(best.map(\.wire).sorted().joined(separator: " and ")) is equal; "
                    + "a tie is never guessed"
            }
        }
        if row["link_origin"].text == "person" { return "a person linked it, which no evidence changes" }
        guard let own, !own.score.isNone else {
            return better.count > 1
                ? "an automatic link stays where the evidence for others is not for exactly one"
                : "nothing spoke for another wire, so it has one of its own, or keeps the one that it had"
        }
        return better.isEmpty
            ? "wire \(linked) has the most evidence"
            : "an automatic link stays while anything speaks for its wire"
    }

    private func verdict(_ one: Candidate, _ linked: String?, _ own: Candidate?, _ best: [Candidate]) -> String {
        if one.isContested {
            let other = "an address of its is held there by another live adapter with another MAC address"
            return one.wire == linked ? "its wire, though \(other)" : "no candidate, because \(other)"
        }
        if one.wire == linked { return "its wire" }
        guard let rival = linked == nil ? best.first : own else { return "not its wire, though this speaks for it" }
        if one.score == rival.score {
            return linked == nil && best.count > 1 ? "tied" : linked == nil ? "best" : "no more than its own wire has"
        }
        if one.isBetter(than: rival) { return "more than its own wire has, which does not move it" }
        return "lost, with fewer \(Score.shortage(of: one.score, against: rival.score))"
    }

    /// The addresses seen on the switch `$2` of account `$1`, with the confirmed subnets that they could be of by their VLAN.
    private static let seen = """
        FROM account c
        JOIN nic_attachment n ON n.account_id = c.id AND n.switch_id = $2::text
        JOIN nic_address a USING (account_id, owner, owner_id, device)
        JOIN nic i USING (account_id, owner, owner_id, device)
        JOIN subnet s ON s.confirmed AND s.cidr::inet >>= a.ip
            AND vlan_matches(n.vlan_mode, n.vlan_id, n.vlan_ranges, n.native_vlan, s.vlan_id)
        JOIN wire w ON w.id = s.wire_id
        WHERE c.name = $1::text AND (a.owner = 'vm' OR i.management)
        """

    /// Wires that their site alone keeps from being candidates.
    private func wiresOfOtherSites() throws -> [String] {
        let rows = try connection.query(
            """
            SELECT w.name, w.site, c.site, count(DISTINCT a.ip) \(Self.seen) AND w.site IS DISTINCT FROM c.site AND w.site IS NOT NULL
            GROUP BY 1, 2, 3 ORDER BY 1 LIMIT \(Self.shown + 1)
            """, row["account"].text, row["id"].text)
        let told = try rows.prefix(Self.shown).map { row in
            let number: Int = try row.get(3)
            let own = try row.get(2, as: String?.self).map { "of site \($0)" } ?? "of none"
            return
                "wire \(try row.get(0, as: String.self)): \(number) address\(number == 1 ? "" : "es"): no candidate, because it is "
                + "of site \(try row.get(1, as: String.self)), and the account is \(own)"
        }
        return told + (rows.count > Self.shown ? ["and other wires of other sites"] : [])
    }

    /// Which addresses speak for a wire by what is known now, the strong ones first.
    private func evidence(for wire: String) throws -> [String] {
        let rows = try connection.query(
            """
            SELECT t.*, coalesce(v.name, h.name, t.owner_id) FROM (
                SELECT DISTINCT a.owner = 'vm' AS weak, a.ip, a.owner, a.owner_id, a.account_id, s.name AS subnet
                \(Self.seen) AND w.name = $3::text) t
            LEFT JOIN vm v ON t.owner = 'vm' AND v.account_id = t.account_id AND v.id = t.owner_id
            LEFT JOIN host h ON t.owner = 'host' AND h.account_id = t.account_id AND h.id = t.owner_id
            ORDER BY t.weak, t.ip, t.owner_id
            """, row["account"].text, row["id"].text, wire)
        let told = try rows.prefix(Self.shown).map { row in
            let kind = try row.get(2, as: String.self) == "vm" ? "VM" : "host"
            return "\(try row.get(1, as: IPAddress.self)) of \(kind) \(try row.get(6, as: String.self)), in subnet "
                + (try row.get(5, as: String.self))
        }
        return told + (rows.count > Self.shown ? ["and \(rows.count - Self.shown) more"] : [])
    }

    private func command(to wire: String) throws -> String {
        let namesakes: Int = try connection.query(
            """
            SELECT count(*) FROM switch s JOIN account a ON a.id = s.account_id
            LEFT JOIN host h ON h.account_id = s.account_id AND h.id = s.host_id
            WHERE a.name = $1::text AND s.name = $2::text AND h.name IS NOT DISTINCT FROM $3::text
            """, row["account"].text, row["name"].text, row["host"].text)[0].get(0)
        return WireloomCommand.link(
            switch: (namesakes == 1 ? row["name"].text : row["id"].text) ?? "", wire: wire, host: row["host"].text,
            account: row["account"].text ?? "")
    }
}
