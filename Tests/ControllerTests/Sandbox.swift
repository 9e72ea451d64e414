import Addressing
import Controller
import Foundation
import IPAM
import Inventory
import Jobs
import Postgres
import Support
import VSphere

/// A fresh database and key, and the services over them.
final class Sandbox {
    let scratch: ScratchDatabase
    let secrets: SecretBox
    /// `nil`: another sandbox's.
    private let keyFile: String?

    var database: Database { scratch.database }
    let actor = Actor(name: "tester", origin: "tests")
    var accounts: AccountService { AccountService(database: database, secrets: secrets, actor: actor) }
    var networks: NetworkService { NetworkService(database: database, actor: actor) }
    var allocator: Allocator { Allocator(database: database, actor: actor) }
    var queue: JobQueue { JobQueue(database) }

    init() throws {
        scratch = try ScratchDatabase()
        let keyFile = NSTemporaryDirectory() + "wireloom-key-" + UUID().uuidString
        self.keyFile = keyFile
        try SecretBox.createKeyFile(at: keyFile)
        secrets = try SecretBox(keyFile: keyFile)
    }

    /// The same accounts, networks and inventory once more.
    init(copyOf original: Sandbox) throws {
        scratch = try ScratchDatabase(copyOf: original.scratch)
        keyFile = nil
        secrets = original.secrets
    }

    deinit {
        if let keyFile { unlink(keyFile) }
        scratch.close()
    }

    @discardableResult
    func onboard(_ vcenter: SimulatedVCenter, as name: String, site: String? = nil, grace: Duration = .zero) throws
        -> Account
    {
        try accounts.add(
            AccountService.Request(
                name: name, url: vcenter.url, username: vcenter.username, password: Secret(vcenter.password),
                trust: (.thumbprint, vcenter.thumbprint), site: site, every: .seconds(600), grace: grace, ignored: [])
        ).account
    }

    /// Syncs these accounts at once and returns their jobs, by id.
    @discardableResult
    func sync(_ names: String..., acceptReleases: Bool = false) throws -> [JobRow] {
        try sync(names, acceptReleases: acceptReleases)
    }

    @discardableResult
    func sync(_ names: [String], acceptReleases: Bool = false) throws -> [JobRow] {
        let selected = try accounts.selected(names: names, all: false)
        let ids = try selected.map { try accounts.queueSync($0, acceptReleases: acceptReleases).id }
        var configuration = Runner.Configuration(worker: "test-\(UUID().uuidString)", width: 4)
        configuration.only = ids
        configuration.poll = .milliseconds(100)
        let runner = Runner(queue, handlers: [SyncHandler(database: database, secrets: secrets)], configuration)
        runner.start()
        defer { runner.stop() }
        return try runner.wait(for: ids).sorted { $0.id < $1.id }
    }

    func subnet(_ name: String, on wire: String, _ cidr: String, vlan: Int, pools: [String] = []) throws {
        _ = try networks.createSubnet(
            SubnetRequest(
                name: name, cidr: CIDR(parsing: cidr), vlan: VLANID(vlan) ?? .one,
                pools: pools.map { PoolRequest(try AddressRange(parsing: $0)) }),
            onWire: wire)
    }

    /// The first column of a query, as text; NULL is "-".
    func column(_ sql: String) throws -> [String] {
        try database.withConnection { connection in
            try connection.query("SELECT coalesce(x::text, '-') FROM (\(sql)) t (x)").map { try $0.get(0) }
        }
    }

    /// `vm ip -> subnet or reason`, sorted.
    func placements(of account: String) throws -> [String] {
        try column(
            """
            SELECT v.name || ' ' || host(p.ip) || ' -> ' || coalesce(p.reason, s.name)
            FROM placement p JOIN account a ON a.id = p.account_id
            JOIN vm v ON v.account_id = p.account_id AND v.id = p.owner_id AND p.owner = 'vm'
            LEFT JOIN subnet s ON s.id = p.subnet_id WHERE a.name = '\(account)' ORDER BY 1
            """)
    }

    /// Every version of every row that a sync must leave alone when nothing changed.
    func rowVersions() throws -> [String: String] {
        var versions: [String: String] = [:]
        for table in Self.syncedTables {
            versions[table] = try column(
                "SELECT count(*) || ' ' || coalesce(md5(string_agg(xmin || '/' || ctid, ',' ORDER BY ctid)), '') FROM \(table)"
            ).first
        }
        return versions
    }

    /// The same without versions and digests: what a failed sync must leave as it was, and what could not be read as well.
    func contents() throws -> [String: String] {
        var contents: [String: String] = [:]
        for table in Self.syncedTables {
            contents[table] = try column(
                "SELECT coalesce(md5(string_agg(t.row, E'\\n' ORDER BY t.row)), '') FROM (SELECT (to_jsonb(t) - 'digest')::text AS row FROM \(table) t) t"
            ).first
        }
        return contents
    }

    static let syncedTables = [
        "account", "host", "pnic", "switch", "switch_host", "portgroup", "vm", "nic", "nic_address", "wire", "subnet",
        "pool", "extent", "reservation", "link", "link_support", "address", "placement",
    ]
}
