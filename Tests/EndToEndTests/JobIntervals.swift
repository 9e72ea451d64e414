import Postgres

/// When jobs ran, as the job table has it, to count afterwards what ran at once.
///
/// A job whose worker was killed ran, for its account, until it was taken from that worker: nobody else may have begun
/// before. A job that was queued again is told by its last attempt.
struct JobIntervals {
    struct Interval {
        let subject: String
        let worker: String
        /// Its worker died while it ran.
        let isOrphan: Bool
        /// In microseconds.
        let begin: Int64
        let end: Int64
    }

    let all: [Interval]

    init(_ database: Database) throws {
        all = try database.withConnection { connection in
            try connection.query(
                """
                SELECT subject, worker, coalesce(error_code = 'worker_lost', false),
                    (extract(epoch FROM started_at) * 1000000)::bigint,
                    (extract(epoch FROM coalesce(finished_at, clock_timestamp())) * 1000000)::bigint
                FROM job WHERE started_at IS NOT NULL AND state <> 'queued'
                """
            ).map { row in
                Interval(
                    subject: try row.get(0), worker: try row.get(1), isOrphan: try row.get(2), begin: try row.get(3),
                    end: try row.get(4))
            }
        }
    }

    /// The most that ran at once of any one subject.
    var mostOfOneSubject: Int { Dictionary(grouping: all, by: \.subject).values.map(Self.most).max() ?? 0 }

    /// The most that one worker ran at once.
    var mostOfOneWorker: Int { Dictionary(grouping: all, by: \.worker).values.map(Self.most).max() ?? 0 }

    /// The most that ran at once, besides those whose worker was dead.
    var most: Int { Self.most(of: all.filter { !$0.isOrphan }) }

    /// A sweep over the ends: one that ends in the instant in which another begins has made room for it.
    private static func most(of intervals: [Interval]) -> Int {
        let steps = (intervals.map { ($0.begin, 1) } + intervals.map { ($0.end, -1) }).sorted { $0 < $1 }
        var now = 0
        return steps.reduce(0) { most, step in
            now += step.1
            return max(most, now)
        }
    }
}
