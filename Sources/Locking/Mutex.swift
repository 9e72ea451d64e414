// Under Thread Sanitizer a mutex that it can see: the standard library's is locked within the library where two meet, which
// is not instrumented, so that everything it protects would be reported.
#if THREAD_SANITIZER
    internal import Glibc

    /// `@unchecked Sendable`: `value` is touched only while `handle` is locked.
    package final class Mutex<Value>: @unchecked Sendable {
        private var value: Value
        private let handle = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)

        package init(_ value: consuming sending Value) {
            self.value = value
            pthread_mutex_init(handle, nil)
        }

        deinit {
            pthread_mutex_destroy(handle)
            handle.deallocate()
        }

        package func withLock<Result, Problem: Error>(
            _ body: (inout sending Value) throws(Problem) -> sending Result
        ) throws(Problem) -> sending Result {
            pthread_mutex_lock(handle)
            defer { pthread_mutex_unlock(handle) }
            return try body(&value)
        }
    }
#else
    @_exported public import Synchronization
#endif
