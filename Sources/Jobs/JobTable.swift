import Postgres

/// The statements on table `job`, and how their rows are read.
///
/// Leases are set and judged by the database's clock alone. A statement that is not the job's own final transaction never
/// waits for that one: it takes the row with SKIP LOCKED. The lock is NO KEY UPDATE throughout, which lets the
/// foreign key of `job_event` through: a worker may write its log while its final transaction is open.
enum JobSQL {
    static let columns = """
        id, kind, subject, label, payload, state, phase, done, total, attempt, worker, lease_until, not_before,
        queued_at, started_at, finished_at, findings, error_code, error, cancel_requested, canceled_by
        """

    /// `xmax` is 0 in a row just inserted, and the locker in one that was met.
    /// A job asked for again keeps its place, or moves forward to an earlier time; the newer payload's keys win, so
    /// that a flag asked for by a person is not lost on a job that a schedule queued.
    static let enqueue = """
        INSERT INTO job (kind, subject, label, payload, not_before, queued_at, max_attempts, quota, quota_size, must_run)
        VALUES ($1::text, $2::text, $3::text, $4::jsonb, clock_timestamp() + $5::interval, clock_timestamp(), $6::int,
            $7::text, $8::int, $9::bool)
        ON CONFLICT (kind, subject) WHERE state = 'queued'
        DO UPDATE SET
            payload = job.payload || EXCLUDED.payload,
            label = EXCLUDED.label,
            not_before = LEAST(job.not_before, EXCLUDED.not_before)
        RETURNING id, xmax = 0 AS created
        """

    static let notify = "SELECT pg_notify('\(JobQueue.channel)', $1::text)"

    /// Two claimers can still choose two jobs of one subject, or one slot of a quota, at once: then `job_running_once` or
    /// `job_quota_once` refuses the later.
    static let claim = """
        WITH busy AS MATERIALIZED (
            SELECT quota, count(*) AS jobs FROM job WHERE state = 'running' AND quota IS NOT NULL GROUP BY quota
        ),
        next AS MATERIALIZED (
            SELECT candidate.id
            FROM job AS candidate
            WHERE candidate.state = 'queued'
              AND candidate.kind = ANY ($1::text[])
              AND ($2::bigint[] IS NULL OR candidate.id = ANY ($2::bigint[]))
              AND candidate.not_before <= clock_timestamp()
              AND NOT EXISTS (
                  SELECT FROM job AS other WHERE other.subject = candidate.subject AND other.state = 'running'
              )
              AND NOT EXISTS (
                  SELECT FROM busy WHERE busy.quota = candidate.quota AND busy.jobs >= candidate.quota_size
              )
            ORDER BY candidate.not_before, candidate.id
            LIMIT 1
            FOR NO KEY UPDATE OF candidate SKIP LOCKED
        )
        UPDATE job
        SET state = 'running',
            attempt = job.attempt + 1,
            worker = $3::text,
            lease_until = clock_timestamp() + $4::interval,
            started_at = clock_timestamp(),
            phase = NULL,
            done = NULL,
            total = NULL,
            quota_slot = (
                SELECT min(slot) FROM generate_series(1, job.quota_size) AS slot
                WHERE NOT EXISTS (
                    SELECT FROM job AS other
                    WHERE other.quota = job.quota AND other.state = 'running' AND other.quota_slot = slot
                )
            )
        FROM next
        WHERE job.id = next.id
        RETURNING job.id, job.kind, job.subject, job.label, job.payload, job.attempt, job.cancel_requested, job.canceled_by,
            job.must_run
        """

    static let byID = "SELECT \(columns) FROM job WHERE id = $1::bigint"

    static let list = """
        SELECT \(columns)
        FROM job
        WHERE ($1::text[] IS NULL OR state = ANY ($1::text[]))
          AND ($2::text IS NULL OR kind = $2::text)
          AND ($3::text IS NULL OR subject = $3::text)
          AND ($4::text IS NULL OR label = $4::text)
          AND ($5::bigint[] IS NULL OR id = ANY ($5::bigint[]))
        ORDER BY id DESC
        LIMIT $6::bigint
        """

    static let latest = """
        SELECT DISTINCT ON (subject) \(columns)
        FROM job
        WHERE kind = $1::text
          AND ($2::bool IS NOT TRUE OR finished_at IS NOT NULL)
        ORDER BY subject, id DESC
        """

    /// A job that must run hears of it from its worker, who undoes what was begun.
    static let cancel = """
        UPDATE job
        SET state = CASE WHEN state = 'queued' AND NOT must_run THEN 'canceled' ELSE state END,
            finished_at = CASE WHEN state = 'queued' AND NOT must_run THEN clock_timestamp() END,
            cancel_requested = true,
            canceled_by = COALESCE(canceled_by, $2::text)
        WHERE id = $1::bigint AND state IN ('queued', 'running')
        RETURNING state
        """

    static let retry = """
        SELECT kind, subject, label, payload, state, max_attempts, quota, quota_size, must_run
        FROM job
        WHERE id = $1::bigint
        """

