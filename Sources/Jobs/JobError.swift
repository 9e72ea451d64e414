/// Why the queue did not do what was asked.
package struct JobError: Error, Sendable, Equatable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The claim is another worker's, or the job has ended: whatever this one wrote must be rolled back.
        case lostLease = "lost_lease"
        /// There is no such job or schedule.
        case notFound = "not_found"
        /// The job has ended, so there is nothing to cancel.
        case alreadyEnded = "already_ended"
        /// The job has not ended, so there is nothing to retry.
        case notEnded = "not_ended"
        /// The work was told to stop.
        case canceled
        /// The queue kept changing under the request.
        case busy
        /// A row that this version cannot read.
        case unreadable
    }

    package let code: Code
    /// What was tried, on which job, and what stood in the way.
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }

    static func lostLease(_ id: JobID, attempt: Int) -> JobError {
        JobError(.lostLease, "job \(id) is no longer this worker's (attempt \(attempt)): nothing was written")
    }

    static func notFound(_ id: JobID) -> JobError {
        JobError(.notFound, "there is no job \(id); see: wireloom job list")
    }
}

/// What a handler throws to say why its work failed, in words for the operator.
package struct JobFailure: Error, Sendable, CustomStringConvertible {
    /// Stable, carries no values: `release_breaker`, `unreachable`.
    package let code: String
    package let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}

/// What a handler throws whose work can be neither finished nor undone for now: the job goes back to the queue and waits.
package struct JobPostponement: Error, Sendable, CustomStringConvertible {
    package let delay: Duration
    /// What stood in the way.
    package let message: String

    package init(_ delay: Duration, message: String) {
        self.delay = delay
        self.message = message
    }

    package var description: String { message }
}
