internal import Addressing
internal import IPAM
package import Inventory
package import Jobs
internal import Logging
package import Postgres
internal import Topology
package import VSphere

/// What a sync job was asked, beyond its account.
package struct SyncRequest: Codable, Sendable {
    /// Apply the releases even if the breaker would stop them.
    package var acceptReleases: Bool

    package init(acceptReleases: Bool = false) {
        self.acceptReleases = acceptReleases
    }

    private enum CodingKeys: String, CodingKey { case acceptReleases = "accept_releases" }

    package init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        acceptReleases = try container.decodeIfPresent(Bool.self, forKey: .acceptReleases) ?? false
    }

    /// Leaves the default out: asking again merges requests, and a schedule's must not take back a person's.
    package func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        if acceptReleases { try container.encode(true, forKey: .acceptReleases) }
    }
}

/// Syncs one account: reads everything over the vSphere API into staging, then, in one short transaction, merges the
/// inventory, links the switches, places the addresses and ends the job.
///
/// Until that transaction the account's data is as it was; if anything fails, it stays so (invariant I5).
package struct SyncHandler: JobHandler {
    package static let kind = "sync"
    package var kind: String { Self.kind }

    private let database: Database
    private let secrets: SecretBox
    private let timeouts: VSphereEndpoint.Timeouts

    package init(database: Database, secrets: SecretBox, timeouts: VSphereEndpoint.Timeouts = .init()) {
        self.database = database
        self.secrets = secrets
        self.timeouts = timeouts
    }

    package func run(_ context: JobContext) throws {
        do {
            try sync(context)
        } catch let error as VSphereError {
            try context.checkCancellation()
            throw JobFailure(code: error.code.rawValue, message: error.detail)
        } catch let error as SyncError {
            throw JobFailure(code: error.code, message: error.message)
        } catch let error as InventoryError {
            throw JobFailure(code: error.code.rawValue, message: error.detail)
        } catch let error as DatabaseError {
            try context.checkCancellation()
            throw JobFailure(code: "database_\(error.code.rawValue)", message: error.detail)
        }
    }

    private func sync(_ context: JobContext) throws {
        let request = (try? context.job.payload.decoded(as: SyncRequest.self)) ?? SyncRequest()
        let account = try account(of: context)
        let endpoint = try AccountEndpoint.endpoint(of: account, secrets: secrets, timeouts: timeouts)

        let connection = try database.connect()
        defer { connection.close() }
        let token = connection.cancelToken
        let disarm = context.cancellation.onCancel { token.cancel() }
        defer { disarm() }

        let reading = try read(account, endpoint, into: connection, context)
        try context.checkCancellation()
        context.report(phase: "merging")
        try merge(account, request, reading, context, in: connection)
    }

    private func account(of context: JobContext) throws -> Account {
        let id = Int64(context.job.subject.split(separator: ":").last ?? "") ?? 0
        guard let account = try database.withConnection({ try AccountTable.account(id, in: $0) }) else {
            throw SyncError(
                code: "account_gone", message: "account \(context.job.label) was removed before its sync began")
        }
        // Disabled after the job was queued, or a job of before was retried.
        guard account.enabled else {
            throw SyncError(
                code: "account_disabled",
                message: "account \(account.name) is disabled; run: wireloom account enable \(account.name)")
        }
        return account
    }

    // MARK: Reading

    /// What a reading found beside that which is staged.
    private struct Reading {
        var findings: Set<SyncFinding>
        var hints: [String: [NetworkHint]]?
    }

    private func read(
        _ account: Account, _ endpoint: VSphereEndpoint, into connection: Connection, _ context: JobContext
    ) throws -> Reading {
        let stop = CancellationToken()
        let disarm = context.cancellation.onCancel { stop.cancel() }
        defer { disarm() }

        context.report(phase: "connecting")
        let session = try VSphereSession.connect(
            to: endpoint, cancellation: stop, logger: Logger(label: "wireloom.vsphere"))
        defer { session.logOut() }
        try AccountEndpoint.requireIdentity(try session.identity(), of: account)

        let staging = try Staging(of: account.id, on: connection, comparesVirtualMachines: true)
        var writer = SnapshotWriter(account: account, staging: staging)
        context.report(phase: "reading")
        try session.readInventory(
            progress: { context.report(phase: "reading", done: Int64($0)) },
            restart: { reason in
                try staging.restart()
                writer = SnapshotWriter(account: account, staging: staging)
                switch reason {
                case .sessionLost:
                    context.log(
                        .info, code: "session_lost", message: "the session was lost; reading again from the start")
                case .unknownProperty(let path):
                    context.log(
                        .info, code: "unknown_property",
                        message: "the server does not know \(path); reading again without it")
                }
            },
            { try writer.add($0) })
        try writer.finish()
        let hints = try NetworkHints(account: account, connection: connection).readIfDue(session, context)
        context.log(
            .info, code: "read",
            message: "read \(writer.hostCount) hosts and \(writer.virtualMachineCount) VMs of \(account.name)")
        return Reading(findings: writer.findings, hints: hints)
    }

    // MARK: The final transaction

    private static let attempts = 3

    /// Two syncs that collide are told to try again, and what was staged is still there: only the merge is repeated.
    private func merge(
        _ account: Account, _ request: SyncRequest, _ reading: Reading, _ context: JobContext,
        in connection: Connection
    ) throws {
        var attempt = 1
        while true {
            do {
                let written = try connection.transaction {
                    try commit(account, request, reading, context, in: connection)
                }
                return InventoryMerge.analyze(afterWriting: written, in: connection)
            } catch let error as DatabaseError where error.code == .retryable && attempt < Self.attempts {
                try context.checkCancellation()
                attempt += 1
            }
        }
    }

    /// - Returns: how many rows of inventory were written.
    private func commit(
        _ account: Account, _ request: SyncRequest, _ reading: Reading, _ context: JobContext,
        in connection: Connection
    ) throws -> Int {
        try AdvisoryLock.topology(exclusive: false).take(in: connection)
        try AdvisoryLock.inventory(account: account.id).take(in: connection)
        try context.lock(in: connection)
        try Actor.sync(job: context.job.id.value).declare(in: connection)
        let heldBefore: Int = try connection.query(
            "SELECT count(*) FROM address WHERE state = 'held' AND account_id = $1::bigint", account.id
        )[0].get(0)

        try InventoryMerge.keepNewer(account: account.id, in: connection)
        let written = try InventoryMerge.apply(account: account.id, in: connection)
        try InventoryMerge.release(account: account.id, in: connection)

        let snapshot = try TopologyReader(account: account, connection: connection).snapshot()
        let decision = decide(snapshot)
        let writer = TopologyWriter(account: account, connection: connection)
        try writer.apply(decision)

        try Placement.touch(account: account.id, in: connection)
        try Placement.place(account: account.id, in: connection)
        try Placement.placeAgain(toldOf: writer.remove(decision), in: connection)

        if !request.acceptReleases {
            try ReleaseBreaker.check(account, heldBefore: heldBefore, in: connection)
        }
        try InventoryMerge.removeVanished(account: account.id, in: connection)
        if let hints = reading.hints { try NetworkHints(account: account, connection: connection).write(hints) }

        // Nothing is said before all is done: an attempt that fails may be repeated.
        let unplaced = try unplacedFinding(account, in: connection)
        var findings = reading.findings
        let shared = try hostsOnboardedTwice(account, in: connection)
        if account.kind == .esxi, !shared.isEmpty { findings = findings.filter { $0.code != "managed_by_vcenter" } }
        findings.formUnion(shared)
        findings.formUnion(try assignedElsewhere(account, in: connection))
        for finding in findings.sorted(by: { ($0.subject, $0.code) < ($1.subject, $1.code) }) {
            context.log(
                .finding, code: finding.code, subject: finding.subject, message: finding.message, fix: finding.fix)
        }
        for finding in decision.findings {
            context.log(
                .finding, code: finding.code.rawValue, subject: finding.subject, message: finding.message,
                fix: finding.fix)
        }
        if let unplaced {
            context.log(
                .finding, code: unplaced.code, subject: unplaced.subject, message: unplaced.message, fix: unplaced.fix)
        }
        try context.finish(in: connection)
        return written
    }

    /// A host that is onboarded by itself and is in a vCenter's inventory as well has its VMs counted twice.
    private func hostsOnboardedTwice(_ account: Account, in connection: Connection) throws -> [SyncFinding] {
        try connection.query(
            """
            SELECT h.name, c.name, c.kind = 'esxi' FROM host h
            JOIN host o ON o.uuid = h.uuid AND o.account_id <> h.account_id
            JOIN account a ON a.id = h.account_id
            JOIN account c ON c.id = o.account_id AND c.kind <> a.kind
            WHERE h.account_id = $1::bigint
            """, account.id
        ).map { row in
            let host: String = try row.get(0)
            let other: String = try row.get(1)
            let (esxi, vcenter) = try row.get(2) ? (other, account.name) : (account.name, other)
            return SyncFinding(
                code: "managed_by_vcenter", subject: host,
                message: "host \(host) of account \(esxi) is in the inventory of the vCenter account \(vcenter); "
                    + "remove account \(esxi), or its VMs are counted twice",
                fix: "wireloom account remove \(esxi)")
        }
    }

    /// VMs whose guests report other addresses than the VMs were made with.
    private func assignedElsewhere(_ account: Account, in connection: Connection) throws -> [SyncFinding] {
        try connection.query(
            """
            SELECT v.name, a.ip, s.name, string_agg(host(o.ip), ', ' ORDER BY o.ip)
            FROM vm_request q
            JOIN allocation_key k ON k.vm_request_id = q.id
            JOIN address a ON a.key_id = k.id AND a.account_id = q.account_id AND a.owner = 'vm'
            JOIN subnet s ON s.id = a.subnet_id
            JOIN vm v ON v.account_id = a.account_id AND v.id = a.owner_id
            JOIN nic_address o ON o.account_id = a.account_id AND o.owner = a.owner AND o.owner_id = a.owner_id
                AND o.device = a.device AND o.live AND family(o.ip) = family(a.ip)
            WHERE q.account_id = $1::bigint AND q.state <> 'open' AND NOT EXISTS (
                SELECT FROM nic_address n WHERE n.account_id = a.account_id AND n.owner = a.owner
                    AND n.owner_id = a.owner_id AND n.device = a.device AND n.ip = a.ip AND n.missed = 0)
            GROUP BY v.name, a.ip, s.name
            """, account.id
        ).map { row in
            let name: String = try row.get(0)
            let address: IPAddress = try row.get(1)
            let subnet: String = try row.get(2)
            return SyncFinding(
                code: "assigned_elsewhere", subject: name,
                message:
                    "VM \(name) was made with \(address) of subnet \(subnet) and reports \(try row.get(3, as: String.self)) "
                    + "instead; the address stays its own",
                fix: "wireloom ip release \(subnet) \(address) --assigned")
        }
    }

    /// One finding that counts the unplaced addresses; each is in `vm list --unplaced`.
    private func unplacedFinding(_ account: Account, in connection: Connection) throws -> SyncFinding? {
        let rows = try connection.query(
            """
            SELECT reason, count(*) FROM placement WHERE account_id = $1::bigint AND reason IS NOT NULL
            GROUP BY reason ORDER BY reason
            """, account.id)
        guard !rows.isEmpty else { return nil }
        let counts = try rows.map { row in "\(try row.get(1, as: Int.self)) \(try row.get(0, as: String.self))" }
        return SyncFinding(
            code: "unplaced", subject: account.name,
            message: "addresses of \(account.name) that belong to no subnet yet: \(counts.joined(separator: ", "))",
            fix: "wireloom vm list --unplaced --account \(account.name)")
    }
}
