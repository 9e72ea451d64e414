internal import IPAM
internal import Postgres
internal import Topology

/// A proposal to make two wires one.
package struct WireSuggestion: Sendable, Encodable {
    /// `3-7`, of the wires' ids: the same as long as they are there.
    package let id: String
    package let wires: [String]
    /// Which of the two the other goes into.
    package let into: String
    package let score: Int
    package let evidence: [String]
}

extension NetworkService {
    /// Best first; without what a person rejected.
    package func suggestions() throws -> [WireSuggestion] {
        try database.withConnection { connection in
            let snapshot = try SuggestionReader(connection: connection).snapshot()
            let names = Dictionary(uniqueKeysWithValues: snapshot.wires.map { ($0.id, $0.name) })
            return suggestMerges(snapshot).map { suggestion in
                let pair = suggestion.pair
                return WireSuggestion(
                    id: "\(pair.first.rawValue)-\(pair.second.rawValue)",
                    wires: [pair.first, pair.second].map { names[$0] ?? "" }, into: names[suggestion.target] ?? "",
                    score: suggestion.score, evidence: suggestion.evidence)
            }
        }
    }

    /// Merges the two wires of a proposal.
    ///
    /// - Parameter into: `nil` for the one of the two that the proposal names.
    /// - Throws: ``NetworkError`` with code `not_found` where there is no such proposal (any more).
    package func acceptSuggestion(_ id: String, into: String? = nil, dryRun: Bool = false) throws -> WireChange {
        guard let suggestion = try suggestions().first(where: { $0.id == id }) else { throw Self.noSuggestion(id) }
        return try mergeWires(suggestion.wires, into: into ?? suggestion.into, dryRun: dryRun)
    }

    /// Remembers that two wires are not one network.
    package func rejectSuggestion(_ id: String) throws -> WireSuggestion {
        guard let suggestion = try suggestions().first(where: { $0.id == id }) else { throw Self.noSuggestion(id) }
        let ids = id.split(separator: "-").compactMap { Int64($0) }
        try change { connection in
            _ = try connection.execute(
                """
                INSERT INTO wire_rejection (first_wire, second_wire)
                SELECT a.id, b.id FROM wire a, wire b WHERE a.id = $1::bigint AND b.id = $2::bigint
                ON CONFLICT DO NOTHING
                """, ids.first, ids.last)
        }
        return suggestion
    }

    private static func noSuggestion(_ id: String) -> NetworkError {
        NetworkError(.notFound, "there is no suggestion \"\(id.prefix(40))\" (any more); see: wireloom wire suggest")
    }
}
