import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

/// Splitting, merging and moving subnets with adapters in them.
@Suite("Shapes of subnets") struct SubnetShapeTests {
    private struct Bench {
        let sandbox: Sandbox
        let adapters: SyntheticAdapters
        let plan: Plan

        /// Two wires with switches; `net` on the first, with web (150) in it, and app (20) on the second wire's switch.
        init(_ family: IPAddress.Family) throws {
            plan = Plan(family: family)
            sandbox = try Sandbox()
            adapters = try SyntheticAdapters(sandbox)
            for wire in ["one", "two"] {
                try sandbox.networks.createWire(name: wire, site: nil)
                try adapters.link(wire, vlans: [5, 6])
            }
            try adapters.add("web", plan.ip(150), on: "one", vlan: 5)
            try adapters.add("app", plan.ip(20), on: "two", vlan: 5)
            _ = try sandbox.networks.createSubnet(
                SubnetRequest(
                    name: "net", cidr: plan.cidr(bits: 8), vlan: #require(VLANID(5)), gateway: plan.ip(1),
                    pools: [PoolRequest(plan.range(10, 199))]), onWire: "one")
        }

        var rehearsal: NetworkService {
            NetworkService(database: sandbox.database, actor: sandbox.actor, rehearses: true)
        }

        func placements() throws -> [String] { try sandbox.placements(of: "acme") }

        /// A subnet as a sync leaves it, with the adapters in it placed.
        func found(_ name: String, on wire: String, _ cidr: CIDR) throws {
            try sandbox.subnet(name, on: wire, "\(cidr)", vlan: 5)
            try sandbox.database.withConnection {
                try $0.script("UPDATE subnet SET confirmed = false WHERE name = '\(name)'")
            }
        }

        func holds() throws -> [String] {
            try sandbox.column(
                """
                SELECT s.name || ' ' || host(a.ip) || ' ' || a.state || coalesce(' ' || a.owner_id, '')
                FROM address a JOIN subnet s ON s.id = a.subnet_id WHERE a.state <> 'free' ORDER BY s.name, a.ip
                """)
        }

        func violations() throws -> [String] { try StorageRules.violations(in: sandbox.database) }
    }

