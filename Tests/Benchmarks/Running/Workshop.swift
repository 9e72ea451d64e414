import EmbeddedPostgres
import Foundation
import Logging
import Postgres
import Support

/// What benchmarks work with: a private PostgreSQL as the product sets it up, the built `wireloom`, simulated vCenters.
final class Workshop {
    /// The checkout.
    static let root: String = {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        return root.path
    }()

    let machine: Machine
    let serverCost: ServerCost
    private let home: String
    private let lease: ClusterLease
    private let administrator: Database
    private var databases = 0
    private var recorded: Recording?

    init() throws {
        var template = Array("/tmp/wireloom-bench-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw BenchmarkError("no temporary directory: errno \(errno)") }
        home = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        // The server runs as another user where this one is root, and has to reach its data.
        chmod(home, 0o711)
        var logger = Logger(label: "bench")
        logger.logLevel = .warning
        lease = try EmbeddedCluster.acquire(home: home, logger: logger)
        administrator = Database(DatabaseConfiguration(uri: lease.databaseURI, applicationName: "bench"))
        serverCost = try ServerCost(administrator)
        let version: String = try administrator.withConnection { try $0.query("SHOW server_version")[0].get(0) }
        machine = Machine(postgreSQL: version)
    }

    func close() {
        administrator.close()
        lease.release()
        try? FileManager.default.removeItem(atPath: home)
    }

    /// An installation with an empty database.
    func installation() throws -> Installation {
        databases += 1
        let name = "bench_\(databases)"
        try administrator.withConnection { try $0.script("CREATE DATABASE \(name)") }
        let uri = lease.databaseURI.replacingOccurrences(of: "///wireloom?", with: "///\(name)?")
        return try Installation(uri: uri, home: "\(home)/\(name)")
    }

    /// 10,000 VMs on 100 hosts, on a distributed switch with 20 port groups.
    static var large: Scenario {
        var scenario = Scenario(name: "large")
        scenario.generate = [.init(hosts: 100, vms: 10_000, portGroups: 20)]
        return scenario
    }

    /// The conversation of one reading of ``large``, with the answer that holds its VMs.
    func recording() throws -> Recording {
        if let recorded { return recorded }
        let vcenter = try SimulatedVCenter(Self.large)
        defer { vcenter.stop() }
        let recording = try Recording(of: vcenter)
        recorded = recording
        return recording
    }
}

/// One `wireloom` with a home and a database of its own.
struct Installation {
    /// What `make build` makes, or what WIRELOOM_BINARY names.
    static let program =
        ProcessInfo.processInfo.environment["WIRELOOM_BINARY"] ?? "\(Workshop.root)/.build/release/wireloom"

    let uri: String
    let database: Database
    private let environment: [String: String]

    init(uri: String, home: String) throws {
        try FileManager.default.createDirectory(
            atPath: home, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        self.uri = uri
        environment = ["WIRELOOM_DATABASE_URL": uri, "WIRELOOM_HOME": home]
        database = Database(DatabaseConfiguration(uri: uri, applicationName: "bench"))
    }

    func close() { database.close() }

    @discardableResult
    func run(_ arguments: [String], input: String = "") throws -> Program.Result {
        try Program(Self.program, arguments, environment: environment).run(input: input)
    }

    func add(_ vcenter: SimulatedVCenter, as name: String) throws {
        try run(
            [
                "account", "add", name, "--url", vcenter.url, "--username", vcenter.username, "--password-stdin",
                "--thumbprint", vcenter.thumbprint,
            ], input: vcenter.password + "\n")
    }

    /// The networks of a generated vCenter, so that each of its addresses has a subnet.
    func configureNetworks(portGroups: Int) throws {
        try run(["wire", "create", "campus"])
        try run(["subnet", "create", "management", "--wire", "campus", "--cidr", "10.63.0.0/22", "--vlan", "100"])
        for group in 0..<portGroups {
            try run([
                "subnet", "create", "net-\(group)", "--wire", "campus", "--cidr", "10.64.\(group * 4).0/22",
                "--vlan", "\(101 + group)",
            ])
        }
    }

    /// How many addresses are placed, and how many are not.
    func placements() throws -> (placed: Int, unplaced: Int) {
        try database.withConnection { connection in
            let row = try connection.query(
                """
                SELECT count(*) FILTER (WHERE reason IS NULL), count(*) FILTER (WHERE reason IS NOT NULL) FROM placement
                """)[0]
            return (try row.get(0), try row.get(1))
        }
    }

    /// Leaves nothing for autovacuum and the checkpointer to do during the next measurement.
    func settle() throws {
        try database.withConnection { connection in
            try connection.script("VACUUM ANALYZE")
            try connection.script("CHECKPOINT")
        }
    }
}
