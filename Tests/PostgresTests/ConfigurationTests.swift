import Foundation
import Postgres
import Support
import Testing

@Suite struct ConfigurationTests {
    private static let secret = "hunter2-swordfish"

    @Test(
        "the display name says where, and never the password",
        arguments: [
            ("postgresql://ann:\(secret)@db.example:5433/loom", "ann@db.example:5433/loom"),
            ("postgresql://ann@db.example/loom?password=\(secret)", "ann@db.example:5432/loom"),
            ("host=db.example user=ann dbname=loom password=\(secret)", "ann@db.example:5432/loom"),
            ("postgresql://ann:\(secret)@%2Frun%2Fpg/loom", "ann@/loom (socket /run/pg)"),
            ("postgresql://ann:\(secret)@[::1/loom", "(malformed database URL)"),
            ("password \(secret)", "(malformed database URL)"),
        ])
    func displayName(_ uri: String, _ expected: String) {
        let configuration = DatabaseConfiguration(uri: uri)
        #expect(configuration.displayName == expected)
        var dumped = ""
        dump(configuration, to: &dumped)
        struct Holder { let database: DatabaseConfiguration }
        dump(Holder(database: configuration), to: &dumped)
        dumped += "\(configuration) \(String(reflecting: Holder(database: configuration)))"
        #expect(!dumped.contains(Self.secret))
    }

    @Test(
        "a malformed URL is refused without being quoted",
        arguments: ["postgresql://ann:\(secret)@[::1/loom", "password \(secret)", "postgresql://ann:%zz\(secret)@h/d"])
    func malformed(_ uri: String) throws {
        let configuration = DatabaseConfiguration(uri: uri)
        for body in [{ try configuration.validate() }, { try Database(configuration).connect().close() }] {
            let error = try #require(#expect(throws: DatabaseError.self) { try body() })
            #expect(error.code == .invalidValue)
            #expect(!error.debugDescription.contains(Self.secret))
            #expect(error.detail.contains("postgresql://USER:PASSWORD@HOST:PORT/NAME"))
        }
    }

    @Test("options out of bounds are named")
    func bounds() throws {
        let none = #expect(throws: DatabaseError.self) {
            try DatabaseConfiguration(uri: "postgresql://h/d", maxConnections: 0).validate()
        }
        #expect(none?.detail == "the pool needs at least 1 connection, not 0")
        let instant = #expect(throws: DatabaseError.self) {
            try DatabaseConfiguration(uri: "postgresql://h/d", statementTimeout: .zero).validate()
        }
        #expect(instant?.detail == "the statement timeout must be longer than zero")
        #expect(throws: Never.self) { try DatabaseConfiguration(uri: "postgresql://h/d").validate() }
    }

    @Test("a refused connection says what to look at, and never the password")
    func refusals() throws {
        let server = try ScratchServer.shared
        let socket = server.directory.replacingOccurrences(of: "/", with: "%2F")
        for (uri, state, sentence) in [
            (
                "postgresql://wireloom:\(Self.secret)@\(socket)/nowhere", "3D000",
                "the server of wireloom@/nowhere (socket \(server.directory)) has no such database; "
                    + "create it or correct the name"
            ),
            (
                "postgresql://nobody:\(Self.secret)@\(socket)/postgres", "28000",
                "the database nobody@/postgres (socket \(server.directory)) does not let user \"nobody\" in; "
                    + "check the user, the password and the server's pg_hba.conf"
            ),
            (
                "postgresql://wireloom:\(Self.secret)@%2Fnowhere/x", nil,
                "the database wireloom@/x (socket /nowhere) cannot be reached: No such file or directory"
            ),
        ] as [(String, String?, String)] {
            let database = Database(DatabaseConfiguration(uri: uri))
            let error = try #require(#expect(throws: DatabaseError.self) { try database.connect() })
            #expect(error.code == .unavailable)
            #expect(error.sqlState == state)
            #expect(error.detail == sentence)
            #expect(!error.debugDescription.contains(Self.secret))
        }
    }

    @Test("a host that does not answer is given up after the connect timeout")
    func silent() throws {
        // A socket that accepts and says nothing.
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(listener) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let port = withUnsafeMutableBytes(of: &address) { raw in
            let pointer = raw.baseAddress!.assumingMemoryBound(to: sockaddr.self)
            bind(listener, pointer, size)
            listen(listener, 4)
            getsockname(listener, pointer, &size)
            return UInt16(bigEndian: raw.load(fromByteOffset: 2, as: UInt16.self))
        }
        let database = Database(
            DatabaseConfiguration(
                uri: "postgresql://ann@127.0.0.1:\(port)/loom?sslmode=disable", connectTimeout: .milliseconds(50)))
        let error = #expect(throws: DatabaseError.self) { try database.connect() }
        #expect(error?.code == .unavailable)
        #expect(
            error?.detail
                == "the database ann@127.0.0.1:\(port)/loom did not answer in time; check the host, port and firewall")
    }
}
