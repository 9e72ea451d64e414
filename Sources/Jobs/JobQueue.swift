package import Postgres

/// The queue of jobs in PostgreSQL, shared by any number of processes. It knows no domain: a job is a kind of work on a subject.
///
/// What holds, and what makes it hold:
/// - A subject has at most one running job, and one queued job of a kind: partial unique indexes (`job_running_once`,
///   `job_queued_once`). Claiming skips busy subjects only to save itself the refusal. A quota is the same with several slots
///   (`job_quota_once`).
/// - Asking joins the transaction of the change that needs the work: no job without the change, no change without the job.
/// - A worker holds a job under a lease that it renews. Expiry alone takes nothing away: the reaper does, by a row
///   lock that it does not wait for, and from then on the worker's attempt is not the row's.
/// - A job ends inside the transaction that writes its result, which first locks the row and requires its own attempt
///   and the state `running`. A worker that was stalled and lost the job therefore writes nothing.
/// - A notification on `channel` only hurries; polling finds everything.
///
/// Lock order: a job's row is the last that its final transaction takes, or the first; nothing waits for it but `cancel`.
package struct JobQueue: Sendable {
    /// Where word goes that the queue changed. The payload says what: `queued`, `ended`, or `cancel` for the workers to
    /// look whether their jobs are still wanted of them.
    package static let channel = "wireloom_job"

    package let database: Database

    package init(_ database: Database) {
        self.database = database
    }

    // MARK: Asking

    /// A name that jobs share, and how many of them run at once, in any number of processes.
    package struct Quota: Sendable, Hashable {
        package let name: String
        package let size: Int

        package init(_ name: String, _ size: Int) {
            self.name = name
            self.size = size
        }
    }

    /// Asks for work in the caller's transaction. Where that work waits already, that job is returned: its payload takes the keys
    /// given here, and it runs no later than asked here. Who asks for several in one transaction asks in order of kind and subject.
    ///
    /// - Parameters:
    ///   - after: Runs no sooner than this from now.
    ///   - maxAttempts: How many vanishing workers the job may cost before it fails with `worker_lost`.
    ///   - quota: Only so many jobs of this name run at once; `nil`: as many as there are lanes.
    ///   - mustRun: Only its handler ends it, whoever cancels it and however many workers it costs.
    @discardableResult
    package func enqueue(
        kind: String, subject: String, label: String, payload: JSON = JSON(text: "{}"), after: Duration = .zero,
        maxAttempts: Int = 2, quota: Quota? = nil, mustRun: Bool = false, in connection: Connection
    ) throws -> (id: JobID, created: Bool) {
        let rows = try connection.query(
            JobSQL.enqueue, kind, subject, label, payload, after, Int32(clamping: max(1, maxAttempts)), quota?.name,
            quota.map { Int32(clamping: max(1, $0.size)) }, mustRun)
        guard let row = rows.first else {
            throw JobError(.busy, "asking for \(kind) of \(label) met a queue that kept changing; ask again")
        }
        try Self.notify(.queued, in: connection)
        return (JobID(try row.get("id")), try row.get("created"))
    }

    /// Asks for the work of an ended job again, as a new job.
    @discardableResult
    package func retry(_ id: JobID, in connection: Connection) throws -> (id: JobID, created: Bool) {
        guard let row = try connection.query(JobSQL.retry, id.value).first else { throw JobError.notFound(id) }
        let state = try JobState(stored: row.get("state"))
        guard state.isFinal else {
            throw JobError(.notEnded, "job \(id) is \(state.rawValue): only a job that has ended can be retried")
        }
        return try enqueue(
            kind: row.get("kind"), subject: row.get("subject"), label: row.get("label"), payload: row.get("payload"),
            maxAttempts: row.get("max_attempts"),
            quota: row.get("quota", as: String?.self).map { Quota($0, try row.get("quota_size")) },
            mustRun: row.get("must_run"), in: connection)
    }

    package func retry(_ id: JobID) throws -> (id: JobID, created: Bool) {
        try database.transaction { try retry(id, in: $0) }
    }

    /// What a cancellation came to.
    package enum CancelOutcome: Sendable, Equatable {
        /// The job had not begun and never will.
        case canceled
        /// Its worker has been told, or will be when it takes a job that must run; it ends `canceled`, unless it finishes first.
        case requested
    }

    /// Cancels a job. A job in its final transaction is waited for, and has then ended.
    @discardableResult
    package func cancel(_ id: JobID, by person: String) throws -> CancelOutcome {
        try database.transaction { try cancel(id, by: person, in: $0) }
    }

    @discardableResult
    package func cancel(_ id: JobID, by person: String, in connection: Connection) throws -> CancelOutcome {
        guard let row = try connection.query(JobSQL.cancel, id.value, person).first else {
            guard let job = try job(id, in: connection) else { throw JobError.notFound(id) }
            throw JobError(
                .alreadyEnded, "job \(id) has ended already (\(job.state.rawValue)): there is nothing to cancel")
        }
        let state = try JobState(stored: row.get("state"))
        try Self.notify(state == .canceled ? .ended : .cancel, in: connection)
        return state == .canceled ? .canceled : .requested
    }

    // MARK: Looking

    package func job(_ id: JobID) throws -> JobRow? {
        try database.withConnection { try job(id, in: $0) }
    }

    package func job(_ id: JobID, in connection: Connection) throws -> JobRow? {
        try connection.query(JobSQL.byID, id.value).first.map(JobRow.init)
    }

    /// The jobs that the filter lets through, the newest first.
    package func jobs(_ filter: JobFilter = JobFilter()) throws -> [JobRow] {
        try database.withConnection { connection in
            try connection.query(
                JobSQL.list, filter.states.map { $0.map(\.rawValue) }, filter.kind, filter.subject, filter.label,
                filter.ids.map { $0.map(\.value) }, Int64(filter.limit)
            ).map(JobRow.init)
        }
    }

    /// The newest job of each subject of a kind; with `ended`, of those that have ended.
    package func latest(kind: String, ended: Bool = false) throws -> [JobRow] {
        try database.withConnection { try $0.query(JobSQL.latest, kind, ended).map(JobRow.init) }
    }

    /// What the job said after the event `seq`, oldest first.
    package func events(_ id: JobID, after seq: Int64 = 0, limit: Int = 10_000) throws -> [JobEvent] {
        try database.withConnection {
            try $0.query(JobEventSQL.after, id.value, seq, Int64(limit)).map(JobEvent.init)
        }
    }

    // MARK: Housekeeping

    /// Deletes ended jobs with their logs: all but the newest `keepPerSubject` of each kind and subject, and everything older than
    /// `maxAge`. In portions, so that no transaction is long.
    @discardableResult
    package func prune(keepPerSubject: Int, maxAge: Duration = .seconds(90 * 86_400)) throws -> Int {
        try database.withConnection { try prune(keepPerSubject: keepPerSubject, maxAge: maxAge, in: $0) }
    }

    @discardableResult
    func prune(keepPerSubject: Int, maxAge: Duration, in connection: Connection) throws -> Int {
        let portion = 1_000
        var deleted = 0
        while true {
            let count = try connection.execute(JobSQL.prune, Int64(keepPerSubject), maxAge, Int64(portion))
            deleted += count
            if count < portion { return deleted }
        }
    }

    // MARK: Word

    enum Word: String {
        case queued, ended, cancel
    }

    static func notify(_ word: Word, in connection: Connection) throws {
        _ = try connection.query(JobSQL.notify, word.rawValue)
    }
}
