import Dispatch
import Foundation
import Locking
import Logging
import Postgres
import Support
import Testing

@testable import Jobs

/// A point where one thread waits for another. Waiting too long fails the test instead of hanging it.
final class Gate: Sendable {
    private let semaphore = DispatchSemaphore(value: 0)

    func open() { semaphore.signal() }

    func pass(_ comment: Comment = "the other side never came", location: SourceLocation = #_sourceLocation) {
        if semaphore.wait(timeout: .now() + .seconds(60)) == .timedOut {
            Issue.record(comment, sourceLocation: location)
        }
    }
}

/// Looks again until it is so. Waiting too long fails the test.
func until(
    _ what: Comment, location: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool
) throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try !condition() {
        try #require(ContinuousClock.now < deadline, "waited in vain until \(what)", sourceLocation: location)
        Thread.sleep(forTimeInterval: 0.02)
    }
}

/// A log that opens a gate when it has a certain message.
struct GatedLog: LogHandler {
    let message: String
    let gate: Gate
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.warning
    var metadataProvider: Logger.MetadataProvider?

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        if event.message.description == message { gate.open() }
    }
}

/// A fresh queue with the product's schema.
struct Fixture {
    let scratch: ScratchDatabase
    let queue: JobQueue
    var database: Database { scratch.database }

    init() throws {
        scratch = try ScratchDatabase()
        queue = JobQueue(scratch.database)
    }

    /// A second process's view of the same queue.
    func otherQueue() -> JobQueue {
        JobQueue(Database(DatabaseConfiguration(uri: scratch.uri, applicationName: "other")))
    }

    @discardableResult
    func enqueue(
        _ subject: String, kind: String = "work", payload: String = "{}", after: Duration = .zero, maxAttempts: Int = 2
    ) throws -> JobID {
        try database.transaction {
            try queue.enqueue(
                kind: kind, subject: subject, label: "label of \(subject)", payload: JSON(text: payload), after: after,
                maxAttempts: maxAttempts, in: $0
            ).id
        }
    }

    func claim(_ worker: String = "w", kinds: [String] = ["work"], lease: Duration = .seconds(300)) throws -> ClaimedJob
    {
        try #require(try queue.claim(kinds: kinds, worker: worker, lease: lease))
    }

    func finish(_ job: ClaimedJob) throws {
        try database.transaction { try JobQueue.end(job, .done(findings: 0), in: $0) }
    }

    func row(_ id: JobID) throws -> JobRow {
        try #require(try queue.job(id))
    }

    /// Lets a job's lease run out, as if its worker had been silent for long.
    func expire(_ id: JobID) throws {
        try database.withConnection {
            _ = try $0.execute(
                "UPDATE job SET lease_until = now() - interval '1 second' WHERE id = $1::bigint AND state = 'running'",
                id.value)
        }
    }

    func count(_ sql: String) throws -> Int {
        try database.withConnection { try $0.query(sql).first.map { try $0.get(0) } ?? 0 }
    }

    func execute(_ sql: String) throws {
        try database.withConnection { try $0.script(sql) }
    }

    /// Ends the database's sessions and lets nobody in, or lets all in again; from a database beside it.
    func shut(_ shut: Bool) throws {
        let beside = Database(
            DatabaseConfiguration(uri: scratch.uri.replacingOccurrences(of: scratch.name, with: "postgres")))
        defer { beside.close() }
        try beside.withConnection { try $0.script("ALTER DATABASE \(scratch.name) ALLOW_CONNECTIONS \(!shut)") }
        if shut { try scratch.terminateSessions() }
    }

    func configuration(worker: String = "w", width: Int = 2, poll: Duration = .seconds(3600)) -> Runner.Configuration {
        var configuration = Runner.Configuration(worker: worker, width: width)
        configuration.poll = poll
        configuration.logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        return configuration
    }
}

/// A handler made of a closure.
struct Handler: JobHandler {
    let kind: String
    let body: @Sendable (JobContext) throws -> Void

    init(_ kind: String = "work", _ body: @escaping @Sendable (JobContext) throws -> Void) {
        self.kind = kind
        self.body = body
    }

    func run(_ context: JobContext) throws { try body(context) }
}

extension ClaimedJob {
    static func sample(claimedAt: ContinuousClock.Instant, lease: Duration) -> ClaimedJob {
        ClaimedJob(
            id: JobID(1), kind: "work", subject: "s", label: "s", payload: JSON(text: "{}"), attempt: 1, worker: "w",
            lease: lease, claimedAt: claimedAt)
    }
}

/// Runs `body` on as many threads at once and rethrows the first error.
func concurrently(_ count: Int, _ body: @escaping @Sendable (Int) throws -> Void) throws {
    let errors = Mutex<[any Error]>([])
    let group = DispatchGroup()
    for index in 0..<count {
        DispatchQueue(label: "test-\(index)").async(group: group) {
            do { try body(index) } catch { errors.withLock { $0.append(error) } }
        }
    }
    group.wait()
    if let error = errors.withLock({ $0.first }) { throw error }
}
