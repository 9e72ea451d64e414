internal import Jobs
internal import Postgres

/// The steps of one job, each written down before it is done and once more afterwards, and only by the worker whose job it is.
///
/// That is what a job is crash-proof by: a worker that was silent for too long cannot begin a step, and one that finds a job
/// half-done knows what may have happened.
struct VMStepLog {
    /// What the next worker needs of a step that was begun.
    struct Detail: Codable, Equatable {
        /// The task that the server works on.
        var task: String?
    }

    struct Entry {
        var isDone: Bool
        var detail: Detail
    }

    let context: JobContext
    /// In no transaction between its calls.
    let connection: Connection

    /// `nil` for one that was never begun.
    func entry(_ step: VMStep) throws -> Entry? {
        try connection.query(
            "SELECT done_at IS NOT NULL, detail FROM vm_step WHERE job_id = $1::bigint AND step = $2::text",
            context.job.id.value, step.rawValue
        ).first.map { row in
            Entry(isDone: try row.get(0), detail: try row.get(1, as: JSON.self).decoded())
        }
    }

    /// - Parameter also: written in the same transaction, before.
    func begin(_ step: VMStep, _ also: () throws -> Void = {}) throws {
        try write {
            try also()
            try connection.execute(
                "INSERT INTO vm_step (job_id, step) VALUES ($1::bigint, $2::text) ON CONFLICT (job_id, step) DO NOTHING",
                context.job.id.value, step.rawValue)
        }
        context.report(phase: step.phrase)
    }

    func note(_ detail: Detail, of step: VMStep) throws {
        try write {
            try connection.execute(
                "UPDATE vm_step SET detail = $3::jsonb WHERE job_id = $1::bigint AND step = $2::text",
                context.job.id.value,
                step.rawValue, try JSON(encoding: detail))
        }
    }

    func end(_ step: VMStep, _ also: () throws -> Void = {}) throws {
        try write {
            try also()
            try mark(step)
        }
    }

    /// That the step is done, in the caller's transaction.
    func mark(_ step: VMStep) throws {
        try connection.execute(
            """
            INSERT INTO vm_step (job_id, step, done_at) VALUES ($1::bigint, $2::text, clock_timestamp())
            ON CONFLICT (job_id, step) DO UPDATE SET done_at = EXCLUDED.done_at
            """, context.job.id.value, step.rawValue)
    }

    private func write(_ body: () throws -> Void) throws {
        try connection.transaction {
            try context.lock(in: connection)
            try body()
        }
    }
}
