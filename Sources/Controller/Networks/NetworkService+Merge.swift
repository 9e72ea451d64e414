internal import IPAM
internal import Postgres

extension NetworkService {
    /// Makes wires one (DESIGN.md 3.3): `into` is one of them, another one, or the name of a new one.
    ///
    /// - Parameter dryRun: do it, tell what was done, and take all of it back: the plan cannot differ from the deed.
    package func mergeWires(_ names: [String], into: String, dryRun: Bool = false) throws -> WireChange {
        try deed(dryRun: dryRun) { connection in
            if try WireTable.find(into, in: connection) == nil {
                try WireTable.refuseNumber(into)
                try Name.check(into, of: "wire")
            }
            let merge = try WireMerge(names, into: into, in: connection)
            let before = try merge.images(isBefore: true)
            try merge.touch()
            let places = try PlacementsBefore(in: connection)
            try WireJournal.begin(merge, in: connection)
            let steps = try merge.run()
            let effect = try placeTouched(in: connection)
            let names = merge.sources.map(\.name).joined(separator: ", ")
            let summary = "merged \(names) into \(merge.target.name)"
            let entry = try WireJournal.record(merge, before: before, summary: summary, in: connection)
            return try outcome(entry, summary, steps, places, effect)
        }
    }

    /// Takes an entry of the journal back, by default the newest one that still can be.
    package func undoWires(_ entry: Int64? = nil, dryRun: Bool = false) throws -> WireChange {
        try deed(dryRun: dryRun) { connection in
            let undo = try WireUndo(entry, in: connection)
            try undo.touch()
            let places = try PlacementsBefore(in: connection)
            let steps = try undo.run()
            let effect = try placeTouched(in: connection)
            return try outcome(
                undo.entry, "undid entry \(undo.entry): \(undo.summary)", steps, places, effect)
        }
    }

    private func outcome(
        _ entry: Int64, _ summary: String, _ steps: [WireStep], _ places: PlacementsBefore, _ effect: Effect
    ) throws -> WireChange {
        let changes = try places.changes()
        return WireChange(
            entry: entry, summary: summary, steps: steps, placed: changes.placed, unplaced: changes.unplaced,
            placedInAll: effect.placed, unplacedInAll: effect.unplaced)
    }

    private func deed(dryRun: Bool, _ body: (Connection) throws -> WireChange) throws -> WireChange {
        let service = NetworkService(database: database, actor: actor, rehearses: rehearses || dryRun)
        let done = try service.change(body)
        return service.rehearses ? done.asPlan : done
    }
}
