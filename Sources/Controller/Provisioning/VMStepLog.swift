internal import Jobs
internal import Postgres
internal import VSphere

/// The steps of one job, each written down before it is done and once more afterwards, and only by the worker whose job it is.
///
/// That is what a job is crash-proof by: a worker that was silent for too long cannot begin a step, and one that finds a job
/// half-done knows what may have happened.
struct VMStepLog {
    /// What the next worker needs of a step that was begun.
    struct Detail: Codable, Equatable {
        /// The tasks that the server said it works on, oldest first, as long as their end was not seen.
        var tasks: [String] = []
        /// Whether the server was asked for one more task, and its answer is not known.
        var isAsked = false
        /// Before that, the tasks that the template was being cloned by: none of them is the answer. `nil`: not readable.
        var before: [String]?

        init() {}

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            tasks = try container.decodeIfPresent([String].self, forKey: .tasks) ?? []
            isAsked = try container.decodeIfPresent(Bool.self, forKey: .isAsked) ?? false
            before = try container.decodeIfPresent([String].self, forKey: .before)
        }

        private enum CodingKeys: String, CodingKey {
            case tasks
            case isAsked = "asked"
            case before
        }
    }

    struct Entry {
        var isDone: Bool
        var detail: Detail
        /// Since it was begun, or last asked for, by the database's clock.
        var age: Duration
    }

    let context: JobContext
    let own: VMConnection
    /// In no transaction between its calls.
    var connection: Connection { own.present }

    /// `nil` for one that was never begun.
    func entry(_ step: VMStep) throws -> Entry? {
        try connection.query(
            """
            SELECT done_at IS NOT NULL, detail, extract(epoch FROM clock_timestamp() - began_at)::float8 FROM vm_step
            WHERE job_id = $1::bigint AND step = $2::text
            """, context.job.id.value, step.rawValue
        ).first.map { row in
            Entry(
                isDone: try row.get(0), detail: try row.get(1, as: JSON.self).decoded(),
                age: .seconds(try row.get(2, as: Double.self)))
        }
    }

    /// - Parameter also: written in the same transaction, before.
    func begin(_ step: VMStep, _ also: () throws -> Void = {}) throws {
        try fenced {
            try also()
            try connection.execute(
                "INSERT INTO vm_step (job_id, step) VALUES ($1::bigint, $2::text) ON CONFLICT (job_id, step) DO NOTHING",
                context.job.id.value, step.rawValue)
        }
        context.report(phase: step.phrase)
    }

    func note(_ detail: Detail, of step: VMStep) throws {
        try fenced {
            try connection.execute(
                """
                UPDATE vm_step SET detail = $3::jsonb,
                    began_at = CASE WHEN $4::boolean THEN clock_timestamp() ELSE began_at END
                WHERE job_id = $1::bigint AND step = $2::text
                """, context.job.id.value, step.rawValue, try JSON(encoding: detail), detail.isAsked)
        }
    }

    /// Asks the server for a task: that it is asked is written down before, and the task's name once it is told. What the server
    /// refuses was asked for in vain; of an answer that is lost, nothing is known but that.
    func ask(_ step: VMStep, before: [String]? = nil, _ begin: () throws -> String) throws -> String {
        var detail = try entry(step)?.detail ?? Detail()
        detail.isAsked = true
        detail.before = before
        try note(detail, of: step)
        detail.isAsked = false
        detail.before = nil
        let task: String
        do {
            task = try begin()
        } catch  where (error as? VSphereError).map({ $0.faultKind != nil }) ?? true {
            try note(detail, of: step)
            throw error
        }
        detail.tasks.append(task)
        try note(detail, of: step)
        return task
    }

    func end(_ step: VMStep, _ also: () throws -> Void = {}) throws {
        try fenced {
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

    /// The clones that other jobs know to be theirs.
    func clonesOfOthers() throws -> Set<String> {
        Set(
            try connection.query(
                """
                SELECT t FROM vm_step s CROSS JOIN LATERAL jsonb_array_elements_text(s.detail -> 'tasks') t
                WHERE s.step = 'clone' AND s.job_id <> $1::bigint
                """, context.job.id.value
            ).map { try $0.get(0, as: String.self) })
    }

    /// A transaction of the worker whose job it is, on a connection that is there.
    func fenced(_ body: () throws -> Void) throws {
        try own.renewIfLost()
        try connection.transaction {
            try context.lock(in: connection)
            try body()
        }
    }
}
