import ArgumentParser
import Controller
import Dispatch
import EmbeddedPostgres
import Foundation
import IPAM
import Inventory
import Jobs
import Locking
import Logging
import Postgres
import SQL

/// The options that every command has: where the database is and how much to say.
struct GlobalOptions: ParsableArguments {
    @Option(help: "A libpq URI; default WIRELOOM_DATABASE_URL, else a private PostgreSQL under WIRELOOM_HOME.")
    var databaseURL: String?

    @Flag(name: .shortAndLong, help: "Say more on standard error.")
    var verbose = false
}

/// What a command runs with: the database, migrated, and the key of the secrets.
final class Runtime: Sendable {
    let database: Database
    let secrets: SecretBox
    private let lease: ClusterLease?

    var queue: JobQueue { JobQueue(database) }
    var accounts: AccountService { AccountService(database: database, secrets: secrets, actor: Self.actor) }
    func networks(rehearses: Bool = false) -> NetworkService {
        NetworkService(database: database, actor: Self.actor, rehearses: rehearses)
    }
    var machines: VMService { VMService(database: database, secrets: secrets, actor: Self.actor) }
    var machineHandlers: [any JobHandler] { VMHandlers(database: database, secrets: secrets).all }
    var allocator: Allocator { Allocator(database: database, actor: Self.actor) }

    /// - Throws: what stands in the way of the database or the schema; what is wrong with the key, whoever needs it is told.
    private init(_ options: GlobalOptions, maxConnections: Int, server: PrivateServer) throws {
        let environment = ProcessInfo.processInfo.environment
        Self.logLevel.withLock { $0 = options.verbose ? .debug : .warning }
        _ = Self.logging
        let home = environment["WIRELOOM_HOME"].flatMap { $0.isEmpty ? nil : $0 } ?? EmbeddedCluster.defaultHome()
        let given = options.databaseURL ?? environment["WIRELOOM_DATABASE_URL"].flatMap { $0.isEmpty ? nil : $0 }
        if let given {
            lease = nil
            database = Database(
                DatabaseConfiguration(
                    uri: given, applicationName: "wireloom", maxConnections: maxConnections))
        } else {
            let lease = try server.acquire(home: home)
            self.lease = lease
            database = Database(
                DatabaseConfiguration(
                    uri: lease.databaseURI, applicationName: "wireloom", maxConnections: maxConnections))
        }
        try Migrator(
            database,
            migrations: SQLFiles.migrations.map {
                Migration(version: $0.version, name: $0.name, up: $0.up, down: $0.down)
            }
        ).migrate()
        secrets = SecretBox {
            if let file = environment["WIRELOOM_KEY_FILE"], !file.isEmpty { return try SecretBox(keyFile: file) }
            try Self.makeHome(home)
            let file = "\(home)/key"
            try SecretBox.createKeyFile(at: file)
            return try SecretBox(keyFile: file)
        }
    }

    private static let logLevel = Mutex(Logger.Level.warning)

    /// Once a process: a command may run another one.
    private static let logging: Void = LoggingSystem.bootstrap { label in
        var handler = StreamLogHandler.standardError(label: label)
        handler.logLevel = logLevel.withLock { $0 }
        return handler
    }

    /// Writes a listing; in csv, also one without rows has its header.
    func write(_ rows: [JSONValue], of listing: Listing, as format: OutputFormat) throws {
        let fields = format == .csv ? try database.withConnection { try listing.fields(in: $0) } : []
        try Output.write(rows, of: listing, as: format, fields: fields)
    }

    /// Starts the private PostgreSQL again if it died under this command; a database that was given is its owner's.
    func revive() throws {
        try lease?.revive()
    }

    /// Runs a command's work and leaves the database as others need it, whatever happens; a signal that ends the process happens too.
    static func with<T>(
        _ options: GlobalOptions, maxConnections: Int = 16, _ body: (Runtime) throws -> T
    ) throws -> T {
        let server = PrivateServer()
        return try Signals.ending(after: { server.release() }) {
            defer { server.release() }
            let runtime = try Runtime(options, maxConnections: maxConnections, server: server)
            defer { runtime.database.close() }
            return try body(runtime)
        }
    }

    private static func makeHome(_ home: String) throws {
        do {
            try FileManager.default.createDirectory(
                atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw Failure("cannot create \(home) (WIRELOOM_HOME): \(error.localizedDescription)", status: 69)
        }
    }

    /// A name for this process among the workers.
    static var workerName: String { "\(hostName):\(getpid())" }

    /// Who types the command, as the history and the audit name them: with sudo, who called it.
    static var actor: Actor {
        let environment = ProcessInfo.processInfo.environment
        let user = environment["SUDO_USER"].flatMap { $0.isEmpty ? nil : $0 } ?? NSUserName()
        return Actor(name: user.isEmpty ? "uid \(getuid())" : user, origin: "cli on \(hostName)")
    }

    private static var hostName: String {
        var buffer = [CChar](repeating: 0, count: 256)
        return gethostname(&buffer, buffer.count - 1) == 0
            ? String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "host"
    }
}

/// A command's hold on the private PostgreSQL, which a signal gives back from another thread.
private final class PrivateServer: Sendable {
    /// How long a signal waits for a start that is under way, before it leaves the server to the next command.
    private static let patience = DispatchTimeInterval.seconds(5)

    private let starting = DispatchGroup()
    private let lease = Mutex<ClusterLease?>(nil)

    func acquire(home: String) throws -> ClusterLease {
        starting.enter()
        defer { starting.leave() }
        let lease = try EmbeddedCluster.acquire(home: home, logger: Logger(label: "wireloom.postgres"))
        self.lease.withLock { $0 = lease }
        return lease
    }

    /// Safe to call twice, and without a lease.
    func release() {
        _ = starting.wait(timeout: .now() + Self.patience)
        lease.withLock { $0 }?.release()
    }
}
