import Foundation
import Glibc
import Testing

@testable import EmbeddedPostgres

@Suite("Why there is no private server")
struct RefusalTests {
    @Test("a home that cannot be made says which and what to do")
    func unwritableHome() throws {
        let fixture = try Fixture("file/home")
        try "".write(toFile: fixture.base + "/file", atomically: true, encoding: .utf8)
        let refusal = fixture.refusal()
        #expect(refusal?.code == .homeNotWritable)
        #expect(
            refusal?.detail == "could not write the directory \(fixture.home): not a directory; make it writable, set "
                + "WIRELOOM_HOME to a directory that is, or give a database with --database-url")
    }

    @Test("without PostgreSQL the package to install is named")
    func notInstalled() throws {
        let fixture = try Fixture()
        let refusal = fixture.refusal(binaries: [fixture.base])
        #expect(refusal?.code == .notInstalled)
        #expect(refusal?.detail.contains("install the package postgresql (version 15 or newer)") == true)
    }

    @Test("a PostgreSQL that is too old is refused with its version")
    func tooOld() throws {
        let fixture = try Fixture()
        let old = try fixture.programs(version: "13.11 (Debian 13.11-1)")
        let refusal = fixture.refusal(binaries: [old])
        #expect(refusal?.code == .tooOld)
        #expect(refusal?.detail.contains("version 13 (\(old))") == true)
    }

    @Test("of several installations the newest is taken, and for an existing cluster the one that made it")
    func choice() throws {
        let fixture = try Fixture()
        let places = try ["15.4", "17beta2", "16.1"].map { try fixture.programs(version: $0) }
        #expect(try ServerBinaries.find(in: places, dataVersion: nil, data: "d").directory == places[1])
        #expect(try ServerBinaries.find(in: places, dataVersion: 16, data: "d").directory == places[2])
    }

    @Test("a cluster of another major version names the package that it needs")
    func otherVersion() throws {
        let fixture = try Fixture(made: true)
        try fixture.acquire().release()
        let made = try String(contentsOfFile: fixture.data + "/PG_VERSION", encoding: .utf8).dropLast()
        let refusal = fixture.refusal(binaries: [try fixture.programs(version: "98.1")])
        #expect(refusal?.code == .otherVersion)
        #expect(
            refusal?.detail
                == "the cluster in \(fixture.data) was made by PostgreSQL \(made), and only 98 is installed; "
                + "install the package postgresql-\(made)")
    }

    @Test("a failed initdb is quoted, and leaves nothing behind")
    func failedCreation() throws {
        let fixture = try Fixture()
        let broken = try fixture.programs(
            version: "15.1", initdb: "echo 'creating'; echo 'initdb: error: could not look up user 7' >&2; exit 1")
        let refusal = fixture.refusal(binaries: [broken])
        #expect(refusal?.code == .creationFailed)
        #expect(
            refusal?.detail == "could not make the private PostgreSQL in \(fixture.data): could not look up user 7")
        let names = try FileManager.default.contentsOfDirectory(atPath: fixture.cluster)
        #expect(!names.contains { $0.hasPrefix("data") })
        // And the next try, with a PostgreSQL that works, is not hindered by it.
        #expect(fixture.refusal() == nil)
    }

    @Test("a full disk is called a full disk")
    func diskFull() throws {
        let fixture = try Fixture()
        let full = try fixture.programs(
            version: "15.1",
            initdb: """
                echo 'FATAL:  could not write to file "w": No space left on device'
                echo 'PANIC:  cannot abort transaction 1, it was already committed'
                exit 1
                """)
        #expect(fixture.refusal(binaries: [full])?.code == .diskFull)
    }

    @Test("a server that does not start is quoted")
    func failedStart() throws {
        let fixture = try Fixture(made: true)
        try fixture.acquire().release()
        try "nonsense = 1\n".write(
            toFile: fixture.data + "/postgresql.auto.conf", atomically: false, encoding: .utf8)
        let refusal = fixture.refusal()
        #expect(refusal?.code == .startFailed)
        #expect(refusal?.detail.contains("configuration file") == true)
        #expect(fixture.server() == nil)
    }

    @Test("files that are no cluster are not touched")
    func notACluster() throws {
        let fixture = try Fixture()
        try FileManager.default.createDirectory(atPath: fixture.data, withIntermediateDirectories: true)
        try "mine".write(toFile: fixture.data + "/notes", atomically: true, encoding: .utf8)
        #expect(fixture.refusal()?.code == .notACluster)
        #expect(try String(contentsOfFile: fixture.data + "/notes", encoding: .utf8) == "mine")
    }

    @Test("a short-named socket directory that others may enter is refused")
    func openSocketDirectory() throws {
        let fixture = try Fixture(String(repeating: "long-", count: 30), made: true)
        let lease = try fixture.acquire()
        let socket = lease.socketDirectory
        lease.release()
        try #require(mkdir(socket, 0o700) == 0 && chmod(socket, 0o755) == 0)
        defer { rmdir(socket) }
        let refusal = fixture.refusal()
        #expect(refusal?.code == .foreignOwner)
        #expect(refusal?.detail.contains("with mode 755") == true)
    }

    @Test("the home is WIRELOOM_HOME, else the system's for root, else in the user's own")
    func defaultHome() {
        #expect(EmbeddedCluster.defaultHome(environment: ["WIRELOOM_HOME": "/x"], isRoot: true) == "/x")
        #expect(EmbeddedCluster.defaultHome(environment: ["HOME": "/root"], isRoot: true) == "/var/lib/wireloom")
        let plain = ["HOME": "/home/a", "WIRELOOM_HOME": ""]
        #expect(EmbeddedCluster.defaultHome(environment: plain, isRoot: false) == "/home/a/.wireloom")
    }
}