    /// `$1` names the claims: `[{id, attempt, phase, done, total}]`. A claim whose row is locked is in its final transaction: it is
    /// left alone and nobody can take it.
    static let beat = """
        WITH claim AS MATERIALIZED (
            SELECT * FROM jsonb_to_recordset($1::jsonb)
            AS c (id bigint, attempt int, phase text, done bigint, total bigint)
        ), mine AS MATERIALIZED (
            SELECT job.id, claim.phase, claim.done, claim.total
            FROM job JOIN claim ON job.id = claim.id AND job.attempt = claim.attempt
            WHERE job.state = 'running'
            FOR NO KEY UPDATE OF job SKIP LOCKED
        ), beaten AS (
            UPDATE job
            SET lease_until = clock_timestamp() + $2::interval,
                phase = mine.phase,
                done = mine.done,
                total = mine.total
            FROM mine
            WHERE job.id = mine.id
        )
        SELECT claim.id,
               claim.attempt,
               job.attempt = claim.attempt AND job.state = 'running' AS held,
               job.attempt = claim.attempt AND job.state IN ('succeeded', 'findings') AS finished,
               job.cancel_requested,
               job.canceled_by
        FROM claim LEFT JOIN job ON job.id = claim.id
        """

    static let lock = """
        SELECT id
        FROM job
        WHERE id = $1::bigint AND attempt = $2::int AND state = 'running'
        FOR NO KEY UPDATE
        """

    static let end = """
        UPDATE job
        SET state = $3::text,
            findings = $4::int,
            error_code = $5::text,
            error = $6::text,
            lease_until = NULL,
            finished_at = clock_timestamp()
        WHERE id = $1::bigint AND attempt = $2::int AND state = 'running'
        """

    /// Where the row says how the work ends for it, it ends so; else it goes back to the queue, unless another of its
    /// kind waits there already. `$2`, `$3`: the claim to hand back; both NULL for every claim that ran out. A claim that is
    /// handed back waits `$4`; `$5` is why, where nobody stopped its worker.
    static let giveBack = """
        WITH gone AS MATERIALIZED (
            SELECT id, worker,
                   CASE
                       WHEN cancel_requested AND NOT must_run THEN 'canceled'
                       WHEN $1::bool AND lost + 1 >= max_attempts AND NOT must_run THEN 'failed'
                       WHEN EXISTS (
                           SELECT FROM job AS other
                           WHERE other.kind = job.kind AND other.subject = job.subject AND other.state = 'queued'
                       ) THEN CASE WHEN $1::bool THEN 'failed' ELSE 'canceled' END
                       ELSE 'queued'
                   END AS becomes
            FROM job
            WHERE state = 'running'
              AND CASE
                      WHEN $1::bool THEN lease_until < clock_timestamp()
                      ELSE id = $2::bigint AND attempt = $3::int
                  END
            ORDER BY id
            FOR NO KEY UPDATE SKIP LOCKED
        ), changed AS (
            UPDATE job
            SET state = gone.becomes,
                lost = job.lost + CASE WHEN $1::bool THEN 1 ELSE 0 END,
                lease_until = NULL,
                not_before = clock_timestamp() + $4::interval,
                finished_at = CASE WHEN gone.becomes <> 'queued' THEN clock_timestamp() END,
                error_code = CASE
                    WHEN gone.becomes = 'failed' THEN 'worker_lost'
                    WHEN gone.becomes = 'canceled' AND NOT job.cancel_requested THEN 'superseded'
                END,
                error = CASE
                    WHEN gone.becomes = 'failed'
                        THEN 'worker ' || gone.worker || ' stopped answering while it ran this job'
                    WHEN gone.becomes = 'canceled' AND NOT job.cancel_requested
                        THEN 'its worker was stopped, and another job of its kind was queued already'
                END
            FROM gone
            WHERE job.id = gone.id
            RETURNING job.id, job.state, gone.worker
        ), told AS (
            INSERT INTO job_event (job_id, level, code, message)
            SELECT id,
                   CASE WHEN $1::bool OR $5::text IS NOT NULL THEN 'warning' ELSE 'info' END,
                   CASE WHEN $1::bool THEN 'worker_lost' WHEN $5 IS NOT NULL THEN 'postponed' ELSE 'worker_stopped' END,
                   coalesce($5, 'worker ' || worker || CASE WHEN $1::bool THEN ' stopped answering' ELSE ' was stopped' END)
                       || CASE WHEN state = 'queued' THEN '; the job is queued again' ELSE '' END
            FROM changed
        )
        SELECT id, state FROM changed ORDER BY id
        """

    /// `$1` how many ended jobs a subject keeps, `$2` how long any is kept, `$3` how many go in one statement.
    static let prune = """
        DELETE FROM job
        WHERE id IN (
            SELECT id
            FROM (
                SELECT id, finished_at,
                       row_number() OVER (PARTITION BY kind, subject ORDER BY id DESC) AS place
                FROM job
                WHERE finished_at IS NOT NULL
            ) AS ended
            WHERE place > $1::bigint OR finished_at < clock_timestamp() - $2::interval
            ORDER BY id
            LIMIT $3::bigint
        )
        """
}

extension JobState {
    init(stored text: String) throws {
        guard let state = JobState(rawValue: text) else {
            throw JobError(.unreadable, "a job has the state '\(text)', which this wireloom does not know")
        }
        self = state
    }
}

extension JobRow {
    init(_ row: Row) throws {
        id = JobID(try row.get("id"))
        kind = try row.get("kind")
        subject = try row.get("subject")
        label = try row.get("label")
        payload = try row.get("payload")
        state = try JobState(stored: row.get("state"))
        phase = try row.get("phase")
        done = try row.get("done")
        total = try row.get("total")
        attempt = try row.get("attempt")
        worker = try row.get("worker")
        leaseUntil = try row.get("lease_until")
        notBefore = try row.get("not_before")
        queuedAt = try row.get("queued_at")
        startedAt = try row.get("started_at")
        finishedAt = try row.get("finished_at")
        findings = try row.get("findings")
        errorCode = try row.get("error_code")
        error = try row.get("error")
        cancelRequested = try row.get("cancel_requested")
        canceledBy = try row.get("canceled_by")
    }
}
