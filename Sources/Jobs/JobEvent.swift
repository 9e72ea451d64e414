package import Postgres

/// One line of a job's log.
package struct JobEvent: Sendable {
    package enum Level: String, Sendable, CaseIterable {
        case info, warning
        /// Something for a person to see or to mend; counts as a finding of the job.
        case finding
        case error
    }

    /// Rises within a job; not without gaps.
    package let seq: Int64
    package let at: Timestamp
    package let level: Level
    /// Stable, carries no values.
    package let code: String
    /// The thing it is about.
    package let subject: String?
    package let message: String
    /// The command that mends it.
    package let fix: String?
}

enum JobEventSQL {
    /// `$1` job, `$2` an array of objects, `$3` the attempt that says it. The order of the array becomes the order of `seq`.
    /// A worker that lost the job to another attempt says nothing more in its log.
    static let insert = """
        INSERT INTO job_event (job_id, at, level, code, subject, message, fix)
        SELECT $1::bigint, clock_timestamp() - make_interval(secs => e.age), e.level, e.code, e.subject, e.message, e.fix
        FROM ROWS FROM (
            jsonb_to_recordset($2::jsonb)
            AS (age float8, level text, code text, subject text, message text, fix text)
        ) WITH ORDINALITY AS e (age, level, code, subject, message, fix, n)
        WHERE EXISTS (SELECT FROM job WHERE id = $1::bigint AND attempt = $3::int)
        ORDER BY e.n
        """

    static let after = """
        SELECT seq, at, level, code, subject, message, fix
        FROM job_event
        WHERE job_id = $1::bigint AND seq > $2::bigint
        ORDER BY seq
        LIMIT $3::bigint
        """
}

extension JobEvent {
    init(_ row: Row) throws {
        let level = try row.get("level", as: String.self)
        guard let known = Level(rawValue: level) else {
            throw JobError(.unreadable, "a job's log has the level '\(level)', which this wireloom does not know")
        }
        self.level = known
        seq = try row.get("seq")
        at = try row.get("at")
        code = try row.get("code")
        subject = try row.get("subject")
        message = try row.get("message")
        fix = try row.get("fix")
    }
}
