import Addressing
import Controller
import IPAM
import Jobs
import Postgres
import Support
import Testing

/// Acceptance on the demo's accounts: merge, sync, merge, sync, undo, sync.
@Suite("Merges on the demo", .serialized)
struct DemoMergeTests {
    private let world: MergeWorld
    private let vcenters: [SimulatedVCenter]
    private let lab = "lab-esxi/lab-esxi.example.com/vSwitch0"

    init() throws {
        world = try MergeWorld()
        for (name, site) in [
            ("campus", "france"), ("depot-a", "france"), ("depot-b", "france"), ("tokyo-core", "tokyo"),
        ] {
            try world.sandbox.networks.createWire(name: name, site: site)
        }
        try world.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10, gateway: "10.10.0.1")
        try world.subnet("vmotion", on: "campus", "10.15.0.0/24", vlan: 15)
        try world.subnet(
            "servers", on: "campus", "10.20.0.0/24", vlan: 20, gateway: "10.20.0.1", pools: ["10.20.0.128-10.20.0.191"])
        try world.subnet("apps", on: "campus", "10.30.0.0/23", vlan: 30, gateway: "10.30.0.1")
        try world.subnet(
            "depot-a", on: "depot-a", "10.50.0.0/24", vlan: 50, gateway: "10.50.0.1", pools: ["10.50.0.100-10.50.0.109"]
        )
        try world.subnet(
            "depot-b", on: "depot-b", "10.50.0.0/24", vlan: 50, gateway: "10.50.0.1", pools: ["10.50.0.105-10.50.0.119"]
        )
        try world.subnet("legacy", on: "depot-b", "203.0.113.0/24", vlan: 20)
        try world.subnet("tokyo-management", on: "tokyo-core", "10.10.0.0/24", vlan: 10, gateway: "10.10.0.1")
        try world.subnet("tokyo-servers", on: "tokyo-core", "10.20.0.0/24", vlan: 20, gateway: "10.20.0.1")
        var running: [SimulatedVCenter] = []
        for (name, site) in [("paris", "france"), ("lyon", "france"), ("tokyo", "tokyo"), ("lab-esxi", nil)] {
            let vcenter = try SimulatedVCenter.demo(name)
            try world.sandbox.onboard(vcenter, as: name, site: site)
            running.append(vcenter)
        }
        vcenters = running
        try sync()
    }

    /// Syncs everything, twice: the second time nothing is left to write (I4).
    private func sync() throws {
        let jobs = try world.sandbox.sync("paris", "lyon", "tokyo", "lab-esxi")
        #expect(jobs.allSatisfy { $0.state == .findings || $0.state == .succeeded })
        let before = try world.sandbox.rowVersions()
        try world.sandbox.sync("paris", "lyon", "tokyo", "lab-esxi")
        #expect(try world.sandbox.rowVersions() == before)
        #expect(try world.violations() == [])
        #expect(try untrue() == [])
        try expectNoOp()
    }

    /// What is exported changes nothing when it is applied.
    private func expectNoOp(sourceLocation: SourceLocation = #_sourceLocation) throws {
        let networks = world.sandbox.networks
        let rehearsal = NetworkService(database: world.sandbox.database, actor: world.sandbox.actor, rehearses: true)
        let changes = try rehearsal.apply(NetworkFile(yaml: networks.export()), prune: true).changes
        #expect(changes.map(\.sentence) == [], sourceLocation: sourceLocation)
    }

    /// Where every address is, or why in no subnet.
    private func placements() throws -> [String] {
        try world.column("SELECT to_jsonb(p)::text FROM placement p ORDER BY 1")
    }

    /// Placements that break I3.
    private func untrue() throws -> [String] {
        try world.column(
            """
            SELECT p.ip FROM placement p
            JOIN nic_attachment t USING (account_id, owner, owner_id, device)
            JOIN subnet s ON s.id = p.subnet_id
            LEFT JOIN address a ON a.subnet_id = p.subnet_id AND a.ip = p.ip AND a.state = 'held'
                AND (a.account_id, a.owner, a.owner_id, a.device) = (p.account_id, p.owner, p.owner_id, p.device)
            WHERE p.reason IS NULL AND (a.ip IS NULL OR s.wire_id IS DISTINCT FROM t.wire_id OR NOT s.cidr::inet >>= p.ip
                OR NOT vlan_matches(t.vlan_mode, t.vlan_id, t.vlan_ranges, t.native_vlan, s.vlan_id))
            """)
    }

    private func wires() throws -> [String] { try world.column("SELECT name FROM wire ORDER BY 1") }

    private func links() throws -> [String] {
        try world.column(
            """
            SELECT a.name || ' ' || s.name || coalesce(' ' || split_part(h.name, '.', 1), '') || ' ' || coalesce(w.name, '-')
            FROM switch s JOIN account a ON a.id = s.account_id
            LEFT JOIN host h ON h.account_id = s.account_id AND h.id = s.host_id
            LEFT JOIN link l ON l.account_id = s.account_id AND l.switch_id = s.id
            LEFT JOIN wire w ON w.id = l.wire_id ORDER BY 1
            """)
    }

    private func reason(_ vm: String) throws -> [String] {
        try world.column(
            """
            SELECT coalesce(p.reason, s.name) FROM placement p JOIN vm v ON v.account_id = p.account_id AND v.id = p.owner_id
            LEFT JOIN subnet s ON s.id = p.subnet_id WHERE p.owner = 'vm' AND v.name = '\(vm)'
            """)
    }

    @Test("links, subnets and addresses are as the rules say after each step")
    func sequence() throws {
        let start = try world.state()
        #expect(try reason("stock-1") == ["no_link"])
        #expect(try reason("backup-1") == ["other_wire"] && reason("legacy-1") == ["other_wire"])

        // The two depots were a tie for a switch of lyon; as one wire they are none.
        let depots = try world.merge("depot-a", "depot-b", into: "depot")
        #expect(depots.steps.contains { $0.action == .unite && $0.name == "depot-a" })
        #expect(try wires() == ["campus", "depot", lab, "lab-esxi/lab-esxi.example.com/vSwitch1", "tokyo-core"])
        try expectNoOp()
        try sync()
        let asDepot = try placements()
        #expect(try links().contains("lyon vSwitch2 lyon-2 depot"))
        #expect(try reason("stock-1") == ["depot-a"])
        #expect(try wires().contains { $0.hasPrefix("depot-") } == false)

        // All of it onto the campus: what was on another wire is at home now, without a visit to any vCenter.
        let campus = try world.merge("depot", lab, into: "campus")
        #expect(campus.placed.map { "\($0.name) \($0.subnet)" } == ["legacy-1 legacy"])
        try expectNoOp()
        #expect(try reason("legacy-1") == ["legacy"] && reason("backup-1") == ["vlan_mismatch"])
        // An account without a site is never linked to this wire by evidence, so the link is a person's now.
        #expect(campus.steps.contains { $0.action == .note && $0.sentence.contains("vSwitch0 (lab-esxi") })
        let merged = try links()
        let subnets = try world.subnets()
        #expect(merged.contains("lab-esxi vSwitch0 lab-esxi campus") && merged.contains("lyon vSwitch2 lyon-2 campus"))
        #expect(subnets.contains("campus: \(lab):192.168.50.0/24:1 192.168.50.0/24"))
        let asCampus = try placements()
        try sync()
        #expect(try placements() == asCampus)
        #expect(try links() == merged)
        #expect(try world.subnets() == subnets)
        #expect(try wires() == ["campus", "lab-esxi/lab-esxi.example.com/vSwitch1", "tokyo-core"])

        let undone = try world.sandbox.networks.undoWires()
        #expect(undone.unplaced.map(\.name) == ["legacy-1"])
        #expect(try reason("backup-1") == ["other_wire"] && reason("legacy-1") == ["other_wire"])
        #expect(try world.addresses().filter { $0.hasPrefix("legacy") } == [])
        #expect(try placements() == asDepot)
        try expectNoOp()
        #expect(try untrue() == [])
        #expect(try world.violations() == [])
        try sync()
        #expect(
            try links().contains("lyon vSwitch2 lyon-2 depot") && links().contains("lab-esxi vSwitch0 lab-esxi \(lab)"))
        #expect(try reason("stock-1") == ["depot-a"])
        #expect(try placements() == asDepot)

        // The tie is back, and so is everything else, as it was before the first merge.
        _ = try world.sandbox.networks.undoWires()
        #expect(try reason("stock-1") == ["no_link"])
        try expectNoOp()
        try sync()
        #expect(try world.state() == start)
    }

    @Test("a switch that no address speaks for stays where a merge put it, though a reading was without it")
    func stickyWithoutEvidence() throws {
        let sandbox = try Sandbox()
        var scenario = World.scenario("one", vms: [World.vm("a", "10.20.0.5/24")])
        scenario.datacenters[0].switches.append(
            .init("spare", hosts: ["esx-1"], portGroups: [.init("empty", vlan: 77)]))
        let vcenter = try SimulatedVCenter(scenario)
        try sandbox.onboard(vcenter, as: "one")
        func sync() throws { for _ in 1...2 { try sandbox.sync("one", acceptReleases: true) } }
        func links() throws -> [String] {
            try sandbox.column(
                """
                SELECT coalesce(s.name, '?') || ' ' || w.name || ' ' || l.origin FROM link l JOIN wire w ON w.id = l.wire_id
                LEFT JOIN switch s ON s.account_id = l.account_id AND s.id = l.switch_id
                """
            ).sorted()
        }
        try sync()
        #expect(try links() == ["dvs one/dvs automatic", "spare one/spare automatic"])
        _ = try sandbox.networks.mergeWires(["one/spare"], into: "one/dvs")
        let merged = ["dvs one/dvs person", "spare one/dvs person"]
        #expect(try links() == merged)
        // A reading without a switch lets go of its automatic links.
        try sandbox.database.withConnection { try $0.script("DELETE FROM link WHERE origin = 'automatic'") }
        try sync()
        #expect(try links() == merged)
        #expect(try sandbox.column("SELECT name FROM wire") == ["one/dvs"])
        _ = try sandbox.networks.undoWires()
        #expect(try links() == ["dvs one/dvs automatic", "spare one/spare automatic"])
    }

    @Test("no sync brings a merged automatic wire back, not for a switch that appears later either")
    func sticky() throws {
        try world.merge(lab, "lab-esxi/lab-esxi.example.com/vSwitch1", into: "lab")
        try sync()
        let before = try wires()
        try world.sql("DELETE FROM link WHERE wire_id = (SELECT id FROM wire WHERE name = 'lab')")
        try sync()
        #expect(try links().contains("lab-esxi vSwitch0 lab-esxi lab"))
        #expect(try wires().filter { $0 != "lab-esxi/lab-esxi.example.com/vSwitch1" } == before)
    }

    @Test("two networks that reuse one address are not made one, and each address is told")
    func reused() throws {
        let refusal = try world.refusal { try world.merge("tokyo-core", into: "campus") }
        for address in ["10.20.0.11", "10.20.0.12", "10.20.0.21", "10.10.0.11", "10.10.0.12"] {
            #expect(refusal.contains("\(address) is held twice"), "\(refusal)")
        }
        #expect(refusal.contains("vm web-1 (paris) in subnet servers and vm web-1 (tokyo) in subnet tokyo-servers"))
    }

    @Test("an allocation since stands in the way of undoing; a switch that a sync linked since does not")
    func heldSince() throws {
        try world.merge("depot-a", "depot-b", into: "depot")
        try sync()
        // The sync linked a switch, whose VM holds an address there now: that is decided anew.
        _ = try world.sandbox.networks.undoWires(dryRun: true)
        try world.allocate("depot-a", owner: "ann")
        #expect(
            try world.refusal { _ = try world.sandbox.networks.undoWires() }.contains(
                "10.50.0.100 of subnet depot-a is held since"))
    }

    @Test("coverage tells where a port group is missing, and whom it would cost the network")
    func coverage() throws {
        let rows = try world.sandbox.networks.wireCoverage("campus")
        func row(_ host: String, _ vlan: Int) -> JSONValue? {
            rows.first { $0["host"].text == host && $0["vlan_id"].integer == vlan }
        }
        #expect(row("lyon-1.example.com", 20)?["port_group"].text == "VM Network")
        #expect(row("lyon-2.example.com", 30)?["port_group"].text == "VM Network")
        #expect(row("lyon-2.example.com", 20)?["covered"] == .bool(false))
        #expect(row("lyon-2.example.com", 20)?["port_group"].text == "missing")
        #expect(row("paris-1.example.com", 10)?["covered"] == .bool(true))
        #expect(rows.allSatisfy { $0["host"].text?.hasPrefix("tokyo") == false })
    }

    @Test("a wire is shown with its whole chain and why each link holds")
    func chain() throws {
        _ = try world.sandbox.networks.link(
            switch: "vSwitch2", account: "lyon", host: "lyon-2.example.com", toWire: "campus", native: .one)
        try sync()
        let wire = try world.sandbox.networks.wireChain("campus")
        let links = wire["chain"].elements
        let dvs = try #require(links.first { $0["switch"].text == "dvs-core" })
        #expect(dvs["account"].text == "paris")
        #expect(dvs["hosts"].elements.count == 3)
        #expect(dvs["why"].text?.hasPrefix("linked by evidence; 3 management addresses and ") == true)
        let pinned = try #require(links.first { $0["switch"].text == "vSwitch2" })
        #expect(pinned["why"].text?.hasPrefix("linked by a person; no address supports it; against ") == true)
        let groups = dvs["portgroups"].elements
        #expect(groups.contains { $0["vlan_id"].integer == 20 && $0["subnets"].elements == [.string("servers")] })
    }
}
