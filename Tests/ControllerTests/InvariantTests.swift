import Addressing
import Controller
import Inventory
import Jobs
import Postgres
import Support
import Testing

@Suite("Invariants", .serialized)
struct InvariantTests {
    private func campus(_ sandbox: Sandbox) throws {
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10)
        try sandbox.subnet("servers", on: "campus", "10.20.0.0/24", vlan: 20)
    }

    @Test("I1: two live reporters of one address have one holder, and SQL cannot add a second")
    func oneHolder() throws {
        let sandbox = try Sandbox()
        try campus(sandbox)
        let vcenter = try SimulatedVCenter(
            World.scenario("one", vms: [World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.5/24")]))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        #expect(
            try sandbox.placements(of: "one") == ["a 10.20.0.5 -> servers", "b 10.20.0.5 -> held_by_other"])
        #expect(throws: DatabaseError.self) {
            try sandbox.database.withConnection {
                try $0.execute(
                    """
                    INSERT INTO address (subnet_id, ip, state, account_id, owner, owner_id, device)
                    SELECT a.subnet_id, a.ip, 'held', n.account_id, n.owner, n.owner_id, n.device FROM address a, nic n
                    WHERE a.ip = '10.20.0.5' AND n.owner = 'vm' AND n.owner_id <> a.owner_id
                    """)
            }
        }
    }

    @Test("I2: two subnets of one wire and VLAN never overlap, not by SQL either; on another VLAN they may")
    func disjointSubnets() throws {
        let sandbox = try Sandbox()
        try campus(sandbox)
        let error = #expect(throws: (any Error).self) {
            try sandbox.subnet("more", on: "campus", "10.20.0.128/25", vlan: 20)
        }
        #expect("\(error.map { "\($0)" } ?? "")".contains("overlaps servers (10.20.0.0/24)"))
        let refused = #expect(throws: DatabaseError.self) {
            try sandbox.database.withConnection {
                try $0.execute(
                    """
                    INSERT INTO subnet (name, wire_id, cidr, vlan_id, confirmed)
                    SELECT 'sly', wire_id, '10.20.0.0/16', vlan_id, true FROM subnet WHERE name = 'servers'
                    """)
            }
        }
        #expect(refused?.constraint == "subnet_disjoint")
        try sandbox.subnet("other", on: "campus", "10.20.0.0/24", vlan: 21)
    }

    @Test("I3: a placement is on the wire and VLAN of its adapter, which holds the address", arguments: [false, true])
    func placementsAreTrue(configured: Bool) throws {
        let sandbox = try Sandbox()
        if configured { try campus(sandbox) }
        let vcenter = try SimulatedVCenter.demo("paris")
        try sandbox.onboard(vcenter, as: "paris")
        try sandbox.sync("paris")
        #expect(try sandbox.column("SELECT count(*) FROM placement WHERE reason IS NULL") != ["0"])
        #expect(
            try sandbox.column(
                """
                SELECT p.ip FROM placement p
                JOIN nic_attachment t USING (account_id, owner, owner_id, device)
                JOIN subnet s ON s.id = p.subnet_id
                LEFT JOIN address a ON a.subnet_id = p.subnet_id AND a.ip = p.ip AND a.state = 'held'
                    AND (a.account_id, a.owner, a.owner_id, a.device) = (p.account_id, p.owner, p.owner_id, p.device)
                WHERE p.reason IS NULL AND (a.ip IS NULL OR s.wire_id IS DISTINCT FROM t.wire_id OR NOT s.cidr::inet >>= p.ip
                    OR NOT vlan_matches(t.vlan_mode, t.vlan_id, t.vlan_ranges, t.native_vlan, s.vlan_id))
                """) == [])
    }

    @Test("I4: a sync without change upstream writes no row", arguments: ["paris", "lyon", "tokyo", "lab-esxi"])
    func nothingWritten(name: String) throws {
        let sandbox = try Sandbox()
        try campus(sandbox)
        let vcenter = try SimulatedVCenter.demo(name)
        try sandbox.onboard(vcenter, as: name)
        try sandbox.sync(name)
        let before = try sandbox.rowVersions()
        try sandbox.sync(name)
        #expect(try sandbox.rowVersions() == before)
    }

    @Test("I4: a host that is gone takes its switch, link and wire with it at once: the next sync writes no row")
    func hostGone() throws {
        let sandbox = try Sandbox()
        var scenario = World.scenario("one", vms: [], hosts: 3)
        scenario.datacenters[0].clusters[0].hosts[2].pnics = [.init("vmnic0"), .init("vmnic1")]
        scenario.datacenters[0].clusters[0].hosts[2].switches = [
            .init("vSwitch0", pnics: ["vmnic1"], portGroups: [.init("lan", vlan: 50)])
        ]
        scenario.datacenters[0].clusters[0].hosts[2].vmkernel.append(
            .init("vmk1", ip: "10.50.0.11", network: .standard("lan"), services: ["vmotion"]))
        let vcenter = try SimulatedVCenter(scenario)
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        #expect(try sandbox.column("SELECT count(*) FROM wire") == ["2"])
        scenario.datacenters[0].clusters[0].hosts.removeLast()
        scenario.datacenters[0].switches[0].hosts.removeLast()
        try vcenter.become(scenario)
        for _ in 1...2 { try sandbox.sync("one") }
        #expect(try sandbox.column("SELECT name FROM host ORDER BY 1") == ["esx-1", "esx-2"])
        #expect(try sandbox.column("SELECT name FROM switch") == ["dvs"])
        #expect(try sandbox.column("SELECT count(*) FROM wire") == ["1"])
        let before = try sandbox.rowVersions()
        try sandbox.sync("one")
        #expect(try sandbox.rowVersions() == before)
    }

    @Test("I4: a reason that names a subnet goes with it in the same sync")
    func subnetGone() throws {
        let sandbox = try Sandbox()
        var scenario = World.scenario("one", vms: [World.vm("a", "10.10.0.77/24")])
        let vcenter = try SimulatedVCenter(scenario)
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        #expect(try sandbox.placements(of: "one") == ["a 10.10.0.77 -> vlan_mismatch"])
        scenario.datacenters[0].clusters[0].hosts[0].vmkernel = [
            .init(ip: "10.60.0.11", network: .distributed("dvs", "apps"))
        ]
        scenario.datacenters[0].clusters[0].hosts[0].gateway = "10.60.0.1"
        try vcenter.become(scenario)
        for _ in 1...2 { try sandbox.sync("one", acceptReleases: true) }
        #expect(try sandbox.column("SELECT host(network(cidr)) FROM subnet") == ["10.60.0.0"])
        #expect(try sandbox.placements(of: "one") == ["a 10.10.0.77 -> no_subnet"])
        let before = try sandbox.rowVersions()
        try sandbox.sync("one")
        #expect(try sandbox.rowVersions() == before)
    }

    @Test("I5: a sync that fails leaves everything as it was")
    func failureChangesNothing() throws {
        let sandbox = try Sandbox()
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: [World.vm("a", "10.20.0.5/24")]))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        let before = try sandbox.contents()
        try vcenter.add(World.vm("b", "10.20.0.6/24"))
        try vcenter.inject(.status(503), method: "WaitForUpdatesEx")
        let job = try #require(try sandbox.sync("one").first)
        #expect(job.state == .failed)
        #expect(job.error?.isEmpty == false)
        #expect(try sandbox.contents() == before)
        try vcenter.clearFaults()
        try sandbox.sync("one")
        #expect(try sandbox.column("SELECT name FROM vm ORDER BY 1") == ["a", "b"])
    }

    @Test("I8: a person's link and subnets outlive syncs with other evidence")
    func personsWordStays() throws {
        let sandbox = try Sandbox()
        try campus(sandbox)
        try sandbox.networks.createWire(name: "mine", site: nil)
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: [World.vm("a", "10.20.0.5/24")]))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        #expect(try sandbox.column("SELECT w.name FROM link l JOIN wire w ON w.id = l.wire_id") == ["campus"])
        _ = try sandbox.networks.link(switch: "dvs", account: "one", host: nil, toWire: "mine", native: .one)
        let job = try #require(try sandbox.sync("one").first)
        #expect(
            try sandbox.column("SELECT w.name || l.origin FROM link l JOIN wire w ON w.id = l.wire_id") == [
                "mineperson"
            ])
        #expect(try sandbox.column("SELECT name FROM subnet ORDER BY 1") == ["management", "servers"])
        #expect(try sandbox.queue.events(job.id).contains { $0.code == "contrary_evidence" })
    }

    @Test("I8: an account that goes takes no wire with it where another account's addresses are held")
    func wireOfOthers() throws {
        let sandbox = try Sandbox()
        let vcenters = try ["one", "two"].map { name in
            var scenario = World.scenario(name, vms: [])
            if name == "two" {
                scenario.datacenters[0].clusters[0].hosts[0].vmkernel = [
                    .init(ip: "10.10.0.99", network: .distributed("dvs", "management"))
                ]
            }
            let vcenter = try SimulatedVCenter(scenario)
            try sandbox.onboard(vcenter, as: name)
            return vcenter
        }
        try sandbox.sync("one")
        try sandbox.sync("two")
        // As after a person took the switch of "two" off the wire of "one": its hold stays.
        try sandbox.database.withConnection {
            try $0.script(
                """
                INSERT INTO address (subnet_id, ip, state, account_id, owner, owner_id, device)
                SELECT s.id, a.ip, 'held', a.account_id, a.owner, a.owner_id, a.device
                FROM address a JOIN account c ON c.id = a.account_id AND c.name = 'two', subnet s
                WHERE s.wire_id = (SELECT l.wire_id FROM link l JOIN account c ON c.id = l.account_id WHERE c.name = 'one')
                """)
        }
        try sandbox.accounts.remove(sandbox.database.withConnection { try AccountTable.named("one", in: $0) })
        #expect(try sandbox.column("SELECT count(*) FROM wire") == ["2"])
        #expect(try sandbox.column("SELECT count(*) FROM address WHERE state = 'held'") == ["2"])
        withExtendedLifetime(vcenters) {}
    }

    @Test("I9: a password is nowhere in the database in clear, nor in what a failed login says")
    func secretsStaySecret() throws {
        let sandbox = try Sandbox()
        var scenario = World.scenario("one", vms: [])
        scenario.password = "Correct-Horse-9931"
        let vcenter = try SimulatedVCenter(scenario)
        let account = try sandbox.onboard(vcenter, as: "one")
        var change = AccountChange()
        change.username = "nobody-else"
        let error = #expect(throws: (any Error).self) {
            try sandbox.accounts.update(account, change, password: nil)
        }
        #expect(!"\(error.map { String(reflecting: $0) } ?? "")".contains("Correct-Horse"))
        try sandbox.sync("one")
        let tables = try sandbox.column(
            "SELECT quote_ident(table_name) FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
        )
        #expect(tables.count > 15)
        for table in tables {
            #expect(
                try sandbox.column("SELECT count(*) FROM \(table) t WHERE t::text LIKE '%Correct-Horse%'") == ["0"],
                "\(table)")
            #expect(
                try sandbox.column(
                    "SELECT count(*) FROM \(table) t WHERE t::text LIKE '%' || encode('Correct-Horse', 'hex') || '%'")
                    == ["0"],
                "\(table)")
        }
    }
}