    @Test(
        "the history of what was split says where an address was then, and nothing of its way", arguments: Plan.families
    )
    func historyOfSplit(family: IPAddress.Family) throws {
        let bench = try Bench(family)
        _ = try bench.sandbox.networks.splitSubnet("net", SubnetSplit(prefixLength: family.bitWidth - 7))
        let rows = try bench.sandbox.database.withConnection {
            try Listing.history.rows([bench.plan.ip(150), nil as String?, nil as Timestamp?], in: $0)
        }
        #expect(
            rows.map { [$0["subnet"], $0["state"]] }
                == [["net", "held"], ["net-2", "held"]].map { $0.map { .string($0) } })
    }

    @Test("an adapter's placement and hold go with its part, and are never let go of", arguments: Plan.families)
    func splitWithAdapter(family: IPAddress.Family) throws {
        let bench = try Bench(family)
        let ip = bench.plan.ip(150)
        let shape = try bench.sandbox.networks.splitSubnet(
            "net", SubnetSplit(prefixLength: family.bitWidth - 7))
        #expect(shape.after.compactMap { $0["name"].text } == ["net-1", "net-2"])
        #expect(shape.before.compactMap { $0["name"].text } == ["net"])
        #expect(shape.consequences.placed == 1)
        #expect(shape.consequences.newlyPlacedCount == 0 && shape.consequences.newlyUnplacedCount == 0)
        #expect(try bench.placements() == ["app \(bench.plan.ip(20)) -> other_wire", "web \(ip) -> net-2"])
        #expect(try bench.holds() == ["net-2 \(ip) held vm-web"])
        #expect(
            try bench.sandbox.column(
                "SELECT state || ' ' || actor FROM address_event WHERE ip = '\(ip)' ORDER BY id") == [
                    "held tester", "free tester", "held tester",
                ])
        _ = try bench.sandbox.networks.mergeSubnets(["net-2", "net-1"], name: "net")
        #expect(try bench.placements() == ["app \(bench.plan.ip(20)) -> other_wire", "web \(ip) -> net"])
        #expect(try bench.holds() == ["net \(ip) held vm-web"])
        #expect(try bench.sandbox.column("SELECT count(*) FROM address_event WHERE state = 'quarantined'") == ["0"])
        #expect(try bench.violations() == [])
    }

    @Test(
        "a subnet that moves keeps what adapters hold, ends their placements and places the other side",
        arguments: Plan.families)
    func move(family: IPAddress.Family) throws {
        let bench = try Bench(family)
        let (web, app) = (bench.plan.ip(150), bench.plan.ip(20))
        let shape = try bench.sandbox.networks.moveSubnet("net", toWire: "two")
        #expect(shape.consequences.newlyPlaced == [.init(name: "app", ip: "\(app)", place: "net")])
        #expect(shape.consequences.newlyUnplaced == [.init(name: "web", ip: "\(web)", place: "other_wire")])
        #expect(shape.lines.contains("  app  \(app)  net"))
        #expect(try bench.placements() == ["app \(app) -> net", "web \(web) -> other_wire"])
        #expect(try bench.holds() == ["net \(app) held vm-app", "net \(web) held vm-web"])
        #expect(try bench.sandbox.column("SELECT sync_ips FROM vm ORDER BY name") == ["-", "\(web)"])
        let again = try bench.sandbox.networks.moveSubnet("net", toWire: "two")
        #expect(!again.isDifferent)
        _ = try bench.sandbox.networks.moveSubnet("net", toWire: "one")
        #expect(try bench.placements() == ["app \(app) -> other_wire", "web \(web) -> net"])
        #expect(try bench.violations() == [])
    }

    @Test("a move takes the place of what was found there, whose adapters are placed again", arguments: Plan.families)
    func absorbs(family: IPAddress.Family) throws {
        let bench = try Bench(family)
        // Wider than what comes: an adapter of the rest loses its place, and is told so.
        let far = bench.plan.ip(300)
        try bench.adapters.add("far", far, on: "two", vlan: 5)
        try bench.sandbox.database.withConnection {
            try $0.script(
                """
                INSERT INTO subnet (name, wire_id, cidr, vlan_id, confirmed)
                SELECT 'found', id, '\(bench.plan.cidr(bits: 9))', 5, false FROM wire WHERE name = 'two'
                """)
        }
        var edit = SubnetEdit()
        edit.description = .some("places far")
        #expect(throws: Never.self) { try bench.sandbox.networks.updateSubnet("net", edit) }
        let shape = try bench.sandbox.networks.moveSubnet("net", toWire: "two")
        #expect(shape.before.compactMap { $0["name"].text } == ["net", "found"])
        #expect(
            try bench.placements() == [
                "app \(bench.plan.ip(20)) -> net", "far \(far) -> no_subnet", "web \(bench.plan.ip(150)) -> other_wire",
            ])
        #expect(try bench.violations() == [])
    }

    @Test(
        "a subnet that is created over a wider one that was found, or grows into it, ends the placements in the rest",
        arguments: Plan.families, [true, false])
    func absorbsWider(family: IPAddress.Family, creates: Bool) throws {
        let bench = try Bench(family)
        let far = bench.plan.ip(1500)
        try bench.adapters.add("far", far, on: "two", vlan: 5)
        try bench.found("found", on: "two", bench.plan.cidr(1024, bits: 10))
        #expect(try bench.placements().contains("far \(far) -> found"))
        if creates {
            _ = try bench.sandbox.networks.createSubnet(
                SubnetRequest(name: "new", cidr: bench.plan.cidr(1024, bits: 6), vlan: #require(VLANID(5))),
                onWire: "two")
        } else {
            _ = try bench.sandbox.networks.createSubnet(
                SubnetRequest(name: "new", cidr: bench.plan.cidr(1024, bits: 6), vlan: #require(VLANID(6))),
                onWire: "two")
            var edit = SubnetEdit()
            edit.vlan = VLANID(5)
            _ = try bench.sandbox.networks.updateSubnet("new", edit)
        }
        #expect(try bench.placements().contains("far \(far) -> no_subnet"))
        #expect(try bench.sandbox.column("SELECT sync_ips FROM vm WHERE name = 'far'") == ["\(far)"])
        #expect(try bench.violations() == [])
    }

    @Test(
        "I8: a pool or a reservation confirms the subnet and touches its wire, and says what it places",
        arguments: Plan.families, ["add", "remove", "reserve", "unreserve"])
    func confirmedByContent(family: IPAddress.Family, change: String) throws {
        let bench = try Bench(family)
        try bench.adapters.add("far", bench.plan.ip(1500), on: "two", vlan: 5)
        try bench.found("found", on: "two", bench.plan.cidr(1024, bits: 10))
        // On the other wire, where only a person's subnet is worth naming.
        try bench.adapters.add("lost", bench.plan.ip(1501), on: "one", vlan: 5)
        let networks = bench.sandbox.networks
        let range = bench.plan.range(1030, 1039)
        if change == "remove" { try networks.addPools([PoolRequest(range)], toSubnet: "found") }
        if change == "unreserve" {
            try networks.reserve(range, ofSubnet: "found", owner: "ann", note: nil, expires: nil)
        }
        try bench.sandbox.database.withConnection {
            try $0.script(
                """
                UPDATE subnet SET confirmed = false WHERE name = 'found';
                UPDATE wire SET origin = 'automatic', touched = false WHERE name = 'two'
                """)
        }
        let effect: NetworkService.Effect
        switch change {
        case "add": effect = try networks.addPools([PoolRequest(range)], toSubnet: "found")
        case "remove": effect = try networks.removePools(range, ofSubnet: "found")
        case "reserve":
            effect = try networks.reserve(range, ofSubnet: "found", owner: "ann", note: nil, expires: nil)
        default: effect = try networks.unreserve(range, ofSubnet: "found")
        }
        #expect(effect.placed == 1)
        #expect(effect.unplaced == 1)
        #expect(try bench.placements().contains("lost \(bench.plan.ip(1501)) -> other_wire"))
        #expect(
            try bench.sandbox.column(
                "SELECT s.confirmed AND w.touched FROM subnet s JOIN wire w ON w.id = s.wire_id WHERE s.name = 'found'")
                == ["true"])
        #expect(try bench.violations() == [])
    }

    @Test("a subnet in use is deleted only by force, which tells what is let go of", arguments: Plan.families)
    func deletion(family: IPAddress.Family) throws {
        let bench = try Bench(family)
        for _ in 1...2 { _ = try bench.sandbox.allocator.allocate(AllocationRequest(subnet: "net", owner: "me")) }
        try bench.sandbox.networks.reserve(
            bench.plan.range(200, 210), ofSubnet: "net", owner: "me", note: nil, expires: nil)
        let uses = ["1 address held by an adapter", "2 allocated addresses", "1 reservation"]
        let error = #expect(throws: NetworkError.self) {
            try bench.sandbox.networks.deleteSubnet("net", force: false)
        }
        #expect(error?.detail.contains("is in use: \(uses.joined(separator: ", ")); to let go") == true)
        let plan = try bench.rehearsal.deleteSubnet("net", force: true)
        #expect(plan.released == uses)
        let done = try bench.sandbox.networks.deleteSubnet("net", force: true)
        #expect(done.released == uses)
        #expect(done.effect.unplaced == 2)
        #expect(try bench.sandbox.column("SELECT count(*) FROM subnet") == ["0"])
    }

    @Test("a move onto another subnet is refused, and names it", arguments: Plan.families)
    func moveRefused(family: IPAddress.Family) throws {
        let bench = try Bench(family)
        _ = try bench.sandbox.networks.createSubnet(
            SubnetRequest(name: "there", cidr: bench.plan.cidr(64, bits: 6), vlan: #require(VLANID(5))), onWire: "two")
        let before = try bench.sandbox.contents()
        let error = #expect(throws: NetworkError.self) {
            try bench.sandbox.networks.moveSubnet("net", toWire: "two")
        }
        #expect(error?.code == .overlap)
        #expect(error?.detail.contains("there (\(bench.plan.cidr(64, bits: 6)))") == true)
        #expect(try bench.sandbox.contents() == before)
        #expect(throws: NetworkError.self) { try bench.sandbox.networks.moveSubnet("net", toWire: "nowhere") }
    }

    @Test("a dry run tells what the deed then does, and writes nothing", arguments: Plan.families)
    func dryRuns(family: IPAddress.Family) throws {
        let bench = try Bench(family)
        func same(_ deed: (NetworkService) throws -> SubnetShape) throws {
            let before = try bench.sandbox.contents()
            let planned = try deed(bench.rehearsal)
            #expect(planned.isDryRun && planned.isDifferent)
            #expect(try bench.sandbox.contents() == before)
            let done = try deed(bench.sandbox.networks)
            #expect(!done.isDryRun)
            #expect(done.consequences == planned.consequences)
            #expect(done.lines == planned.lines)
        }
        try same { try $0.splitSubnet("net", SubnetSplit(prefixLength: family.bitWidth - 6)) }
        try same { try $0.mergeSubnets(["net-1", "net-2"], name: "low") }
        try same { try $0.moveSubnet("low", toWire: "two") }
        #expect(try bench.violations() == [])
    }

    @Test("an adapter's own address at a new edge stands in the way of a split")
    func adapterAtEdge() throws {
        let bench = try Bench(.v4)
        try bench.adapters.add("edge", bench.plan.ip(127), on: "one", vlan: 5)
        _ = try bench.sandbox.networks.updateSubnet("net", SubnetEdit())
        let error = #expect(throws: NetworkError.self) {
            try bench.sandbox.networks.splitSubnet("net", SubnetSplit(prefixLength: 25))
        }
        #expect(error?.detail.contains("VM edge (acme) holds it") == true, "\(error?.detail ?? "")")
    }
}
