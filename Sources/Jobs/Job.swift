package import Postgres

/// The number of a job, as a person types it.
package struct JobID: Hashable, Comparable, Sendable, CustomStringConvertible {
    package let value: Int64

    package init(_ value: Int64) {
        self.value = value
    }

    package static func < (left: JobID, right: JobID) -> Bool {
        left.value < right.value
    }

    package var description: String { String(value) }
}

/// Where a job is in its life.
///
///     queued ──claim──> running ──finish──> succeeded | findings
///       │  ^               ├─────fail────> failed
///       │  └──worker lost──┤
///       └─────cancel───────┴─────────────> canceled
package enum JobState: String, Sendable, CaseIterable {
    /// Waits for a worker, for its time, or for the running job of its subject. Becomes `running` or `canceled`.
    case queued
    /// A worker has it under a lease. Becomes any of the others, `queued` included.
    case running
    /// Did its work and had nothing to say. Final.
    case succeeded
    /// Did its work and found what a person should see. Final.
    case findings
    /// Did not do its work, and says why. Final.
    case failed
    /// Ended because a person asked. Final.
    case canceled

    /// Whether nothing will happen to the job any more.
    package var isFinal: Bool { self != .queued && self != .running }
}

/// A job as the table has it.
package struct JobRow: Sendable {
    package let id: JobID
    /// What work it is; chooses the handler.
    package let kind: String
    /// What the job has for itself while it runs, such as `account:7`.
    package let subject: String
    /// The subject as a person knows it, such as the account's name.
    package let label: String
    package let payload: JSON
    package let state: JobState
    /// What the work is at, in the handler's words; `nil` before it said any.
    package let phase: String?
    /// How much of `total` is done, in units of the phase.
    package let done: Int64?
    package let total: Int64?
    /// How often it was claimed.
    package let attempt: Int
    /// Who runs it or ran it last.
    package let worker: String?
    /// When the worker is given up if it is not heard of.
    package let leaseUntil: Timestamp?
    /// When it may run.
    package let notBefore: Timestamp
    package let queuedAt: Timestamp
    /// When the present or last attempt began.
    package let startedAt: Timestamp?
    package let finishedAt: Timestamp?
    package let findings: Int
    package let errorCode: String?
    /// What stood in the way, as a sentence.
    package let error: String?
    package let cancelRequested: Bool
    package let canceledBy: String?
}

/// A job in the hands of a worker. The id and the attempt together name this one claim of it.
package struct ClaimedJob: Sendable {
    package let id: JobID
    package let kind: String
    package let subject: String
    package let label: String
    package let payload: JSON
    package let attempt: Int
    package let worker: String
    /// How long the claim lasts without a heartbeat.
    package let lease: Duration
    /// Taken before the claim was sent: from `claimedAt + lease` on the worker cannot know that the claim is still its own.
    package let claimedAt: ContinuousClock.Instant
    /// That somebody canceled it before it was claimed.
    package var cancellation: Cancellation.Reason?
    /// Only its handler ends it.
    package var mustRun = false

    var claim: JobQueue.Claim { JobQueue.Claim(id: id, attempt: attempt) }
}

/// Which jobs a listing shows. An empty filter shows all.
package struct JobFilter: Sendable {
    /// `nil` is every state.
    package var states: [JobState]?
    package var kind: String?
    package var subject: String?
    package var label: String?
    package var ids: [JobID]?
    /// At most so many, the newest first.
    package var limit: Int

    package init(
        states: [JobState]? = nil, kind: String? = nil, subject: String? = nil, label: String? = nil,
        ids: [JobID]? = nil, limit: Int = 100
    ) {
        self.states = states
        self.kind = kind
        self.subject = subject
        self.label = label
        self.ids = ids
        self.limit = limit
    }
}
