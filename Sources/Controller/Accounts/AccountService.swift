package import Addressing
package import IPAM
package import Inventory
package import Jobs
internal import Logging
package import Postgres
package import VSphere

/// Onboards accounts and keeps their schedules: what a person may do to an account, each as one transaction.
package struct AccountService: Sendable {
    /// What an endpoint said of itself.
    package struct Probe: Sendable {
        package let kind: Account.Kind
        package let identity: String
        package let product: String
        package let url: String
    }

    /// What a person gives to onboard an account.
    package struct Request: Sendable {
        package var name: String
        package var url: String
        package var username: String
        package var password: Secret
        package var trust: (kind: Account.Trust, value: String?)
        package var site: String?
        package var every: Duration
        package var grace: Duration
        package var ignored: [CIDR]

        package init(
            name: String, url: String, username: String, password: Secret, trust: (kind: Account.Trust, value: String?),
            site: String?, every: Duration, grace: Duration, ignored: [CIDR]
        ) {
            self.name = name
            self.url = url
            self.username = username
            self.password = password
            self.trust = trust
            self.site = site
            self.every = every
            self.grace = grace
            self.ignored = ignored
        }
    }

    private let database: Database
    private let secrets: SecretBox
    private let queue: JobQueue
    private let actor: Actor

    package init(database: Database, secrets: SecretBox, actor: Actor) {
        self.database = database
        self.secrets = secrets
        self.actor = actor
        queue = JobQueue(database)
    }

    /// Logs in at the endpoint, reads its identity, and stores the account; nothing is stored if any of it fails.
    package func add(_ request: Request) throws -> (account: Account, probe: Probe) {
        try Name.check(request.name, of: "account")
        if let site = request.site { try Name.check(site, of: "site") }
        let probe = try probe(
            url: request.url, username: request.username, password: request.password, trust: request.trust)
        let sealed = try (secrets.seal(request.password.revealed, for: probe.identity), secrets.keyID)
        let account = try database.transaction { connection in
            try actor.declare(in: connection)
            let account = try AccountTable.insert(
                name: request.name, url: probe.url, username: request.username, sealed: sealed, trust: request.trust,
                kind: probe.kind, identity: probe.identity, site: request.site, every: request.every,
                grace: request.grace, ignored: request.ignored, in: connection)
            try schedule(account, in: connection)
            return account
        }
        return (account, probe)
    }

    /// Logs in and reads the identity.
    package func test(_ account: Account) throws -> Probe {
        let password = try secrets.unseal(account.secret, for: account.identity, account: account.name)
        let probe = try probe(
            url: account.url, username: account.username, password: Secret(password),
            trust: (account.trust, account.trustValue))
        try AccountEndpoint.requireIdentity(probe.identity, of: account)
        return probe
    }

    /// Changes an account; new ways to reach it are tried first and must lead to the same endpoint.
    package func update(_ account: Account, _ change: AccountChange, password: Secret?) throws {
        var change = change
        if let name = change.name { try Name.check(name, of: "account") }
        if let site = change.site, !site.isEmpty { try Name.check(site, of: "site") }
        if change.url != nil || change.username != nil || change.trust != nil || password != nil {
            let present =
                try password ?? Secret(secrets.unseal(account.secret, for: account.identity, account: account.name))
            let probe = try probe(
                url: change.url ?? account.url, username: change.username ?? account.username, password: present,
                trust: change.trust ?? (account.trust, account.trustValue))
            if change.url != nil {
                let other = try database.withConnection { try AccountTable.withIdentity(probe.identity, in: $0) }
                try AccountEndpoint.requireIdentity(probe.identity, at: probe.url, of: account, other: other)
                change.url = probe.url
            } else {
                try AccountEndpoint.requireIdentity(probe.identity, of: account)
            }
        }
        if let password {
            change.sealed = try (secrets.seal(password.revealed, for: account.identity), secrets.keyID)
        }
        try database.transaction { connection in
            try actor.declare(in: connection)
            try AccountTable.update(account, change, in: connection)
            if let changed = try AccountTable.account(account.id, in: connection) {
                try schedule(changed, in: connection)
            }
        }
        // After the commit, or the schedule could ask for another one meanwhile.
        if change.enabled == false { try cancelJobs(of: account, [.queued], by: "account disable") }
    }

    package func remove(_ account: Account) throws {
        try refuseUnfinished(account)
        try cancelJobs(of: account, [.queued, .running], by: "account remove")
        try database.transaction { connection in
            try AdvisoryLock.topology(exclusive: true).take(in: connection)
            try actor.declare(in: connection)
            try queue.deleteSchedule(scheduleKey(account), in: connection)
            try AccountTable.remove(account, in: connection)
        }
    }

    /// Queues a sync; where one is queued already, that one is returned.
    package func queueSync(_ account: Account, acceptReleases: Bool) throws -> (id: JobID, created: Bool) {
        guard account.enabled else {
            throw InventoryError(
                .refused, "account \(account.name) is disabled; run: wireloom account enable \(account.name)")
        }
        return try database.transaction { connection in
            try queue.enqueue(
                kind: SyncHandler.kind, subject: account.subject, label: account.name,
                payload: JSON(encoding: SyncRequest(acceptReleases: acceptReleases)), in: connection)
        }
    }

    /// What a job is making or deleting there would be left behind. One that was canceled and waits, because the endpoint cannot be
    /// reached to take back what was made, is no reason to keep the account for ever.
    private func refuseUnfinished(_ account: Account) throws {
        let jobs: [Int64] = try database.withConnection { connection in
            try connection.query(
                """
                SELECT id FROM job WHERE quota = $1::text AND (state = 'running' OR (state = 'queued' AND NOT cancel_requested))
                ORDER BY id
                """, VMService.quota(of: account.id)
            ).map { try $0.get(0) }
        }
        guard !jobs.isEmpty else { return }
        throw InventoryError(
            .refused,
            "account \(account.name) has \(jobs.count) unfinished jobs that make or delete VMs "
                + "(\(jobs.prefix(5).map(String.init).joined(separator: ", "))); wait for them, or cancel them first: "
                + "wireloom job cancel \(jobs[0])")
    }

    private func cancelJobs(of account: Account, _ states: [JobState], by reason: String) throws {
        for job in try queue.jobs(JobFilter(states: states, subject: account.subject)) {
            do {
                try queue.cancel(job.id, by: reason)
            } catch let error as JobError where error.code == .alreadyEnded || error.code == .notFound {
                // It ended, or was pruned, since it was listed.
            }
        }
    }

    private func scheduleKey(_ account: Account) -> String { "sync:\(account.subject)" }

    private func schedule(_ account: Account, in connection: Connection) throws {
        try queue.upsertSchedule(
            Schedule(
                key: scheduleKey(account), kind: SyncHandler.kind, subject: account.subject, label: account.name,
                payload: JSON(encoding: SyncRequest()), every: account.every, enabled: account.enabled),
            first: .zero, in: connection)
    }

    private func probe(
        url: String, username: String, password: Secret, trust: (kind: Account.Trust, value: String?)
    ) throws -> Probe {
        let endpoint = try VSphereEndpoint(
            url: url, username: username, password: password, trust: AccountEndpoint.trust(trust.kind, trust.value))
        let session = try VSphereSession.connect(
            to: endpoint, cancellation: CancellationToken(), logger: Logger(label: "wireloom.vsphere"))
        defer { session.logOut() }
        return Probe(
            kind: session.about.kind == .vCenter ? .vcenter : .esxi, identity: try session.identity(),
            product: session.about.fullName, url: endpoint.url)
    }
}

extension AccountService {
    /// The accounts of these names, or every enabled one.
    package func selected(names: [String], all: Bool) throws -> [Account] {
        try database.withConnection { connection in
            all
                ? try AccountTable.all(in: connection).filter(\.enabled)
                : try names.map { try AccountTable.named($0, in: connection) }
        }
    }
}
