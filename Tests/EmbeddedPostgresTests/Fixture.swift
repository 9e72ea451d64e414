import EmbeddedPostgres
import Foundation
import Glibc
import Logging
import Testing

/// A home of its own for one test, removed when the test is over.
final class Fixture: Sendable {
    let base: String
    let home: String

    /// - Parameters:
    ///   - name: the home below the fixture's directory, which lets everybody through.
    ///   - made: with a cluster that was made before, which saves a second of processor time.
    init(_ name: String = "home", made: Bool = false) throws {
        var pattern = Array("/tmp/wireloom-home-XXXXXX".utf8CString)
        try #require(mkdtemp(&pattern) != nil)
        base = String(decoding: pattern.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        home = base + "/" + name
        try #require(chmod(base, 0o711) == 0)
        guard made else { return }
        let source = try Self.template.get()
        try #require(run("cp", ["-a", source.home, home]).succeeded)
    }

    /// One home with a cluster, made when first needed and removed with the process.
    private static let template = Result {
        let fixture = try Fixture()
        try fixture.acquire().release()
        templateBase = fixture.base
        atexit { try? FileManager.default.removeItem(atPath: Fixture.templateBase) }
        return fixture
    }
    // Written once, before the handler that reads it is registered.
    nonisolated(unsafe) private static var templateBase = ""

    deinit {
        if let server = server() { kill(server, SIGKILL) }
        try? FileManager.default.removeItem(atPath: base)
    }

    var cluster: String { home + "/cluster" }
    var data: String { cluster + "/data" }
    /// PostgreSQL's lock file of its socket.
    var socketLock: String { cluster + "/run/.s.PGSQL.5432.lock" }

    /// A lease on a server that need not survive the machine.
    func acquire(binaries: [String]? = nil) throws -> ClusterLease {
        try EmbeddedCluster.acquire(
            home: home, settings: ["fsync": "off", "shared_buffers": "16MB"], binaries: binaries,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// The running server's process, by the file it keeps.
    func server() -> pid_t? {
        guard let text = try? String(contentsOfFile: data + "/postmaster.pid", encoding: .utf8) else { return nil }
        guard let process = text.split(separator: "\n").first.flatMap({ pid_t($0) }) else { return nil }
        return kill(process, 0) == 0 ? process : nil
    }

    /// A directory of programs `postgres` and `initdb` that say what a test wants.
    func programs(version: String, initdb: String = "exit 0") throws -> String {
        let directory = base + "/bin-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (name, body) in [("postgres", "echo 'postgres (PostgreSQL) \(version)'"), ("initdb", initdb)] {
            try "#!/bin/sh\n\(body)\n".write(toFile: "\(directory)/\(name)", atomically: true, encoding: .utf8)
            try #require(chmod("\(directory)/\(name)", 0o755) == 0)
        }
        return directory
    }

    /// The code and sentence of the error that an acquisition ends with.
    func refusal(binaries: [String]? = nil) -> EmbeddedPostgresError? {
        do {
            try acquire(binaries: binaries).release()
            return nil
        } catch {
            return error as? EmbeddedPostgresError
        }
    }
}

/// Runs a program to its end; what it printed, with its errors, and whether it was content.
@discardableResult
func run(_ program: String, _ arguments: [String]) throws -> (output: String, succeeded: Bool) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [program] + arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    try process.run()
    let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    return (output.trimmingCharacters(in: .whitespacesAndNewlines), process.terminationStatus == 0)
}

/// The answer of one statement.
func query(_ lease: ClusterLease, _ statement: String) throws -> String {
    let answer = try run("psql", ["-XAtq", "-v", "ON_ERROR_STOP=1", "-d", lease.databaseURI, "-c", statement])
    #expect(answer.succeeded, "\(answer.output)")
    return answer.output
}

/// Kills a process as hard as possible and waits until the system has let go of all it held.
func killHard(_ process: pid_t) {
    kill(process, SIGKILL)
    while let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
        !status.contains(") Z")
    {
        usleep(1_000)
    }
}

/// Waits until a process id means nothing any more.
func waitUntilGone(_ process: pid_t) {
    let deadline = ContinuousClock.now + .seconds(60)
    while kill(process, 0) == 0, ContinuousClock.now < deadline { usleep(1_000) }
    #expect(kill(process, 0) != 0)
}
