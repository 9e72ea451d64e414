import Postgres

/// What a handler's run came to, and what that makes of the job.
///
/// A handler that stops because it was told to may throw anything: a canceled statement, an aborted transfer. So once it was told,
/// whatever it throws counts as that.
enum Outcome {
    /// It returned without ending the job: there was nothing to write.
    case returned(findings: Int)
    /// It returned, having ended the job itself.
    case finished
    case failed(code: String, message: String, isFinishRequested: Bool, unexpected: (any Error)?)
    case canceled(by: String?)
    /// It was told to stop and the work is not done: another worker's turn.
    case handedBack
    /// The work can be neither finished nor undone for now.
    case postponed(Duration)
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
            self = .postponed(error.delay)
            return
        }
        switch context.cancellation.reason {
        case .requested(let person):
            self = .canceled(by: person)
        case .stopping, .leaseLost:
            self = .handedBack
        case nil:
            let finish = context.isFinishRequested
            switch error {
            case let error as JobFailure:
                self = .failed(code: error.code, message: error.message, isFinishRequested: finish, unexpected: nil)
            case let error as DatabaseError:
                self = .failed(
                    code: "database_\(error.code.rawValue)", message: error.detail, isFinishRequested: finish,
                    unexpected: error)
            case let error as JobError:
                self = .failed(
                    code: error.code.rawValue, message: error.detail, isFinishRequested: finish, unexpected: nil)
            default:
                self = .failed(
                    code: "internal",
                    message: "the work stopped at an error that wireloom did not expect (\(type(of: error))); "
                        + "the log of wireloom has it",
                    isFinishRequested: finish, unexpected: error)
            }
        }
    }

    /// The error to log where it is handled: here.
    var unexpected: (any Error)? {
        if case .failed(_, _, _, let error) = self { error } else { nil }
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
            return try endUnlessFinished(
                job, .failed(code: "internal", message: "the work returned before its result was committed"),
                queue, connection)
        case .failed(let code, let message, let isFinishRequested, _):
            let ending = JobQueue.Ending.failed(code: code, message: message)
            // The connection may have been lost during the commit, and the result be there all the same.
            if isFinishRequested { return try endUnlessFinished(job, ending, queue, connection) }
            try JobQueue.end(job, ending, in: connection)
            return .failed
        case .canceled(let person):
            let message = "canceled" + (person.map { " by \($0)" } ?? "")
            return try endUnlessFinished(job, .canceled(message: message), queue, connection)
        case .handedBack:
            return try queue.release(job, in: connection)
        case .postponed(let delay):
            return try queue.release(job, after: delay, in: connection)
        case .lost:
            throw JobError.lostLease(job.id, attempt: job.attempt)
        }
    }

    private func endUnlessFinished(
        _ job: ClaimedJob, _ ending: JobQueue.Ending, _ queue: JobQueue, _ connection: Connection
    ) throws -> JobState {
        do {
            try JobQueue.end(job, ending, in: connection)
            return if case .canceled = ending { .canceled } else { .failed }
        } catch let error as JobError where error.code == .lostLease {
            guard let row = try queue.job(job.id, in: connection), row.attempt == job.attempt,
                row.state == .succeeded || row.state == .findings
            else { throw error }
            return row.state
        }
    }
}
