internal import Foundation
internal import Synchronization

/// One user's claim on the private server: while any lease lives, in any process, the server stays up.
package final class ClusterLease: Sendable {
    /// A libpq URI of the cluster's database, over its Unix socket.
    package let databaseURI: String
    /// The directory of the Unix socket, as libpq's `host`.
    package let socketDirectory: String

    private let server: Server
    /// The shared lock on the users file; `nil` once released.
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

    /// Starts the server again if it died under this lease, else does nothing. Blocks like an acquisition.
    ///
    /// The URI stays good: a restarted server listens on the same socket.
    package func revive() throws(EmbeddedPostgresError) {
        let decision = try FileLock.exclusive(server.layout.startLock, patience: Server.patience)
        defer { decision.unlock() }
        _ = try server.ensureRunning()
    }

    /// Gives the claim back and, as the last user of all processes, stops the server. Safe to call twice.
    package func release() {
        guard let users = users.withLock({ lock in lock.take() }) else { return }
        // Without the decision lock nobody may stop the server: the next command takes it over.
        guard let decision = try? FileLock.exclusive(server.layout.startLock, patience: Server.patience) else {
            users.unlock()
            return
        }
        defer { decision.unlock() }
        let isLast = users.becomeExclusive()
        if isLast { server.stop() }
        users.unlock()
    }

    static func uri(socketDirectory: String) -> String {
        let unreserved = CharacterSet(
            charactersIn: "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
        let host = socketDirectory.addingPercentEncoding(withAllowedCharacters: unreserved) ?? socketDirectory
        return "postgresql:///\(ServerSettings.database)?host=\(host)&port=\(ServerSettings.port)"
            + "&user=\(ServerSettings.superuser)"
    }
}
