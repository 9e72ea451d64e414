import Foundation
import Support
import Testing

/// The built `wireloom`, run as a person would, on a database of its own.
struct CommandLineTool: Sendable {
    struct Result {
        let status: Int32
        let output: String
        let errors: String
    }

    /// `nil`: the private PostgreSQL that wireloom makes for itself in its home.
    let scratch: ScratchDatabase?
    let home: String

    init() throws {
        try self.init(scratch: ScratchDatabase(migrated: false))
    }

    /// - Parameter home: an existing one, which holds the key; `nil`: one of its own.
    init(scratch: ScratchDatabase?, home: String? = nil) throws {
        self.scratch = scratch
        self.home = home ?? Self.newHome()
        try FileManager.default.createDirectory(
            atPath: self.home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    /// The path of a home that does not exist yet.
    static func newHome() -> String { NSTemporaryDirectory() + "wireloom-home-" + UUID().uuidString }

    /// Beside the test bundle, where the build puts it.
    static let program: String = {
        if let given = ProcessInfo.processInfo.environment["WIRELOOM_BINARY"] { return given }
        return BuiltProgram.url("wireloom").path
    }()

    func start(_ arguments: [String], input: String = "", environment: [String: String] = [:]) throws -> Running {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: Self.program)
        process.arguments = arguments
        var variables = ProcessInfo.processInfo.environment
        variables["WIRELOOM_DATABASE_URL"] = scratch?.uri
        variables["WIRELOOM_HOME"] = home
        variables["WIRELOOM_KEY_FILE"] = nil
        variables["COLUMNS"] = "80"
        variables.merge(environment) { $1 }
        process.environment = variables
        return try Running(process, input: input)
    }

    @discardableResult
    func run(_ arguments: String..., input: String = "", environment: [String: String] = [:]) throws -> Result {
        try start(arguments, input: input, environment: environment).finish()
    }

    func json(_ arguments: String...) throws -> [[String: Any]] {
        let result = try start(arguments + ["-o", "json"]).finish()
        return try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]] ?? []
    }

    func add(_ vcenter: SimulatedVCenter, as name: String, site: String? = nil, _ more: String...) throws -> Result {
        try startAdding(vcenter, as: name, (site.map { ["--site", $0] } ?? []) + more).finish()
    }

    func startAdding(_ vcenter: SimulatedVCenter, as name: String, _ more: [String] = []) throws -> Running {
        try start(
            [
                "account", "add", name, "--url", vcenter.url, "--username", vcenter.username, "--password-stdin",
                "--thumbprint", vcenter.thumbprint,
            ] + more, input: vcenter.password + "\n")
    }

    final class Running {
        let process: Process
        private let output: URL
        private let errors: URL
        private let ended = DispatchSemaphore(value: 0)

        /// What it said on standard error until now.
        var errorsSoFar: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

        init(_ process: Process, input: String) throws {
            self.process = process
            let stem = NSTemporaryDirectory() + "wireloom-run-" + UUID().uuidString
            output = URL(fileURLWithPath: stem + ".out")
            errors = URL(fileURLWithPath: stem + ".err")
            for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
            process.standardOutput = try FileHandle(forWritingTo: output)
            process.standardError = try FileHandle(forWritingTo: errors)
            let pipe = Pipe()
            process.standardInput = pipe
            process.terminationHandler = { [ended] _ in ended.signal() }
            try process.run()
            try pipe.fileHandleForWriting.write(contentsOf: Data(input.utf8))
            try pipe.fileHandleForWriting.close()
        }

        func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

        /// Waits for its end. A process that does not end is killed, and fails the test.
        func finish() throws -> Result {
            // Not waitUntilExit: Thread Sanitizer's runtime does not survive the run loops of many short threads.
            if ended.wait(timeout: .now() + .seconds(180)) == .timedOut {
                Issue.record("wireloom \((process.arguments ?? []).joined(separator: " ")) did not end")
                send(SIGKILL)
                ended.wait()
            }
            ended.signal()
            while process.isRunning { Thread.sleep(forTimeInterval: 0.001) }
            defer { for file in [output, errors] { try? FileManager.default.removeItem(at: file) } }
            return Result(
                status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
                output: try String(contentsOf: output, encoding: .utf8),
                errors: try String(contentsOf: errors, encoding: .utf8))
        }
    }
}
