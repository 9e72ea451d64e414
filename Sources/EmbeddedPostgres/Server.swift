internal import Foundation
internal import Glibc
internal import Logging

/// The server of one cluster. Every function here is called under the cluster's start lock.
final class Server: Sendable {
    /// How long a command waits for others that start or stop the server.
    static let patience = Duration.seconds(120)
    /// How long a start may take; after a crash the server first replays its log.
    private static let recovery = Duration.seconds(600)
    /// How long remains of a dead server may take to leave by themselves.
    private static let remains = Duration.seconds(5)

    let layout: ClusterLayout
    private let settings: [String: String]
    private let places: [String]
    private let logger: Logger

    init(layout: ClusterLayout, settings: [String: String], places: [String], logger: Logger) {
        self.layout = layout
        self.settings = settings
        self.places = places
        self.logger = logger
    }

    /// Finds the server running or starts it, making the cluster first if there is none; answers the socket directory.
    func ensureRunning() throws(EmbeddedPostgresError) -> String {
        let begin = ContinuousClock.now
        while true {
            if let lock = try FileLock.exclusiveIfFree(layout.serverLock) { return try start(lock: lock) }
            // A process of the server lives: it serves, starts (its starter was killed), stops, or is an orphan.
            let file = PostmasterFile.read(layout.postmasterFile)
            if let file, file.status == .ready, ServerProcess.answers(on: file.socketDirectory) {
                return file.socketDirectory
            }
            let waited = ContinuousClock.now - begin
            let alive = file.map { ServerProcess.isAlive($0.process, marker: layout.marker()) } ?? false
            if waited > Self.remains, !alive { ServerProcess.killAll(marker: layout.marker()) }
            if waited > Self.remains, alive, let file, file.status == .ready {
                throw EmbeddedPostgresError(
                    code: .startFailed,
                    detail:
                        "the private PostgreSQL (process \(file.process)) runs, but nobody answers on its socket in "
                        + "\(file.socketDirectory); stop it with kill -INT \(file.process) and try again")
            }
            guard waited < Self.patience else {
                throw EmbeddedPostgresError(
                    code: .busy,
                    detail: "the private PostgreSQL in \(layout.data) has been starting or stopping for "
                        + "\(Self.patience.components.seconds) s; its log is in \(layout.data)/log; try again")
            }
            usleep(10_000)
        }
    }

    /// Stops the server: open transactions are rolled back, everything is written. Immediate if that takes too long.
    func stop() {
        guard let file = PostmasterFile.read(layout.postmasterFile),
            ServerProcess.isAlive(file.process, marker: layout.marker())
        else { return }
        for (signal, patience) in [(SIGINT, Duration.seconds(60)), (SIGQUIT, .seconds(10))] {
            guard kill(file.process, signal) == 0 || errno == ESRCH else { break }
            let deadline = ContinuousClock.now + patience
            while ContinuousClock.now < deadline {
                if (try? FileLock.exclusiveIfFree(layout.serverLock)) != nil {
                    layout.removeSocketDirectory(file.socketDirectory)
                    logger.debug("stopped the private PostgreSQL", metadata: ["directory": "\(layout.data)"])
                    return
                }
                usleep(5_000)
            }
        }
        logger.warning(
            "the private PostgreSQL did not stop",
            metadata: ["directory": "\(layout.data)", "process": "\(file.process)"])
    }

    /// Starts the server, which inherits `lock`, and waits until it accepts connections.
    private func start(lock: FileLock) throws(EmbeddedPostgresError) -> String {
        let log = try SetupLog(layout: layout)
        if !layout.hasData {
            logger.info("creating the private PostgreSQL", metadata: ["directory": "\(layout.data)"])
            try ClusterCreation(layout: layout, places: places, log: log).run()
        }
        let account = try ServerAccount.choose(dataDirectory: layout.data)
        let binaries = try ServerBinaries.find(in: places, dataVersion: layout.dataVersion(), data: layout.data)
        try removeStalePostmasterFile()
        let data = try DirectoryHandle(layout.data, for: account)
        let socketDirectory = layout.socketDirectory(reachable: data.isReachable)
        try layout.prepareSocketDirectory(socketDirectory, owner: account)
        // As with the postmaster's file: PostgreSQL trusts the process id in it, and gives up on an empty one. The directory is
        // the server's alone, and no server lives.
        let socketLock = "\(socketDirectory)/.s.PGSQL.\(ServerSettings.port).lock"
        guard unlink(socketLock) == 0 || errno == ENOENT else { throw .unwritable(socketLock, errno) }

        var command = [binaries.postgres, "-D", data.pathInChild(after: 1)]
        for setting in ServerSettings.arguments(socketDirectory: socketDirectory, marker: layout.marker()) {
            command += ["-c", "\(setting.name)=\(setting.value)"]
        }
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) { command += ["-c", "\(name)=\(value)"] }
        let process = try ChildProcess.start(
            try account.command(command), output: log.descriptor, inherited: [lock.descriptor] + data.inherited,
            ownSession: true)
        try awaitReady(process, log: log)
        // Its end is of no interest, but somebody has to collect it while we live.
        Thread.detachNewThread { _ = ChildProcess.wait(for: process) }
        logger.debug(
            "started the private PostgreSQL",
            metadata: ["directory": "\(layout.data)", "process": "\(process)", "user": "\(userName(account.user))"])
        return socketDirectory
    }

    private func awaitReady(_ process: pid_t, log: SetupLog) throws(EmbeddedPostgresError) {
        let begin = ContinuousClock.now
        var announced = false
        while true {
            var status: Int32 = 0
            if waitpid(process, &status, WNOHANG) == process {
                throw .step(
                    .startFailed, "the private PostgreSQL in \(layout.data) did not start", said: log.complaint())
            }
            if let file = PostmasterFile.read(layout.postmasterFile), file.process == process, file.status == .ready,
                ServerProcess.answers(on: file.socketDirectory)
            {
                return
            }
            let waited = ContinuousClock.now - begin
            if !announced, waited > .seconds(3) {
                announced = true
                logger.notice(
                    "the private PostgreSQL is recovering from a crash", metadata: ["directory": "\(layout.data)"])
            }
            guard waited < Self.recovery else {
                kill(process, SIGQUIT)
                _ = ChildProcess.wait(for: process)
                throw EmbeddedPostgresError(
                    code: .busy,
                    detail: "the private PostgreSQL in \(layout.data) was not ready after "
                        + "\(Self.recovery.components.seconds) s: \(log.complaint())")
            }
            usleep(5_000)
        }
    }

    /// Removes the file of a server that was killed: PostgreSQL itself refuses to start when the process id in it was
    /// given to another process. The server lock is ours, so no server of ours lives; what a person started by hand
    /// is recognised by its working directory, and PostgreSQL's shared memory guards the data besides.
    private func removeStalePostmasterFile() throws(EmbeddedPostgresError) {
        guard access(layout.postmasterFile, F_OK) == 0 else { return }
        if let file = PostmasterFile.read(layout.postmasterFile),
            ServerProcess.works(file.process, in: layout.data)
        {
            throw EmbeddedPostgresError(
                code: .busy,
                detail: "a PostgreSQL that was started by hand (process \(file.process)) uses \(layout.data); stop it "
                    + "and try again")
        }
        guard unlink(layout.postmasterFile) == 0 || errno == ENOENT else {
            throw .unwritable(layout.postmasterFile, errno)
        }
    }
}
