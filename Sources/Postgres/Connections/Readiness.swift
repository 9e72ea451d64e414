#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Waiting for a descriptor with a deadline.
enum Readiness {
    /// - Parameter wake: a second descriptor, whose being readable ends the wait too.
    /// - Returns: `false` when the deadline passed first.
    static func wait(
        _ descriptor: Int32, for events: Int16, orWake wake: Int32? = nil, until deadline: ContinuousClock.Instant
    ) throws -> Bool {
        var watched = [pollfd(fd: descriptor, events: events, revents: 0)]
        if let wake { watched.append(pollfd(fd: wake, events: Int16(POLLIN), revents: 0)) }
        while true {
            let left = max(Duration.zero, ContinuousClock.now.duration(to: deadline))
            // Rounded up, so that the wait is not cut into a busy loop in its last millisecond.
            let milliseconds = min(Int64(Int32.max), (left.wholeMicroseconds + 999) / 1000)
            let count = poll(&watched, nfds_t(watched.count), Int32(milliseconds))
            if count > 0 { return true }
            if count == 0, milliseconds < Int64(Int32.max) { return false }
            if count < 0, errno != EINTR {
                throw DatabaseError(.bug, "waiting for the database's socket failed (errno \(errno))")
            }
        }
    }
}

/// Blocks the calling thread.
func pause(_ duration: Duration) {
    let (seconds, attoseconds) = duration.components
    var left = timespec(tv_sec: Int(seconds), tv_nsec: Int(attoseconds / 1_000_000_000))
    var rest = timespec()
    while nanosleep(&left, &rest) != 0, errno == EINTR { left = rest }
}
