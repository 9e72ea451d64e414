import FoundationEssentials
import Postgres

/// What a worker tells the queue while it works: that it lives, how far it is, what it has to say.
extension JobQueue {
    /// A claim and its progress, as one heartbeat carries it.
    struct Beat: Encodable {
        let id: Int64
        let attempt: Int
        let phase: String?
        let done: Int64?
        let total: Int64?
    }

    /// One claim of one job. A stalled worker may meet its own next claim of the same job.
    struct Claim: Hashable, Sendable {
        let id: JobID
        let attempt: Int
    }

    /// What the queue knows of a claim.
    enum Standing: Sendable, Equatable {
        case held
        /// Somebody asked to cancel it.
        case cancelRequested(by: String?)
        /// Its own final transaction was committed.
        case finished
        /// Another worker's, ended by another, or deleted.
        case lost
    }

    /// Renews the leases of all claims of a worker in one statement, which waits for no job in its final transaction.
    func beat(_ beats: [Beat], lease: Duration, in connection: Connection) throws -> [Claim: Standing] {
        guard !beats.isEmpty else { return [:] }
        var standings: [Claim: Standing] = [:]
        for row in try connection.query(JobSQL.beat, try JSON(encoding: beats), lease) {
            let claim = Claim(id: JobID(try row.get("id")), attempt: try row.get("attempt"))
            // NULL throughout where the job's row is gone.
            if try row.get("finished", as: Bool?.self) == true {
                standings[claim] = .finished
            } else if try row.get("held", as: Bool?.self) != true {
                standings[claim] = .lost
            } else if try row.get("cancel_requested", as: Bool?.self) == true {
                standings[claim] = .cancelRequested(by: try row.get("canceled_by"))
            } else {
                standings[claim] = .held
            }
        }
        return standings
    }

    /// An event that is not in the table yet.
    struct Draft: Encodable, Sendable {
        let level: String
        let code: String
        let subject: String?
        let message: String
        let fix: String?
        /// When it was written down, by the local clock that only measures how long ago that was.
        let at: ContinuousClock.Instant

        enum CodingKeys: CodingKey {
            case level, code, subject, message, fix, age
        }

        func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(level, forKey: .level)
            try container.encode(code, forKey: .code)
            try container.encodeIfPresent(subject?.withoutNUL, forKey: .subject)
            try container.encode(message.withoutNUL, forKey: .message)
            try container.encodeIfPresent(fix?.withoutNUL, forKey: .fix)
            try container.encode(max(0, at.duration(to: .now) / .seconds(1)), forKey: .age)
        }
    }

    /// Appends to a job's log, in the order given; nothing where the job is another attempt's by now.
    func append(_ drafts: [Draft], to claim: Claim, in connection: Connection) throws {
        guard !drafts.isEmpty else { return }
        try connection.execute(
            JobEventSQL.insert, claim.id.value, try JSON(encoding: drafts), Int32(clamping: claim.attempt))
    }
}

extension JSON {
    init(encoding value: some Encodable) throws {
        self.init(text: String(decoding: try JSONEncoder().encode(value), as: UTF8.self))
    }
}
