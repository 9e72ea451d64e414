package import Postgres

/// Work to be asked for again and again. The next time is in the row, so that restarts and several processes change nothing.
package struct Schedule: Sendable {
    /// The owner's name for it, such as `sync:account:7`.
    package let key: String
    package let kind: String
    package let subject: String
    package let label: String
    package let payload: JSON
    /// The mean interval; each time varies by a tenth, so that many schedules made at once drift apart.
    package let every: Duration
    package let enabled: Bool
    /// When it is asked for next; set by the queue.
    package let nextAt: Timestamp?

    package init(
        key: String, kind: String, subject: String, label: String, payload: JSON = JSON(text: "{}"), every: Duration,
        enabled: Bool = true
    ) {
        self.key = key
        self.kind = kind
        self.subject = subject
        self.label = label
        self.payload = payload
        self.every = every
        self.enabled = enabled
        nextAt = nil
    }
}

enum ScheduleSQL {
    /// `$7` how long until the first run. A changed interval brings the next run no later than the new one asks for.
    static let upsert = """
        INSERT INTO schedule (key, kind, subject, label, payload, every, next_at, enabled)
        VALUES (
            $1::text, $2::text, $3::text, $4::text, $5::jsonb, $6::interval, clock_timestamp() + $7::interval,
            $8::bool
        )
        ON CONFLICT (key) DO UPDATE SET
            kind = EXCLUDED.kind,
            subject = EXCLUDED.subject,
            label = EXCLUDED.label,
            payload = EXCLUDED.payload,
            every = EXCLUDED.every,
            next_at = LEAST(schedule.next_at, EXCLUDED.next_at),
            enabled = EXCLUDED.enabled
        """

    static let delete = "DELETE FROM schedule WHERE key = $1::text"

    static let enable = "UPDATE schedule SET enabled = $2::bool WHERE key = $1::text"

    static let list = """
        SELECT key, kind, subject, label, payload, every, enabled, next_at
        FROM schedule
        ORDER BY key
        """

    /// However many times were missed, the next is counted from now: a missed run runs once.
    static let due = """
        WITH due AS MATERIALIZED (
            SELECT key
            FROM schedule
            WHERE enabled AND next_at <= clock_timestamp()
            ORDER BY next_at
            LIMIT 100
            FOR NO KEY UPDATE SKIP LOCKED
        ), asked AS (
            UPDATE schedule
            SET next_at = clock_timestamp() + schedule.every * (0.9 + 0.2 * random())
            FROM due
            WHERE schedule.key = due.key
            RETURNING schedule.key, schedule.kind, schedule.subject, schedule.label, schedule.payload
        )
        -- Whoever asks for several jobs in one transaction asks in this order, or two would deadlock.
        SELECT * FROM asked ORDER BY kind, subject
        """
}

/// Changes join the caller's transaction: an account and its schedule come and go together.
extension JobQueue {
    /// Makes or changes a schedule.
    ///
    /// - Parameter first: How long until it runs first; `nil` is its interval.
    package func upsertSchedule(_ schedule: Schedule, first: Duration? = nil, in connection: Connection) throws {
        try connection.execute(
            ScheduleSQL.upsert, schedule.key, schedule.kind, schedule.subject, schedule.label, schedule.payload,
            schedule.every, first ?? schedule.every, schedule.enabled)
    }

    /// Forgets a schedule; one that is not there is forgotten already. Jobs that it asked for stay.
    package func deleteSchedule(_ key: String, in connection: Connection) throws {
        try connection.execute(ScheduleSQL.delete, key)
    }

    /// Turns a schedule on or off. Turned on after its time has passed, it is due at once.
    package func enableSchedule(_ key: String, _ enabled: Bool, in connection: Connection) throws {
        guard try connection.execute(ScheduleSQL.enable, key, enabled) == 1 else {
            throw JobError(.notFound, "there is no schedule '\(key)'")
        }
    }

    package func schedules() throws -> [Schedule] {
        try database.withConnection { try $0.query(ScheduleSQL.list).map(Schedule.init) }
    }

    /// Asks for the work of every schedule that is due, each with its next time in one transaction. Returns how many were due.
    @discardableResult
    package func enqueueDue() throws -> Int {
        try database.transaction { connection in
            let due = try connection.query(ScheduleSQL.due)
            for row in due {
                try enqueue(
                    kind: row.get("kind"), subject: row.get("subject"), label: row.get("label"),
                    payload: row.get("payload"), in: connection)
            }
            return due.count
        }
    }
}

extension Schedule {
    init(_ row: Row) throws {
        key = try row.get("key")
        kind = try row.get("kind")
        subject = try row.get("subject")
        label = try row.get("label")
        payload = try row.get("payload")
        every = try row.get("every")
        enabled = try row.get("enabled")
        nextAt = try row.get("next_at")
    }
}
