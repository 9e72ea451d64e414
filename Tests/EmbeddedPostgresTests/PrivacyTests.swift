import EmbeddedPostgres
import Foundation
import Glibc
import Logging
import Testing

/// Mode and owner of a path.
private func status(_ path: String) throws -> (mode: mode_t, user: uid_t) {
    var status = stat()
    try #require(stat(path, &status) == 0, "\(path)")
    return (status.st_mode & 0o7777, status.st_uid)
}

@Suite("Who the private server is, and who may talk to it")
struct PrivacyTests {
    @Test("the server is never root, and only its own user and root can enter its directories")
    func owner() throws {
        let fixture = try Fixture(made: true)
        let lease = try fixture.acquire()
        defer { lease.release() }
        let user = try status("/proc/\(try #require(fixture.server()))").user
        #expect(user != 0)
        #expect(geteuid() == 0 || user == geteuid())
        for directory in [fixture.data, lease.socketDirectory] {
            #expect(try status(directory).mode == 0o700)
            #expect(try status(directory).user == user)
        }
        #expect(try status(fixture.home).mode == (geteuid() == 0 ? 0o711 : 0o700))
    }

    @Test("the server has a session of its own, and neither our files nor our environment")
    func inheritsNothing() throws {
        let fixture = try Fixture(made: true)
        // Without O_CLOEXEC: what a careless library leaves open.
        let careless = open("/etc/hostname", O_RDONLY)
        defer { close(careless) }
        setenv("WIRELOOM_TEST_SECRET", "hunter2", 1)
        defer { unsetenv("WIRELOOM_TEST_SECRET") }
        let lease = try fixture.acquire()
        defer { lease.release() }
        let server = try #require(fixture.server())
        #expect(getsid(server) == server)

        let names = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server)/fd")
        let files = names.compactMap {
            try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(server)/fd/\($0)")
        }
        #expect(files.contains(fixture.cluster + "/server.lock"))
        #expect(!files.contains("/etc/hostname"))
        #expect(!files.contains(fixture.cluster + "/start.lock"))
        #expect(!files.contains(fixture.cluster + "/users.lock"))
        let environment = try #require(FileManager.default.contents(atPath: "/proc/\(server)/environ"))
        #expect(!String(decoding: environment, as: UTF8.self).contains("WIRELOOM"))
    }

    @Test("a commit is durable and nothing listens on a network, unless a test says otherwise")
    func settings() throws {
        let fixture = try Fixture(made: true)
        let lease = try EmbeddedCluster.acquire(home: fixture.home, logger: .init(label: "test"))
        defer { lease.release() }
        for (name, value) in [
            "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on", "listen_addresses": "",
            "max_connections": "200", "server_encoding": "UTF8", "data_checksums": "on", "TimeZone": "UTC",
        ] {
            #expect(try query(lease, "SHOW \(name)") == value, "\(name)")
        }
    }

    @Test("the mode of a home that is not ours stays, even where only we can enter it")
    func closedHome() throws {
        let fixture = try Fixture()
        try #require(mkdir(fixture.home, 0o700) == 0)
        let lease = try fixture.acquire()
        #expect(try query(lease, "SELECT 1") == "1")
        #expect(try status(fixture.home).mode == 0o700)
        let socket = lease.socketDirectory
        #expect(try status(socket).mode == 0o700)
        killHard(try #require(fixture.server()))
        try lease.revive()
        #expect(try query(lease, "SELECT 1") == "1")
        lease.release()
        #expect(fixture.server() == nil)
    }

    @Test(
        "any home will do, as long as it is, and whatever its name contains",
        arguments: [
            String(repeating: "long-", count: 30), "a b", "it's, \"quoted\" & 100%", "ünïcode-網路", "back\\slash",
        ])
    func oddHomes(name: String) throws {
        let fixture = try Fixture(name, made: true)
        let lease = try fixture.acquire()
        #expect(try query(lease, "SELECT 1") == "1")
        let socket = lease.socketDirectory
        #expect((socket + "/.s.PGSQL.5432").utf8.count <= 107)
        lease.release()
        #expect(fixture.server() == nil)
        // A directory outside the home has no reason to stay.
        #expect(socket.hasPrefix(fixture.home) || access(socket, F_OK) != 0)
    }
}
