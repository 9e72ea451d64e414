internal import Foundation
internal import Locking

/// One user's claim on the private server: while any lease lives, in any process, the server stays up.
package final class ClusterLease: Sendable {
    /// A libpq URI of the cluster's database, over its Unix socket.
    package let databaseURI: String
    /// The directory of the Unix socket, as libpq's `host`.
    package let socketDirectory: String

    private let server: Server
    /// The shared lock on the users file; `nil` once released. Changes only under the decision lock, except where that cannot be
    /// had.
    private let users: Mutex<FileLock?>

    init(server: Server, users: FileLock, socketDirectory: String) {
        self.server = server
        self.users = Mutex(users)
        self.socketDirectory = socketDirectory
        self.databaseURI = Self.uri(socketDirectory: socketDirectory)
    }

    deinit {
        release()
    }

    /// Starts the server again if it died under this lease, else does nothing; nothing either once the lease is released. Blocks
    /// like an acquisition.
    ///
    /// The URI stays good: a restarted server listens on the same socket.
    package func revive() throws(EmbeddedPostgresError) {
        let decision = try FileLock.exclusive(server.layout.startLock, patience: Server.patience)
        defer { decision.unlock() }
        // Whoever gave the lease back while this waited has stopped the server; one started now would have no user to stop it.
        guard users.withLock({ $0 != nil }) else { return }
        _ = try server.ensureRunning()
    }

    /// Gives the claim back and, as the last user of all processes, stops the server. Safe to call twice, and from two threads:
    /// both return when the server has stopped.
    package func release() {
        guard users.withLock({ $0 != nil }) else { return }
        // Without the decision lock nobody may stop the server: the next command takes it over.
        guard let decision = try? FileLock.exclusive(server.layout.startLock, patience: Server.patience) else {
            users.withLock { $0.take() }?.unlock()
            return
        }
        defer { decision.unlock() }
        guard let lock = users.withLock({ $0 }) else { return }
        let isLast = lock.becomeExclusive()
        if isLast { server.stop() }
        lock.unlock()
        // Last, so that a second caller does not take it for done before it is.
        users.withLock { $0 = nil }
    }

    static func uri(socketDirectory: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        let host = socketDirectory.addingPercentEncoding(withAllowedCharacters: unreserved) ?? socketDirectory
        return "postgresql:///\(ServerSettings.database)?host=\(host)&port=\(ServerSettings.port)"
            + "&user=\(ServerSettings.superuser)"
    }
}
