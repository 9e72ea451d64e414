import Postgres

/// The worker's side: taking a job, keeping it, ending it, and taking over what a vanished worker left.
extension JobQueue {
    /// Takes the next job that may run, the one waiting longest first; `nil` where there is none.
    ///
    /// - Parameter ids: Only these, where given.
    package func claim(
        kinds: [String], ids: [JobID]? = nil, worker: String, lease: Duration
    ) throws -> ClaimedJob? {
        try database.withConnection {
            try claim(kinds: kinds, ids: ids, worker: worker, lease: lease, in: $0)
        }
    }

    /// As above, on a connection of the caller's, which must not be in a transaction.
    func claim(
        kinds: [String], ids: [JobID]?, worker: String, lease: Duration, in connection: Connection
    ) throws -> ClaimedJob? {
        try Self.againOnConflict(with: ["job_running_once", "job_quota_once"]) {
            let sent = ContinuousClock.now
            let rows = try connection.query(JobSQL.claim, kinds, ids.map { $0.map(\.value) }, worker, lease)
            return try rows.first.map { row in
                ClaimedJob(
                    id: JobID(try row.get("id")), kind: try row.get("kind"), subject: try row.get("subject"),
                    label: try row.get("label"), payload: try row.get("payload"), attempt: try row.get("attempt"),
                    worker: worker, lease: lease, claimedAt: sent,
                    cancellation: try row.get("cancel_requested")
                        ? .requested(by: try row.get("canceled_by")) : nil,
                    mustRun: try row.get("must_run"))
            }
        } ?? nil
    }

    /// Locks the claimed job's row in the caller's transaction, which from then on nobody can take the job from.
    /// Throws `lostLease` where the claim is not this worker's any more.
    static func lock(_ job: ClaimedJob, in connection: Connection) throws {
        guard try !connection.query(JobSQL.lock, job.id.value, Int32(job.attempt)).isEmpty else {
            throw JobError.lostLease(job.id, attempt: job.attempt)
        }
    }

    /// How a job ends.
    enum Ending: Sendable, Equatable {
        case done(findings: Int)
        case failed(code: String, message: String)
        case canceled(message: String)
    }

    /// Ends the claimed job in the caller's transaction: the fence of every result. Throws `lostLease` where the claim is not this
    /// worker's any more; the transaction must then be rolled back.
    static func end(_ job: ClaimedJob, _ ending: Ending, in connection: Connection) throws {
        let changed =
            switch ending {
            case .done(let findings):
                try connection.execute(
                    JobSQL.end, job.id.value, Int32(job.attempt),
                    (findings > 0 ? JobState.findings : .succeeded).rawValue, Int32(clamping: findings),
                    String?.none, String?.none)
            case .failed(let code, let message):
                try connection.execute(
                    JobSQL.end, job.id.value, Int32(job.attempt), JobState.failed.rawValue, Int32(0),
                    code, message.withoutNUL)
            case .canceled(let message):
                try connection.execute(
                    JobSQL.end, job.id.value, Int32(job.attempt), JobState.canceled.rawValue, Int32(0),
                    "canceled", message.withoutNUL)
            }
        guard changed == 1 else { throw JobError.lostLease(job.id, attempt: job.attempt) }
        try notify(.ended, in: connection)
    }

    /// Takes the jobs whose lease ran out from their workers: back to the queue, or `failed` with `worker_lost` where
    /// that happened too often or another of its kind waits for the subject already, or `canceled` where that was asked.
    /// A job in its final transaction is left alone. Returns what became of each.
    @discardableResult
    package func reapExpired() throws -> [(id: JobID, state: JobState)] {
        try database.withConnection { try reapExpired(in: $0) }
    }

    @discardableResult
    func reapExpired(in connection: Connection) throws -> [(id: JobID, state: JobState)] {
        try giveBack(nil, in: connection)
    }

    /// Hands a job back that its worker, asked to stop, did not finish. Throws `lostLease` where it is not the worker's any more.
    ///
    /// - Parameters:
    ///   - after: How long it waits in the queue at least.
    ///   - why: What stands in the way, where nobody stopped the worker.
    @discardableResult
    func release(
        _ job: ClaimedJob, after: Duration = .zero, why: String? = nil, in connection: Connection
    ) throws -> JobState {
        guard let given = try giveBack(job, after: after, why: why, in: connection).first else {
            throw JobError.lostLease(job.id, attempt: job.attempt)
        }
        return given.state
    }

    private func giveBack(
        _ job: ClaimedJob?, after: Duration = .zero, why: String? = nil, in connection: Connection
    ) throws -> [(id: JobID, state: JobState)] {
        let given: [(id: JobID, state: JobState)]? = try Self.againOnConflict(with: ["job_queued_once"]) {
            try connection.transaction {
                let given = try connection.query(
                    JobSQL.giveBack, job == nil, job?.id.value, job.map { Int32($0.attempt) }, after,
                    why?.withoutNUL
                ).map { row in (id: JobID(try row.get("id")), state: try JobState(stored: row.get("state"))) }
                if !given.isEmpty {
                    try Self.notify(given.contains { $0.state == .queued } ? .queued : .ended, in: connection)
                    // A worker that was only stalled learns sooner that the job is not its own.
                    if job == nil { try Self.notify(.cancel, in: connection) }
                }
                return given
            }
        }
        return given ?? []
    }

    /// Runs the statement again where another process was faster, which the next snapshot shows. `nil` after so many defeats that
    /// the next poll may as well look again.
    private static func againOnConflict<T>(with indexes: Set<String>, _ body: () throws -> T) throws -> T? {
        for _ in 0..<16 {
            do {
                return try body()
            } catch let error as DatabaseError
                where error.code == .conflict && error.constraint.map(indexes.contains) == true
            {
                continue
            }
        }
        return nil
    }
}

extension String {
    /// PostgreSQL's text holds any character but this one.
    var withoutNUL: String {
        contains("\0") ? String(unicodeScalars.filter { $0 != "\0" }) : self
    }
}
