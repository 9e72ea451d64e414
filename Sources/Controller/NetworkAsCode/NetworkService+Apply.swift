internal import Addressing
internal import IPAM
internal import Postgres
internal import SQL

/// What applying a file did, or would do.
package struct AppliedNetwork: Sendable {
    package let isDryRun: Bool
    package let changes: [NetworkPlan.Change]
    package let consequences: Consequences

    package var isDifferent: Bool { !changes.isEmpty }

    /// In words, a line each.
    package var lines: [String] {
        isDifferent ? changes.map(\.sentence) + consequences.lines : ["nothing to do: the network is as the file says"]
    }

    package var json: JSONValue {
        .object(
            [
                "dry_run": .bool(isDryRun), "different": .bool(isDifferent), "changes": .array(changes.map(\.json)),
            ].merging(consequences.json) { old, _ in old })
    }
}

extension NetworkService {
    /// The network as a file; see ``NetworkState/yaml``.
    package func export() throws -> String {
        try database.transaction { connection in
            try AdvisoryLock.topology(exclusive: false).take(in: connection)
            return try NetworkState.read(in: connection)
        }.yaml
    }

    /// Makes the network as a file says, as a whole or not at all.
    ///
    /// - Parameter prune: what the file's lists leave out goes; what is in use refuses it.
    /// - Throws: ``NetworkFileError`` where the file is at odds with itself or with what is there, ``NetworkError`` where
    ///   something is in use.
    package func apply(_ file: NetworkFile, prune: Bool = false) throws -> AppliedNetwork {
        try change { connection in
            let now: Timestamp = try connection.query("SELECT now()")[0].get(0)
            let plan = try NetworkPlan(
                from: NetworkState.read(in: connection), to: file, prune: prune, at: now)
            guard !plan.isEmpty else {
                return AppliedNetwork(isDryRun: rehearses, changes: [], consequences: Consequences())
            }
            let deed = NetworkDeed(plan, in: connection)
            try deed.createWires()
            try touch(deed.prefixes(), in: connection)
            for link in plan.links {
                guard let key = (link.after ?? link.before)?.key else { continue }
                try connection.execute(Queries.touchSwitch, key.account, key.switchID)
            }
            try connection.execute(
                """
                DELETE FROM touched t USING (
                    SELECT ctid, row_number() OVER (PARTITION BY account_id, owner, owner_id, device, ip) AS copy FROM touched) d
                WHERE t.ctid = d.ctid AND d.copy > 1
                """)
            try rememberPlacements(in: connection)
            try deed.writeLinks()
            try deed.writeSubnets()
            let consequences = try settle(in: connection)
            try deed.deleteWires()
            let rest = try NetworkPlan(from: NetworkState.read(in: connection), to: file, prune: prune, at: now)
            guard rest.isEmpty else {
                throw DatabaseError(
                    .bug, "a file was applied and still differs: \(rest.changes[0].sentence); nothing was changed")
            }
            return AppliedNetwork(isDryRun: rehearses, changes: plan.changes, consequences: consequences)
        }
    }
}
