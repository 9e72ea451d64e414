internal import Foundation
internal import Glibc

/// A directory as the server's user names it.
///
/// A home of root's that only root may enter (`mktemp -d` makes such) hides a data directory that belongs to the
/// server's user, and its mode is not ours to change. The user gets an open descriptor then and reaches the directory
/// through `/proc/self/fd`, which asks for no rights on the parents.
struct DirectoryHandle: ~Copyable {
    private let path: String
    private let descriptor: Int32
    let isReachable: Bool

    init(_ path: String, for account: ServerAccount) throws(EmbeddedPostgresError) {
        let reachable = try account.canReach(path)
        let opened = reachable ? -1 : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard reachable || opened >= 0 else { throw .unwritable("the directory \(path)", errno) }
        self.path = path
        descriptor = opened
        isReachable = reachable
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// What the child must inherit.
    var inherited: [Int32] { isReachable ? [] : [descriptor] }

    /// The directory's name in a child that inherits `count` descriptors before this one.
    func pathInChild(after count: Int = 0) -> String {
        isReachable ? path : "/proc/self/fd/\(3 + count)"
    }
}
