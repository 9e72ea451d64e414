internal import Foundation
package import IPAM
package import Inventory
package import Jobs
internal import Logging
package import Postgres
package import VSphere

/// What a person or a program may ask about making and deleting VMs. Each deed is a job of its own, which any worker may do.
package struct VMService: Sendable {
    /// What became of asking for a VM.
    package struct Order: Sendable {
        package let name: String
        package let instanceUUID: String
        package let job: JobID
        /// Whether this key had asked for it before.
        package let isKnown: Bool
    }

    private let database: Database
    private let secrets: SecretBox
    private let actor: Actor
    private let source: any HypervisorSource
    private let queue: JobQueue

    package init(
        database: Database, secrets: SecretBox, actor: Actor, timeouts: VSphereEndpoint.Timeouts = .init()
    ) {
        self.database = database
        self.secrets = secrets
        self.actor = actor
        source = VSphereSource(secrets: secrets, timeouts: timeouts)
        queue = JobQueue(database)
    }

    /// What the jobs of an account share, so many of which run at once.
    static func quota(of account: Int64) -> String { "vm:account:\(account)" }

    // MARK: Making

    /// What would be made, and where. Looks at the template on its server; changes nothing.
    ///
    /// - Throws: ``ProvisioningError``, ``NetworkError`` about a subnet, ``VSphereError`` where the server does not answer.
    package func plan(_ request: VMRequest) throws -> VMPlan {
        try request.validate()
        let account = try account(of: request)
        let connection = try database.connect()
        defer { connection.close() }
        return try source.with(account, CancellationToken()) { hypervisor in
            try VMPlanner(account: account, request: request, connection: connection).plan(hypervisor)
        }
    }

    /// Asks for VMs that differ in nothing but their names: all are asked for, or none. What they would need is looked at first,
    /// and what cannot be is refused at once.
    ///
    /// - Parameters:
    ///   - key: a name of the caller's for this: asked again, the answer is the same. Of several VMs each has `key#NUMBER`.
    ///   - userData: cloud-init's. It may hold secrets.
    package func create(_ request: VMRequest, names: [String], key: String? = nil, userData: Secret? = nil) throws
        -> [Order]
    {
        if let key { try OwnerText.check(key, of: "key") }
        var request = request
        request.account = try account(of: request).name
        let requests = names.map { name in
            var one = request
            one.name = name
            return one
        }
        func keyed(_ index: Int) -> String? { key.map { names.count == 1 ? $0 : "\($0)#\(index + 1)" } }
        if let known = try answered(requests, keyed) { return known }
        for request in requests { try request.validate() }
        guard let first = requests.first else { return [] }
        _ = try plan(first)
        return try enqueue(requests, keyed, userData)
    }

    /// What the keys were answered; `nil` where one is new.
    private func answered(_ requests: [VMRequest], _ key: (Int) -> String?) throws -> [Order]? {
        let orders = try database.withConnection { connection in
            try requests.enumerated().map { index, request in
                try key(index).flatMap { try order(request, key: $0, in: connection) }
            }
        }
        let known = orders.compactMap(\.self)
        return known.count == orders.count && !known.isEmpty ? known : nil
    }

    private func order(_ request: VMRequest, key: String, in connection: Connection) throws -> Order? {
        guard let row = try VMRequestTable.row(key: key, of: actor.name, in: connection), let job = row.job else {
            return nil
        }
        guard row.request == request else {
            throw ProvisioningError(
                .key, "the key \"\(key)\" was used for another VM, \(row.name); choose a new key for a new request")
        }
        return Order(name: row.name, instanceUUID: row.instanceUUID, job: job, isKnown: true)
    }

    private func enqueue(_ requests: [VMRequest], _ key: (Int) -> String?, _ userData: Secret?) throws -> [Order] {
        try database.transaction { connection in
            try actor.declare(in: connection)
            guard let first = requests.first else { return [] }
            let account = try AccountTable.named(first.account, in: connection)
            return try requests.enumerated().map { index, request in
                let key = key(index)
                if let key, let known = try order(request, key: key, in: connection) { return known }
                let uuid = UUID().uuidString.lowercased()
                let id = try VMRequestTable.insert(
                    request, account: account.id, actor: actor, key: key, instanceUUID: uuid, in: connection)
                guard let id else {
                    // Whoever was faster has committed: what was asked then is the answer.
                    guard let key, let known = try order(request, key: key, in: connection) else {
                        throw NetworkError(.busy, "the key \"\(key ?? "")\" is being used just now; try again")
                    }
                    return known
                }
                if let userData {
                    try VMRequestTable.setUserData(secrets.seal(userData.revealed, for: uuid), of: id, in: connection)
                }
                let job = try enqueue(id, request.name, uuid, account, in: connection)
                try VMRequestTable.setJob(job.id, of: id, in: connection)
                return Order(name: request.name, instanceUUID: uuid, job: job.id, isKnown: false)
            }
        }
    }

    private func account(of request: VMRequest) throws -> Account {
        try database.withConnection { try AccountTable.named(request.account, in: $0) }
    }

    // MARK: Deleting

    /// Asks for the deletion of a VM; where that is queued already, that job is returned.
    ///
    /// - Parameters:
    ///   - name: a name, id or UUID.
    ///   - force: also one that Wireloom did not make.
    ///   - timeouts: how long steps may take, in seconds, where it is not the default.
    package func delete(
        _ name: String, account: String? = nil, force: Bool = false, timeouts: [String: Int] = [:]
    ) throws -> (name: String, job: JobID, created: Bool) {
        try VMStep.check(timeouts, of: VMStep.deleting) {
            ProvisioningError(.invalid, "VM \(name) cannot be deleted: \($0)")
        }
        return try database.transaction { connection in
            try actor.declare(in: connection)
            let only = try account.map { try AccountTable.named($0, in: connection) }
            guard let (account, found) = try find(name, only, in: connection) else {
                guard let row = try making(name, only, in: connection) else {
                    throw ProvisioningError(.notFound, "there is no VM \"\(name)\"; see: wireloom vm list")
                }
                return try takeBack(row, in: connection)
            }
            let subject = found.instanceUUID.map { "vm:\($0)" } ?? "vm:\(account.id)/\(found.id)"
            let row = try found.instanceUUID.flatMap {
                try VMRequestTable.row(instanceUUID: $0, of: account.id, in: connection)
            }
            if let row, row.state == .open { return try takeBack(row, in: connection) }
            guard force || row?.state == .created || row?.state == .kept else {
                throw ProvisioningError(
                    .refused,
                    "VM \(found.name) of account \(account.name) was not made by wireloom; to delete it all the same, add --force"
                )
            }
            let deletion = VMDeletionRequest(
                account: account.name, accountID: account.id, vm: found.id, instanceUUID: found.instanceUUID,
                actor: actor.name, origin: actor.origin, timeouts: timeouts)
            let job = try queue.enqueue(
                kind: DeleteVMHandler.kind, subject: subject, label: found.name, payload: JSON(encoding: deletion),
                maxAttempts: 10, quota: .init(Self.quota(of: account.id), account.machineJobs), in: connection)
            return (found.name, job.id, job.created)
        }
    }

    private func find(
        _ name: String, _ only: Account?, in connection: Connection
    ) throws -> (Account, (id: String, name: String, instanceUUID: String?))? {
        let rows = try connection.query(
            """
            SELECT v.account_id, v.id, v.name, v.instance_uuid, a.name, v.template FROM vm v JOIN account a ON a.id = v.account_id
            WHERE v.missing_since IS NULL AND ($1::bigint IS NULL OR v.account_id = $1)
                AND (v.name = $2::text OR v.id = $2 OR v.instance_uuid = lower($2))
            ORDER BY a.name, v.id
            """, only?.id, name)
        guard let row = rows.first else { return nil }
        guard rows.count == 1 else {
            let candidates = try rows.prefix(8).map {
                "\(try $0.get(1, as: String.self)) of \(try $0.get(4, as: String.self))"
            }
            throw ProvisioningError(
                .ambiguousName,
                "\"\(name)\" fits \(rows.count) VMs; give an id and --account: \(candidates.joined(separator: ", "))")
        }
        if try row.get(5) {
            throw ProvisioningError(.refused, "\"\(name)\" is a template; make it a VM first if it is to go")
        }
        guard let account = try AccountTable.account(row.get(0), in: connection) else {
            throw ProvisioningError(.notFound, "there is no VM \"\(name)\"; see: wireloom vm list")
        }
        return (account, (try row.get(1), try row.get(2), try row.get(3)))
    }

    private func making(_ name: String, _ account: Account?, in connection: Connection) throws -> VMRequestRow? {
        let id: Int64? = try connection.query(
            """
            SELECT id FROM vm_request WHERE state = 'open' AND ($1::bigint IS NULL OR account_id = $1)
                AND (name = $2::text OR instance_uuid = lower($2)) ORDER BY id LIMIT 1
            """, account?.id, name
        ).first?.get(0)
        return try id.flatMap { try VMRequestTable.row($0, in: connection) }
    }

    /// VMs whose making no job is at, and that nobody ended: what they hold is held until somebody says so.
    package static func abandoned(in connection: Connection) throws -> [(name: String, account: String, uuid: String)] {
        try connection.query(
            """
            SELECT q.name, a.name, q.instance_uuid FROM vm_request q JOIN account a ON a.id = q.account_id
            WHERE q.state = 'open' AND NOT EXISTS (SELECT FROM job j WHERE j.id = q.job_id AND j.finished_at IS NULL)
                AND NOT EXISTS (SELECT FROM job j WHERE j.subject = 'vm:' || q.instance_uuid AND j.finished_at IS NULL)
            ORDER BY q.id
            """
        ).map { (try $0.get(0), try $0.get(1), try $0.get(2)) }
    }

    /// Has a job take back what another began and left, as no job does; what a job is at is that job's to end.
    private func takeBack(
        _ row: VMRequestRow, in connection: Connection
    ) throws -> (name: String, job: JobID, created: Bool) {
        if let job = try row.job.flatMap({ try queue.job($0, in: connection) }), !job.state.isFinal {
            throw ProvisioningError(
                .refused, "VM \(row.name) is being made by job \(job.id); to end that: wireloom job cancel \(job.id)")
        }
        guard let account = try AccountTable.account(row.account, in: connection) else {
            throw ProvisioningError(.notFound, "there is no VM \"\(row.name)\"; see: wireloom vm list")
        }
        let job = try enqueue(row.id, row.name, row.instanceUUID, account, in: connection)
        try queue.cancel(job.id, by: actor.name, in: connection)
        return (row.name, job.id, job.created)
    }

    private func enqueue(
        _ request: Int64, _ name: String, _ uuid: String, _ account: Account, in connection: Connection
    ) throws -> (id: JobID, created: Bool) {
        try queue.enqueue(
            kind: CreateVMHandler.kind, subject: "vm:\(uuid)", label: name,
            payload: JSON(encoding: CreateVMPayload(account: account.name, request: request)),
            quota: .init(Self.quota(of: account.id), account.machineJobs), mustRun: true, in: connection)
    }
}

/// Names made of a pattern.
package enum NamePattern {
    /// `web-##` and 3 are web-01, web-02, web-03; a pattern without `#` gets `-#`.
    ///
    /// - Throws: ``ProvisioningError`` with code `invalid`.
    package static func names(_ pattern: String, count: Int) throws -> [String] {
        guard (1...1000).contains(count) else {
            throw ProvisioningError(.invalid, "\(count) VMs cannot be made at once; ask for 1 to 1000")
        }
        let runs = pattern.split(whereSeparator: { $0 != "#" })
        if count == 1, runs.isEmpty { return [pattern] }
        guard runs.count <= 1 else {
            throw ProvisioningError(
                .invalid, "the name \"\(pattern)\" has # in two places; the number goes where the one row of them is")
        }
        let full = runs.isEmpty ? pattern + "-#" : pattern
        let digits = runs.first?.count ?? 1
        return (1...count).map { number in
            let text = String(number)
            let padded = String(repeating: "0", count: max(0, digits - text.count)) + text
            return full.replacing(String(repeating: "#", count: digits), with: padded)
        }
    }
}
