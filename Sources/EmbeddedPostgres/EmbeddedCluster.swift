internal import Foundation
package import Logging

/// The private PostgreSQL of an installation without a database URL: created, started, shared and stopped on demand.
///
/// Everything is under one directory, the home:
///
///     HOME/cluster/data        the data directory, with the server's own logs in `log/`
///     HOME/cluster/run         the directory of the Unix socket
///     HOME/cluster/setup.log   what initdb and the last start printed
///     HOME/cluster/*.lock      see below
///
/// Three lock files, all by `flock(2)`, so that the kernel lets go of them however a process dies:
///
/// - `start.lock`, exclusive: held while deciding, creating, starting and stopping. One process at a time does any of it.
/// - `users.lock`, shared: held by every lease. Who can take it exclusively is the last one.
/// - `server.lock`, exclusive: inherited by the server and its children, and by nothing else. It is held exactly as
///   long as one process of that server lives, which no process id in a file can say (ids are reused, a zombie still
///   has one, and another container counts its own).
///
/// A data directory is made beside its final place and renamed, so one that exists is complete. If the last user is
/// killed with SIGKILL, the server stays up; the next command finds it, uses it and stops it when it leaves.
/// The server is in a session of its own: Ctrl-C in a terminal does not reach it.
///
/// PostgreSQL refuses to run as root. As root, the server runs as `postgres` (or `nobody`, where there is no such
/// user) and only the socket's 0700 directory, which belongs to that user, admits anyone: root and the server's user.
package enum EmbeddedCluster {
    /// Waits for a running server of the home, or makes one, and counts the caller among its users.
    ///
    /// Blocks: 0.2 s for a start, 1-2 s for a creation, longer when the server recovers from a crash.
    /// - Parameters:
    ///   - home: the directory that holds the cluster; created (0700, as root 0711) if missing, else left as it is.
    ///   - settings: server settings that go before the cluster's own when this call has to start it. For tests.
    ///   - binaries: where to look for PostgreSQL's programs; `nil` for the usual places.
    package static func acquire(
        home: String,
        settings: [String: String] = [:],
        binaries: [String]? = nil,
        logger: Logger
    ) throws(EmbeddedPostgresError) -> ClusterLease {
        let layout = try ClusterLayout.prepare(home: home)
        let server = Server(
            layout: layout, settings: settings, places: binaries ?? ServerBinaries.usualPlaces(), logger: logger)
        let decision = try FileLock.exclusive(layout.startLock, patience: Server.patience)
        defer { decision.unlock() }
        let users = try FileLock.shared(layout.usersLock)
        let socketDirectory: String
        do {
            socketDirectory = try server.ensureRunning()
        } catch {
            users.unlock()
            throw error
        }
        return ClusterLease(server: server, users: users, socketDirectory: socketDirectory)
    }

    /// The home of this process: `WIRELOOM_HOME`, as root `/var/lib/wireloom`, else `.wireloom` in the user's home.
    package static func defaultHome(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        isRoot: Bool = geteuid() == 0
    ) -> String {
        if let home = environment["WIRELOOM_HOME"], !home.isEmpty { return home }
        if isRoot { return "/var/lib/wireloom" }
        let user = environment["HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? NSHomeDirectory()
        return user + "/.wireloom"
    }
}
