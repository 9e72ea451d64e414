import Dispatch
import Foundation

/// Runs on a thread of its own, and tells what came of it.
final class Beside<T: Sendable>: @unchecked Sendable {
    // `@unchecked Sendable`: written before `done` is signaled, and read after it was waited for.
    private var outcome: Result<T, any Error>?
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> T) {
        Thread.detachNewThread { [self] in
            outcome = Result { try body() }
            done.signal()
        }
    }

    func result() throws -> T? {
        done.wait()
        return try outcome?.get()
    }
}
