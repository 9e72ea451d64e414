internal import CSpawn
internal import Foundation
internal import Glibc

/// Programs of PostgreSQL, run with nothing of ours: no descriptors but those named, no environment, no signal mask.
enum ChildProcess {
    /// A secret in our environment is no business of the server's, nor are variables that steer libpq and PostgreSQL.
    private static let environment = [
        "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "HOME=/", "TZ=UTC",
    ]

    /// Starts `command` in `/`, with `output` as its output and `inherited` as its descriptors 3, 4, …
    static func start(
        _ command: [String], input: String = "/dev/null", output: Int32, inherited: [Int32] = [],
        ownSession: Bool = false
    ) throws(EmbeddedPostgresError) -> pid_t {
        // Copied above the numbers that the child gets, so that no duplication there closes the source of the next.
        var sources: [Int32] = []
        defer { sources.forEach { close($0) } }
        for descriptor in [output] + inherited {
            let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 64)
            guard copy >= 0 else { throw failure(command, errno) }
            sources.append(copy)
        }

        var arguments = command.map { strdup($0) } + [nil]
        var variables = environment.map { strdup($0) } + [nil]
        defer {
            arguments.forEach { free($0) }
            variables.forEach { free($0) }
        }
        var process: pid_t = 0
        let result = cspawn_start(
            &process, &arguments, &variables, input, sources, Int32(sources.count), ownSession)
        guard result == 0 else { throw failure(command, result) }
        return process
    }

    /// Runs `command` to its end and answers its exit status, negative for the signal that ended it.
    static func run(
        _ command: [String], input: String = "/dev/null", output: Int32, inherited: [Int32] = []
    ) throws(EmbeddedPostgresError) -> Int32 {
        wait(for: try start(command, input: input, output: output, inherited: inherited))
    }

    /// What a short `command` prints; `nil` if it fails.
    static func output(_ command: [String]) throws(EmbeddedPostgresError) -> String? {
        var ends: [Int32] = [-1, -1]
        let made = cspawn_pipe(&ends)
        guard made == 0 else { throw failure(command, made) }
        let reader = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        let process: pid_t
        do {
            defer { close(ends[1]) }
            process = try start(command, output: ends[1])
        }
        let answer = (try? reader.readToEnd()) ?? Data()
        guard wait(for: process) == 0 else { return nil }
        return String(decoding: answer, as: UTF8.self)
    }

    /// Blocks until the child ends. Each child is waited for exactly once.
    static func wait(for process: pid_t) -> Int32 {
        var status: Int32 = 0
        while waitpid(process, &status, 0) < 0 {
            guard errno == EINTR else { return -1 }
        }
        let signal = status & 0x7f
        return signal == 0 ? (status >> 8) & 0xff : -signal
    }

    private static func failure(_ command: [String], _ number: Int32) -> EmbeddedPostgresError {
        EmbeddedPostgresError(
            code: .startFailed, detail: "could not run \(command[0]): \(String(cString: strerror(number)))")
    }
}
