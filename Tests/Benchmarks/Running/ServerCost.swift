import Foundation
import Postgres

/// The CPU time of a whole PostgreSQL: its postmaster, every process of it that lives, and every one that has ended.
///
/// From `/proc/PID/stat`, in ticks of 10 ms. An ended backend's time is in its parent's `cutime` and `cstime`, so nothing
/// is lost between two readings: sessions, WAL writer, checkpointer and autovacuum are all in it.
struct ServerCost {
    private let postmaster: Int

    init(_ database: Database) throws {
        let backend: Int = try database.withConnection { try $0.query("SELECT pg_backend_pid()")[0].get(0) }
        guard let parent = Self.stat(backend)?.parent else {
            throw BenchmarkError("the server's processes are not to be seen in /proc")
        }
        postmaster = parent
    }

    /// So far.
    var cpu: Double {
        let processes = ((try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []).compactMap { Int($0) }
        let ticks = processes.reduce(0) { sum, process in
            guard let stat = Self.stat(process) else { return sum }
            if process == postmaster { return sum + stat.own + stat.ofChildren }
            return stat.parent == postmaster ? sum + stat.own : sum
        }
        return Double(ticks) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    private static func stat(_ process: Int) -> (parent: Int, own: Int, ofChildren: Int)? {
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let name = text.lastIndex(of: ")")
        else { return nil }
        // The fields after the name, which may hold anything: the first is number 3 of proc(5).
        let fields = text[text.index(after: name)...].split(separator: " ")
        guard fields.count > 15, let parent = Int(fields[1]) else { return nil }
        let times = fields[11...14].compactMap { Int($0) }
        return times.count == 4 ? (parent, times[0] + times[1], times[2] + times[3]) : nil
    }
}
