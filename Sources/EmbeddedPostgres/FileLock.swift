internal import Foundation
internal import Glibc

/// A lock on a file by `flock(2)`, released at the latest when the process ends, however it ends.
///
/// Locks belong to the open file, not to the process: two locks in one process exclude each other too, and a child
/// that inherits the descriptor shares the lock.
final class FileLock: Sendable {
    /// Closed on exec; closed on deinit, which does not release the lock of a child that inherited it.
    let descriptor: Int32

    private init(opening path: String) throws(EmbeddedPostgresError) {
        descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw .unwritable("the lock file \(path)", errno) }
    }

    deinit {
        close(descriptor)
    }

    /// Takes the lock alone, waiting for others up to `patience`.
    static func exclusive(_ path: String, patience: Duration) throws(EmbeddedPostgresError) -> FileLock {
        let lock = try FileLock(opening: path)
        let deadline = ContinuousClock.now + patience
        while !lock.attempt(LOCK_EX) {
            guard ContinuousClock.now < deadline else {
                throw EmbeddedPostgresError(
                    code: .busy,
                    detail: "another command has been starting or stopping the private PostgreSQL for "
                        + "\(patience.components.seconds) s (it holds \(path)); try again")
            }
            usleep(5_000)
        }
        return lock
    }

    /// Takes the lock alone if nobody has it.
    static func exclusiveIfFree(_ path: String) throws(EmbeddedPostgresError) -> FileLock? {
        let lock = try FileLock(opening: path)
        return lock.attempt(LOCK_EX) ? lock : nil
    }

    /// Takes the lock together with other sharers. The caller sees to it that nobody holds it alone.
    static func shared(_ path: String) throws(EmbeddedPostgresError) -> FileLock {
        let lock = try FileLock(opening: path)
        guard lock.attempt(LOCK_SH) else {
            throw EmbeddedPostgresError(
                code: .busy, detail: "another program holds the lock file \(path) alone; stop it and try again")
        }
        return lock
    }

    /// Turns a shared lock into one held alone; false if others share it, and then this lock may be gone too.
    func becomeExclusive() -> Bool {
        attempt(LOCK_EX)
    }

    /// Releases the lock, for children that inherited it too.
    func unlock() {
        _ = attempt(LOCK_UN)
    }

    private func attempt(_ operation: Int32) -> Bool {
        while flock(descriptor, operation | LOCK_NB) != 0 {
            guard errno == EINTR else { return false }
        }
        return true
    }
}
