import Foundation

/// A child process and what it cost.
struct Program {
    struct Result {
        var status: Int32
        var output: String
        /// From start to end.
        var wall: Double
        /// Its own, in user and kernel mode, as the kernel tells when it is waited for.
        var cpu: Double
        /// Resident memory at most, in bytes, as seen at the last look at it.
        var peakMemory: Int
    }

    /// Microseconds between two looks, and the precision of `wall`.
    private static let step: UInt32 = 5_000

    var path: String
    var arguments: [String]
    var environment: [String: String] = [:]

    init(_ path: String, _ arguments: [String], environment: [String: String] = [:]) {
        self.path = path
        self.arguments = arguments
        self.environment = environment
    }

    /// Runs it to its end. - Throws: if it does not end with 0.
    @discardableResult
    func run(input: String = "") throws -> Result {
        let folder = FileManager.default.temporaryDirectory
        let files = ["in", "out", "err"].map { folder.appendingPathComponent("bench-\(UUID().uuidString).\($0)").path }
        defer { files.forEach { unlink($0) } }
        try Data(input.utf8).write(to: URL(fileURLWithPath: files[0]))

        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, files[0], O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, files[1], O_WRONLY | O_CREAT, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, files[2], O_WRONLY | O_CREAT, 0o600)
        let variables = ProcessInfo.processInfo.environment.merging(environment) { $1 }.map { "\($0)=\($1)" }
        var words: [UnsafeMutablePointer<CChar>?] = ([path] + arguments).map { strdup($0) } + [nil]
        var pairs: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
        defer { (words + pairs).forEach { free($0) } }

        let start = ContinuousClock.now
        var child: pid_t = 0
        let code = posix_spawn(&child, path, &actions, nil, &words, &pairs)
        guard code == 0 else { throw BenchmarkError("\(path) did not start: errno \(code)") }
        var status: Int32 = 0
        var usage = rusage()
        var peak = 0
        while wait4(child, &status, WNOHANG, &usage) == 0 {
            peak = max(peak, peakMemory(of: "\(child)") ?? 0)
            usleep(Self.step)
        }
        let result = Result(
            status: status & 0x7f == 0 ? (status >> 8) & 0xff : -(status & 0x7f),
            output: (try? String(contentsOfFile: files[1], encoding: .utf8)) ?? "",
            wall: (ContinuousClock.now - start).inSeconds, cpu: usage.cpu, peakMemory: peak)
        guard result.status == 0 else {
            let errors = (try? String(contentsOfFile: files[2], encoding: .utf8)) ?? ""
            throw BenchmarkError(
                "\(path) \(arguments.joined(separator: " ")) ended with \(result.status): \(errors.suffix(2000))")
        }
        return result
    }
}

extension rusage {
    var cpu: Double {
        Double(ru_utime.tv_sec + ru_stime.tv_sec) + Double(ru_utime.tv_usec + ru_stime.tv_usec) / 1_000_000
    }
}

/// The most memory, in bytes, that was resident in a process: of its address space, where `ru_maxrss` of a child counts
/// that of the parent it was forked from as well.
func peakMemory(of process: String) -> Int? {
    let status = try? String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
    let line = status?.split(separator: "\n").first { $0.hasPrefix("VmHWM:") }
    return line.flatMap { Int($0.filter(\.isNumber)) }.map { $0 * 1024 }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}

/// The CPU time of this thread that a piece of work takes.
func cpuTime(_ work: () throws -> Void) rethrows -> Double {
    var before = timespec()
    var after = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before)
    try work()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after)
    return Double(after.tv_sec - before.tv_sec) + Double(after.tv_nsec - before.tv_nsec) / 1e9
}
