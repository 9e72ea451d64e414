import Foundation

extension ScratchServer {
    /// The directory of the newest server's programs: Debian's place, what pg_config names, or the PATH.
    static func programs() throws -> String {
        let manager = FileManager.default
        func holds(_ directory: String) -> Bool {
            ["initdb", "postgres"].allSatisfy { manager.isExecutableFile(atPath: "\(directory)/\($0)") }
        }
        let debian = "/usr/lib/postgresql"
        let versions = ((try? manager.contentsOfDirectory(atPath: debian)) ?? []).compactMap(Int.init).sorted(by: >)
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let places = versions.map { "\(debian)/\($0)/bin" } + configured(in: path) + path
        guard let found = places.first(where: holds) else {
            throw ScratchError("PostgreSQL's server programs are not installed; install postgresql-15")
        }
        return found
    }

    /// Memory where there is plenty, for what is thrown away need not be written: half the time of a test run.
    static func place() -> String {
        var space = statvfs()
        let isRoomy =
            access("/dev/shm", W_OK) == 0 && statvfs("/dev/shm", &space) == 0
            && UInt64(space.f_bavail) * UInt64(space.f_frsize) > 2 << 30
        return isRoomy ? "/dev/shm" : "/tmp"
    }

    private static func configured(in path: [String]) -> [String] {
        guard let program = path.map({ "\($0)/pg_config" }).first(where: FileManager.default.isExecutableFile)
        else { return [] }
        let process = Process()
        let output = Pipe()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = ["--bindir"]
        process.standardOutput = output
        guard (try? process.run()) != nil else { return [] }
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return [String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)]
    }

    /// Starts a program in a session of its own, so that a signal to this process's group does not reach it, with
    /// nothing of ours but the reading end of a pipe as its input.
    ///
    /// - Returns: the writing end, which no other child inherits.
    static func launch(_ arguments: [String]) throws -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw ScratchError("no pipe: errno \(errno)") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        // A test runner waits for the end of its output, which a server must not hold open.
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
        var pointers: [UnsafeMutablePointer<CChar>?] =
            (["/usr/bin/env", "setsid"] + arguments).map { strdup($0) } + [nil]
        defer { pointers.forEach { free($0) } }
        var child: pid_t = 0
        let code = posix_spawn(&child, "/usr/bin/env", &actions, nil, &pointers, environ)
        guard code == 0 else {
            close(ends[1])
            throw ScratchError("\(arguments[0]) did not start: errno \(code)")
        }
        return ends[1]
    }
}
