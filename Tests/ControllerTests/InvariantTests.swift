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
