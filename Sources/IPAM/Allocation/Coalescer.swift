internal import Dispatch
internal import Foundation
internal import Locking

/// Serves together those who ask for the same kind of thing at the same time.
///
/// Who comes alone is served at once. Who comes while others are being served waits until that is done, and is served
/// together with everybody who came meanwhile: by one of themselves, on whose thread that runs. So the busier it is, the
/// more share what a single service costs.
///
/// ```text
///           nobody is served              the turn comes
///   asks ----------------------> serves <---------------- waits
///                                  |                         |
///                                  +------ for all ------> served
/// ```
final class Coalescer<Kind: Hashable & Sendable, Request: Sendable, Answer: Sendable>: Sendable {
    private final class Caller: Sendable {
        let request: Request
        let woken = DispatchSemaphore(value: 0)
        /// `nil` where the turn came to serve.
        let outcome = Mutex<Result<Answer, any Error>?>(nil)

        init(_ request: Request) { self.request = request }
    }

    private struct Line {
        var waiting: [Caller] = []
        /// How many the last service was for.
        var last = 0
    }

    /// Of each kind that is being served.
    private let lines = Mutex<[Kind: Line]>([:])
    private let most: Int

    /// - Parameter most: so many are served at once.
    init(most: Int) { self.most = most }

    /// - Parameter serve: gives each request its answer, in their order; what it throws is thrown to each.
    func ask(_ request: Request, kind: Kind, serve: ([Request]) throws -> [Answer]) throws -> Answer {
        let caller = Caller(request)
        let waits = lines.withLock { lines in
            if lines[kind] != nil {
                lines[kind]?.waiting.append(caller)
                return true
            }
            lines[kind] = Line()
            return false
        }
        if waits {
            caller.woken.wait()
            if let outcome = caller.outcome.withLock({ $0 }) { return try outcome.get() }
            letThemReturn(kind)
        }

        let others = lines.withLock { lines in
            let others = lines[kind].map { Array($0.waiting.prefix(most - 1)) } ?? []
            lines[kind]?.waiting.removeFirst(others.count)
            lines[kind]?.last = others.count + 1
            return others
        }
        let outcome = Result { try serve([request] + others.map(\.request)) }
        for (index, other) in others.enumerated() {
            other.outcome.withLock { $0 = outcome.map { $0[index + 1] } }
            other.woken.signal()
        }
        let next = lines.withLock { lines -> Caller? in
            guard lines[kind]?.waiting.isEmpty == false else {
                lines[kind] = nil
                return nil
            }
            return lines[kind]?.waiting.removeFirst()
        }
        next?.woken.signal()
        return try outcome.get()[0]
    }

    /// How many wait to be served.
    func waiting(for kind: Kind) -> Int { lines.withLock { $0[kind]?.waiting.count ?? 0 } }

    /// Those just served mostly ask again at once. A moment for that, where it makes one service of two.
    private func letThemReturn(_ kind: Kind) {
        for _ in 0..<4 {
            let isWorthwhile = lines.withLock { lines in
                lines[kind].map { $0.last > 4 && $0.waiting.count < $0.last / 2 } ?? false
            }
            guard isWorthwhile else { return }
            Thread.sleep(forTimeInterval: 50e-6)
        }
    }
}
