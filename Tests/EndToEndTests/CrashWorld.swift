import EmbeddedPostgres
import Foundation
import Logging
import Postgres
import Support
import Testing

/// Four vCenters on one wire, known and then changed; and what the database says of each before, after one undisturbed
/// sync, and after two.
///
/// Every test of a crash works on a copy of the database as it is before.
struct CrashWorld {
    struct Account {
        let name: String
        let vcenter: SimulatedVCenter
        var before: [String] = []
        var afterOne: [String] = []
        var afterTwo: [String] = []
    }

    private(set) var accounts: [Account]
    private let base: Place

    /// A command line tool and the test's own way into its database.
    struct Place {
        let tool: CommandLineTool
        let database: Database
        /// Keeps a private server up; `nil` for a scratch database.
        let lease: ClusterLease?

        init(tool: CommandLineTool) throws {
            self.tool = tool
            if let scratch = tool.scratch {
                lease = nil
                database = scratch.database
            } else {
                let lease = try EmbeddedCluster.acquire(
                    home: tool.home, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
                self.lease = lease
                database = Database(DatabaseConfiguration(uri: lease.databaseURI, applicationName: "test"))
            }
        }

        /// Lets go of the private server, and removes its home.
        func remove() {
            guard let lease else { return }
            database.close()
            lease.release()
            try? FileManager.default.removeItem(atPath: tool.home)
        }
    }

    /// - Parameter isPrivate: whether on wireloom's own PostgreSQL, which one can kill, or on the tests'.
    init(isPrivate: Bool) throws {
        base = try Place(tool: isPrivate ? CommandLineTool(scratch: nil) : CommandLineTool())
        let tool = base.tool
        accounts = try (0..<4).map {
            try Account(name: "dc\($0)", vcenter: SimulatedVCenter(Self.scenario($0, changed: false)))
        }
        try tool.all([["wire", "create", "campus"]])
        try tool.all(
            (0..<4).flatMap { index in
                [("servers", 2, 20), ("apps", 3, 30), ("management", 1, 10)].map { name, net, vlan in
                    [
                        "subnet", "create", "\(name)-\(index)", "--wire", "campus", "--cidr", "10.\(net).\(index).0/24",
                        "--vlan", "\(vlan)",
                    ]
                }
            })
        for account in accounts { #expect(try tool.add(account.vcenter, as: account.name).status == 0) }
        try tool.all([["sync", "--all", "--wait"]])
        for index in accounts.indices {
            accounts[index].before = try base.database.inventory(of: accounts[index].name)
            try accounts[index].vcenter.become(Self.scenario(index, changed: true))
        }

        let undisturbed = try copy()
        defer { undisturbed.remove() }
        try undisturbed.tool.all([["sync", "--all", "--wait"]])
        for index in accounts.indices {
            accounts[index].afterOne = try undisturbed.database.inventory(of: accounts[index].name)
        }
        try undisturbed.tool.all([["sync", "--all", "--wait"]])
        for index in accounts.indices {
            accounts[index].afterTwo = try undisturbed.database.inventory(of: accounts[index].name)
            // Else the comparisons would prove nothing.
            #expect(Set([accounts[index].before, accounts[index].afterOne, accounts[index].afterTwo]).count == 3)
        }
    }

    func remove() { base.remove() }

    /// The same database once more, as before.
    func copy() throws -> Place {
        if let scratch = base.tool.scratch {
            return try Place(tool: CommandLineTool(scratch: ScratchDatabase(copyOf: scratch), home: base.tool.home))
        }
        base.database.close()
        base.lease?.release()
        let home = CommandLineTool.newHome()
        let copying = Process()
        copying.executableURL = URL(fileURLWithPath: "/bin/cp")
        copying.arguments = ["-a", base.tool.home, home]
        try copying.run()
        copying.waitUntilExit()
        #expect(copying.terminationStatus == 0)
        return try Place(tool: CommandLineTool(scratch: nil, home: home))
    }

    func held(at moments: [Brakes.Moment]) -> [Brakes.Held] {
        zip(accounts, moments).map { Brakes.Held(account: $0.name, moment: $1, vcenter: $0.vcenter) }
    }

    private static func scenario(_ index: Int, changed: Bool) -> Scenario {
        var scenario = Scenario(name: "dc\(index)")
        var hosts = (1...2).map { number in
            Scenario.Host(
                "esx-\(number)", gateway: "10.1.\(index).1",
                vmkernel: [.init(ip: "10.1.\(index).\(10 + number)", network: .distributed("dvs", "management"))])
        }
        if changed {
            hosts[0].switches = [.init("vSwitch9", pnics: [], portGroups: [.init("storage", vlan: 0)])]
            hosts[0].vmkernel.append(
                .init(
                    "vmk1", ip: "192.168.\(index).5", mask: "255.255.255.0", network: .standard("storage"), services: []
                )
            )
            hosts[1].maintenance = true
        }
        scenario.datacenters = [
            .init(
                "DC", clusters: [.init("Cluster", hosts: hosts)],
                switches: [
                    .init(
                        "dvs", hosts: hosts.map(\.name),
                        portGroups: [
                            .init("management", vlan: 10), .init("servers", vlan: 20), .init("apps", vlan: 30),
                        ])
                ])
        ]
        func vm(_ number: Int, _ address: String, _ group: String = "servers") -> Scenario.VM {
            .init(
                "dc\(index)-vm\(number)", on: "esx-\(number % 2 + 1)", network: .distributed("dvs", group),
                addresses: [.init("\(address)/24")])
        }
        scenario.vms = (0..<30).map { vm($0, "10.2.\(index).\(10 + $0)") }
        if changed {
            // One moves, one gets another address, one reports nobody's, one is off, one is gone, and ten are new.
            scenario.vms[1] = vm(1, "10.3.\(index).11", "apps")
            scenario.vms[2] = vm(2, "10.2.\(index).200")
            scenario.vms[3] = vm(3, "203.0.113.\(index)")
            scenario.vms[4].power = .off
            scenario.vms += (30..<40).map { vm($0, "10.2.\(index).\(10 + $0)") }
            scenario.vms.removeFirst()
        }
        return scenario
    }
}

extension Database {
    /// What a sync of the account may change, without times and without the numbers that depend on the order of syncs.
    func inventory(of account: String) throws -> [String] {
        let mine = "account_id = (SELECT id FROM account WHERE name = '\(account)')"
        let wire = "jsonb_build_object('wire', (SELECT name FROM wire w WHERE w.id = t.wire_id))"
        let subnet = "jsonb_build_object('subnet', (SELECT name FROM subnet s WHERE s.id = t.subnet_id))"
        let about =
            "jsonb_build_object('about', (SELECT jsonb_agg(s.name ORDER BY s.name) FROM subnet s WHERE s.id = ANY (t.subnets)))"
        let plain = ["host", "pnic", "switch", "switch_host", "portgroup", "vm", "nic", "nic_address"].map {
            ($0, "'{}'::jsonb")
        }
        let referring = [
            ("link", wire), ("link_support", wire), ("address", subnet), ("placement", "\(subnet) || \(about)"),
        ]
        return try (plain + referring).flatMap { table, more in
            try column(
                """
                SELECT '\(table) ' || (to_jsonb(t) - '{account_id,wire_id,subnet_id,subnets,since,missing_since,live_since}'::text[]
                    || \(more))::text FROM \(table) t WHERE \(mine) ORDER BY 1
                """)
        }
    }
}
