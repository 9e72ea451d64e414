import EmbeddedPostgres
import Foundation
import Glibc
import Testing

@Suite("What crashes leave behind")
struct CrashTests {
    @Test("a server killed with SIGKILL is replaced, and what was committed is there")
    func killedServer() throws {
        let fixture = try Fixture(made: true)
        let lease = try fixture.acquire()
        _ = try query(lease, "CREATE TABLE t AS SELECT 7 AS n")
        killHard(try #require(fixture.server()))

        let next = try fixture.acquire()
        #expect(try query(next, "SELECT n FROM t") == "7")
        // The URI that the first user holds is good again, too.
        #expect(try query(lease, "SELECT n FROM t") == "7")
        lease.release()
        next.release()
        #expect(fixture.server() == nil)
    }

    @Test("a lease revives its own server")
    func revive() throws {
        let fixture = try Fixture(made: true)
        let lease = try fixture.acquire()
        let first = try #require(fixture.server())
        try lease.revive()
        #expect(fixture.server() == first)
        killHard(first)
        try lease.revive()
        #expect(try query(lease, "SELECT 1") == "1")
        lease.release()
        #expect(fixture.server() == nil)
    }

    @Test("a lease that was given back revives nothing, which nobody would stop")
    func revivedLate() throws {
        let fixture = try Fixture(made: true)
        let lease = try fixture.acquire()
        lease.release()
        try lease.revive()
        #expect(fixture.server() == nil)
    }

    @Test("a backend in a long query that outlives its killed server does not keep the next one from starting")
    func orphan() throws {
        let fixture = try Fixture(made: true)
        let lease = try fixture.acquire()
        let busy = Process()
        busy.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        // A stopped backend notices nothing, not even the death of its postmaster.
        busy.arguments = [
            "psql", "-XAtq", "-d", lease.databaseURI, "-c", "SELECT pg_backend_pid()", "-c", "SELECT pg_sleep(600)",
        ]
        let output = Pipe()
        busy.standardOutput = output
        busy.standardError = Pipe()
        try busy.run()
        let text = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
        let backend = try #require(pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)))
        kill(backend, SIGSTOP)
        killHard(try #require(fixture.server()))

        let next = try fixture.acquire()
        #expect(try query(next, "SELECT 1") == "1")
        busy.waitUntilExit()
        lease.release()
        next.release()
        #expect(fixture.server() == nil)
    }

    @Test("files whose process id belongs to another process by now do not keep the server from starting")
    func reusedProcessID() throws {
        let fixture = try Fixture(made: true)
        var lease = try fixture.acquire()
        let files = [fixture.data + "/postmaster.pid", fixture.socketLock]
        let texts = try files.map { try String(contentsOfFile: $0, encoding: .utf8) }
        let server = try #require(fixture.server())
        lease.release()
        // A live process of the server's own user, for PostgreSQL itself would not start then.
        let other = Process()
        other.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        other.arguments = geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--clear-groups", "cat"] : ["cat"]
        let input = Pipe()
        other.standardInput = input
        try other.run()
        defer {
            try? input.fileHandleForWriting.close()
            other.waitUntilExit()
        }
        for (file, text) in zip(files, texts) {
            try text.replacingOccurrences(of: "\(server)\n", with: "\(other.processIdentifier)\n")
                .write(toFile: file, atomically: false, encoding: .utf8)
        }

        lease = try fixture.acquire()
        #expect(try query(lease, "SELECT 1") == "1")
        lease.release()
        #expect(other.isRunning)
    }

    @Test("a lock file of the socket that a full disk left empty does not keep the server from starting")
    func emptySocketLock() throws {
        let fixture = try Fixture(made: true)
        try fixture.acquire().release()
        try #require(FileManager.default.createFile(atPath: fixture.socketLock, contents: nil))
        let lease = try fixture.acquire()
        #expect(try query(lease, "SELECT 1") == "1")
        lease.release()
    }

    @Test("a data directory whose making was cut short is thrown away")
    func halfMade() throws {
        let fixture = try Fixture()
        let half = fixture.cluster + "/data.new.abc123"
        try FileManager.default.createDirectory(atPath: half + "/base", withIntermediateDirectories: true)
        try #require(chmod(fixture.home, 0o711) == 0 && chmod(fixture.cluster, 0o711) == 0)
        try "15\n".write(toFile: half + "/PG_VERSION", atomically: true, encoding: .utf8)
        let lease = try fixture.acquire()
        #expect(try query(lease, "SELECT 1") == "1")
        lease.release()
        let names = try FileManager.default.contentsOfDirectory(atPath: fixture.cluster)
        #expect(names.sorted() == ["data", "run", "server.lock", "setup.log", "start.lock", "users.lock"])
    }

    @Test("a server that a person started by hand is left alone")
    func startedByHand() throws {
        let fixture = try Fixture(made: true)
        try fixture.acquire().release()
        let postgres = try run("sh", ["-c", "ls -d /usr/lib/postgresql/*/bin/postgres | tail -n 1"]).output
        let byHand = Process()
        byHand.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        byHand.arguments =
            (geteuid() == 0 ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"] : [])
            + [postgres, "-D", fixture.data, "-c", "listen_addresses=", "-k", fixture.cluster + "/run"]
        byHand.standardError = FileHandle.nullDevice
        try byHand.run()
        while try !run("pg_isready", ["-q", "-h", fixture.cluster + "/run"]).succeeded {
            try #require(byHand.isRunning)
        }
        let refusal = fixture.refusal()
        #expect(refusal?.code == .busy)
        #expect(refusal?.detail.contains("started by hand") == true)
        #expect(fixture.server() != nil)
        byHand.interrupt()
        byHand.waitUntilExit()
    }
}
