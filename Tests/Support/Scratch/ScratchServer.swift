import Foundation
import Locking
import Postgres

/// The private PostgreSQL of this test process: in a temporary directory, on a Unix socket alone, started when the
/// first test asks.
///
/// It gives up durability for speed. A shell beside it, in a session of its own, waits for the end of a pipe that only
/// this process holds: however this process ends, the shell stops the server and removes the directory.
package final class ScratchServer: Sendable {
    /// The one of this process.
    package static var shared: ScratchServer {
        get throws { try start.get() }
    }

    private static let start = Result { try ScratchServer() }

    /// The directory of the socket, the data and the log.
    package let directory: String
    /// The writing end of the watcher's pipe; open as long as this process lives.
    private let lifeline: Int32
    private let templates = Mutex<[String: String]>([:])
    private let counter = Mutex(0)

    package init() throws {
        let programs = try Self.programs()
        var template = Array("\(Self.place())/wireloom-scratch-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw ScratchError("no temporary directory: errno \(errno)") }
        let directory = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        self.directory = directory
        // The server's user must reach its data and every client the socket.
        chmod(directory, 0o755)

        // PostgreSQL refuses to run as root.
        let asServer =
            geteuid() == 0
            ? "setpriv --reuid=postgres --regid=postgres --clear-groups --reset-env" : ""
        if geteuid() == 0 {
            guard let user = getpwnam("postgres") else { throw ScratchError("there is no user postgres to run as") }
            chown(directory, user.pointee.pw_uid, user.pointee.pw_gid)
        }
        let settings = [
            "fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off", "listen_addresses=",
            "unix_socket_directories=\(directory)", "max_connections=200", "shared_buffers=64MB",
            "max_wal_senders=0", "wal_level=minimal", "jit=off", "log_min_messages=fatal",
        ]
        let script = """
            trap '' INT TERM HUP
            cd "$1" || exit 1
            \(asServer) "$2/initdb" -D "$1/data" -U wireloom --auth=trust --encoding=UTF8 --locale=C --no-sync \
                >"$1/log" 2>&1 || { echo failed >"$1/state"; cat >/dev/null; rm -rf "$1"; exit 1; }
            \(asServer) "$2/postgres" -D "$1/data" \(settings.map { "-c '\($0)'" }.joined(separator: " ")) \
                >>"$1/log" 2>&1 </dev/null &
            server=$!
            cat >/dev/null
            kill -QUIT $server
            wait $server
            rm -rf "$1"
            """
        lifeline = try Self.launch(["/bin/sh", "-c", script, "wireloom-scratch", directory, programs])
        try waitUntilReady()
    }

    /// A second server does not live as long as the process: when nobody holds it, it goes.
    deinit { close(lifeline) }

    /// A libpq URI of a database of this server.
    package func uri(_ database: String) -> String {
        let host = directory.replacingOccurrences(of: "/", with: "%2F")
        return "postgresql://wireloom@\(host)/\(database)"
    }

    /// Ends every session of a database, and returns when they have ended.
    package func terminateBackends(of database: String) throws {
        let connection = try administrator()
        defer { connection.close() }
        _ = try connection.query(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = $1::name", database)
    }

    /// A database copied from the template that `prepare` fills, once for each `key` in this process.
    func create(template key: String?, prepare: (Database) throws -> Void) throws -> String {
        try copy(try key.map { try self.template($0, prepare) } ?? "template0")
    }

    /// A database copied from one that nobody is connected to.
    func copy(_ template: String) throws -> String {
        let number = counter.withLock { count in
            count += 1
            return count
        }
        let connection = try administrator()
        defer { connection.close() }
        try connection.script("CREATE DATABASE scratch_\(number) TEMPLATE \(template)")
        return "scratch_\(number)"
    }

    func drop(_ database: String) throws {
        let connection = try administrator()
        defer { connection.close() }
        try connection.script("DROP DATABASE IF EXISTS \(database) WITH (FORCE)")
    }

    private func template(_ key: String, _ prepare: (Database) throws -> Void) throws -> String {
        // Under the lock, so that tests that start together make it once.
        try templates.withLock { templates in
            if let name = templates[key] { return name }
            let name = "template_\(templates.count)_\(key)"
            let connection = try administrator()
            defer { connection.close() }
            try connection.script("CREATE DATABASE \(name) TEMPLATE template0")
            let database = Database(DatabaseConfiguration(uri: uri(name)))
            defer { database.close() }
            try prepare(database)
            templates[key] = name
            return name
        }
    }

    private func administrator() throws -> Connection {
        try Database(DatabaseConfiguration(uri: uri("postgres"))).connect()
    }

    private func waitUntilReady() throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while true {
            do {
                return try administrator().close()
            } catch {
                let failed = access("\(directory)/state", F_OK) == 0
                guard !failed, ContinuousClock.now < deadline else {
                    let log = (try? String(contentsOfFile: "\(directory)/log", encoding: .utf8)) ?? ""
                    throw ScratchError("the test's PostgreSQL did not start: \(error)\n\(log.suffix(2000))")
                }
                // Readiness of another process can only be polled.
                usleep(10_000)
            }
        }
    }
}

/// Why there is no scratch server or database.
package struct ScratchError: Error, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}
