import Postgres

/// What a handler's run came to, and what that makes of the job.
///
/// A handler that stops because it was told to may throw anything: a canceled statement, an aborted transfer. So once it was told,
/// whatever it throws counts as that.
///
/// A job that must run is ended by its handler alone: by a result, or by a `JobFailure`, which says that nothing is left to do. Anything
/// else that its handler throws, whatever it is and wherever it came from, says nothing of what was begun: the job waits and is tried
/// again.
enum Outcome {
    /// It returned without ending the job: there was nothing to write.
    case returned(findings: Int)
    /// It returned, having ended the job itself.
    case finished
    case failed(code: String, message: String, isFinishRequested: Bool, unexpected: (any Error)?)
    case canceled(message: String)
    /// It was told to stop and the work is not done: another worker's turn.
    case handedBack
    /// The work can be neither finished nor undone for now.
    case postponed(Duration, why: String, unexpected: (any Error)? = nil)
    /// The fence refused it.
    case lost

    init(of context: JobContext, _ body: () throws -> Void) {
        do {
            try body()
            self = context.isFinishRequested ? .finished : .returned(findings: context.findings)
        } catch {
            self = Outcome(of: error, in: context)
        }
    }

    private init(of error: any Error, in context: JobContext) {
        if let error = error as? JobError, error.code == .lostLease, context.cancellation.reason == nil {
            self = .lost
            return
        }
        if let error = error as? JobPostponement {
            self = .postponed(error.delay, why: error.message)
            return
        }
        let (code, message, unexpected) = Self.words(for: error)
        let isEnd = !context.job.mustRun || error is JobFailure
        switch context.cancellation.reason {
        case .stopping, .leaseLost:
            self = .handedBack
        case _ where !isEnd:
            self = .postponed(context.postponement, why: message, unexpected: unexpected)
        case .requested(let person):
            // What was done about it is the handler's to say where the handler must.
            self = .canceled(
                message: context.job.mustRun ? message : "canceled" + (person.map { " by \($0)" } ?? ""))
        case nil:
            self = .failed(
                code: code, message: message, isFinishRequested: context.isFinishRequested, unexpected: unexpected)
        }
    }

    /// What is told of an error, and the error itself where nobody expected it.
    private static func words(for error: any Error) -> (code: String, message: String, unexpected: (any Error)?) {
        switch error {
        case let error as JobFailure: (error.code, error.message, nil)
        case let error as DatabaseError: ("database_\(error.code.rawValue)", error.detail, error)
        case let error as JobError: (error.code.rawValue, error.detail, nil)
        default:
            (
                "internal",
                "the work stopped at an error that wireloom did not expect (\(type(of: error))); the log of wireloom has it",
                error
            )
        }
    }

    /// The error to log where it is handled: here.
    var unexpected: (any Error)? {
        switch self {
        case .failed(_, _, _, let error), .postponed(_, _, let error): error
        default: nil
        }
    }

    /// Writes the outcome, in one statement. Throws `lostLease` where the job is another worker's.
    func write(_ context: JobContext, _ queue: JobQueue, _ connection: Connection) throws -> JobState {
        let job = context.job
        switch self {
        case .returned(let findings):
            try JobQueue.end(job, .done(findings: findings), in: connection)
            return findings > 0 ? .findings : .succeeded
        case .finished:
            // The result's own transaction has ended the job, or was rolled back behind the handler's back.
            let message = "the work returned before its result was committed"
            if job.mustRun {
                return try unlessFinished(job, queue, connection) {
                    try queue.release(job, after: context.postponement, why: message, in: connection)
                }
            }
            return try endUnlessFinished(job, .failed(code: "internal", message: message), queue, connection)
        case .failed(let code, let message, let isFinishRequested, _):
            let ending = JobQueue.Ending.failed(code: code, message: message)
            // The connection may have been lost during the commit, and the result be there all the same.
            if isFinishRequested { return try endUnlessFinished(job, ending, queue, connection) }
            try JobQueue.end(job, ending, in: connection)
            return .failed
        case .canceled(let message):
            return try endUnlessFinished(job, .canceled(message: message), queue, connection)
        case .handedBack:
            return try queue.release(job, in: connection)
        case .postponed(let delay, let why, _):
            // The connection may have been lost during the commit of a result that is there all the same.
            return try unlessFinished(job, queue, connection) {
                try queue.release(job, after: delay, why: why, in: connection)
            }
        case .lost:
            throw JobError.lostLease(job.id, attempt: job.attempt)
        }
    }

    private func endUnlessFinished(
        _ job: ClaimedJob, _ ending: JobQueue.Ending, _ queue: JobQueue, _ connection: Connection
    ) throws -> JobState {
        try unlessFinished(job, queue, connection) {
            try JobQueue.end(job, ending, in: connection)
            return if case .canceled = ending { .canceled } else { .failed }
        }
    }

    private func unlessFinished(
        _ job: ClaimedJob, _ queue: JobQueue, _ connection: Connection, _ write: () throws -> JobState
    ) throws -> JobState {
        do {
            return try write()
        } catch let error as JobError where error.code == .lostLease {
            guard let row = try queue.job(job.id, in: connection), row.attempt == job.attempt,
                row.state == .succeeded || row.state == .findings
            else { throw error }
            return row.state
        }
    }
}
