package import Postgres

/// How long one who follows jobs puts up with a database that is away: a restart of the server ends no wait.
package struct Patience {
    private let limit: Duration
    private var lastGood: ContinuousClock.Instant
    private var isAway = false

    /// - Parameter limit: How long the database may be away, counted from the last time it answered.
    package init(_ limit: Duration, from now: ContinuousClock.Instant = .now) {
        self.limit = limit
        lastGood = now
    }

    /// What `look` finds; `nil` where the database is away and may soon be back. Throws what `look` throws once that has gone on for
    /// too long, and at once what waiting does not cure.
    ///
    /// - Parameter away: Told the error with which an absence begins.
    package mutating func bear<T>(
        now: () -> ContinuousClock.Instant = { .now }, away: (DatabaseError) -> Void = { _ in }, _ look: () throws -> T
    ) throws -> T? {
        do {
            let found = try look()
            lastGood = now()
            isAway = false
            return found
        } catch let error as DatabaseError where error.mayPass && now() < lastGood + limit {
            if !isAway { away(error) }
            isAway = true
            return nil
        }
    }
}

extension DatabaseError {
    /// Whether the same statement may well succeed a moment later.
    package var mayPass: Bool {
        switch code {
        case .unavailable, .retryable, .readOnly, .full, .timeout: true
        default: false
        }
    }
}
