import Locking

/// What several threads came to.
final class Outcomes: Sendable {
    private let results = Mutex<[Result<Void, any Error>]>([])

    func add(_ body: () throws -> Void) {
        let result = Result { try body() }
        results.withLock { $0.append(result) }
    }

    var count: Int { results.withLock { $0.count } }

    var failures: [any Error] {
        results.withLock { $0.compactMap { if case .failure(let error) = $0 { error } else { nil } } }
    }
}
