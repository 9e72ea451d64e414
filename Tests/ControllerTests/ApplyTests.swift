import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

/// Files applied to a database.
@Suite("Network as code") struct ApplyTests {
    private func rehearsal(_ sandbox: Sandbox) -> NetworkService {
        NetworkService(database: sandbox.database, actor: sandbox.actor, rehearses: true)
    }

    /// What an export says, and nothing of ids.
    private func expectNoOp(_ sandbox: Sandbox, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let yaml = try sandbox.networks.export()
        let before = try sandbox.contents()
        for service in [rehearsal(sandbox), sandbox.networks] {
            let applied = try service.apply(NetworkFile(yaml: yaml), prune: true)
            #expect(applied.changes.map(\.sentence) == [], sourceLocation: sourceLocation)
        }
        #expect(try sandbox.contents() == before, sourceLocation: sourceLocation)
    }

    @Test("any network becomes any other, whatever changes places on the way", arguments: Plan.families, 1...6)
    func anyToAny(family: IPAddress.Family, seed: Int) throws {
        var random = RandomNetwork(seed: UInt64(seed), family)
        let sandbox = try Sandbox()
        let adapters = try SyntheticAdapters(sandbox)
        for round in 0..<8 {
            let wanted = random.state()
            let file = try NetworkFile(yaml: wanted.yaml)
            let before = try sandbox.contents()
            let planned: AppliedNetwork
            do {
                planned = try rehearsal(sandbox).apply(file, prune: true)
            } catch let error as NetworkError where error.code == .inUse {
                // An adapter has an address of what is to go.
                #expect(throws: NetworkError.self) { try sandbox.networks.apply(file, prune: true) }
                #expect(try sandbox.contents() == before)
                for name in try sandbox.column("SELECT name FROM subnet") {
                    _ = try sandbox.networks.deleteSubnet(name, force: true)
                }
                planned = try rehearsal(sandbox).apply(file, prune: true)
            }
            let done = try sandbox.networks.apply(file, prune: true)
            #expect(planned.changes == done.changes && planned.consequences == done.consequences)
            #expect(try sandbox.networks.export() == wanted.sorted.yaml, "seed \(seed), round \(round)")
            #expect(try sandbox.networks.apply(file, prune: true).isDifferent == false)
            #expect(try StorageRules.violations(in: sandbox.database) == [], "seed \(seed), round \(round)")
            try expectNoOp(sandbox)
            if round == 0 {
                for wire in wanted.wires { try adapters.link(wire.name, vlans: [1, 2]) }
                for index in UInt128(0)..<6 {
                    try adapters.add(
                        "vm\(index)", random.plan.ip(index * 64 + 3), on: random.pick(["w0", "w1", "w2"]), vlan: 1)
                }
            }
        }
    }

    @Test("what the demo's operators and syncs leave behind is exported and applied without a change")
    func demo() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("servers", on: "campus", "10.20.0.0/24", vlan: 20, pools: ["10.20.0.100-10.20.0.199"])
        try sandbox.networks.reserve(
            AddressRange(parsing: "10.20.0.2-10.20.0.9"), ofSubnet: "servers", owner: "core", note: nil,
            expires: .now + .seconds(3600))
        var running: [SimulatedVCenter] = []
        for name in ["paris", "lyon", "tokyo", "lab-esxi"] {
            let vcenter = try SimulatedVCenter.demo(name)
            running.append(vcenter)
            try sandbox.onboard(vcenter, as: name)
        }
        try sandbox.sync("paris", "lyon", "tokyo", "lab-esxi")
        try expectNoOp(sandbox)
        let link = try #require(
            try sandbox.column(
                "SELECT s.name || '|' || a.name FROM switch s JOIN account a ON a.id = s.account_id WHERE s.kind = 'distributed' LIMIT 1"
            ).first?.split(separator: "|").map(String.init))
        _ = try sandbox.networks.link(
            switch: link[0], account: link[1], host: nil, toWire: "campus", native: .one)
        let found = try sandbox.column("SELECT name FROM subnet WHERE NOT confirmed ORDER BY id LIMIT 1")
        if let name = found.first { _ = try sandbox.networks.updateSubnet(name, SubnetEdit()) }
        try expectNoOp(sandbox)
        #expect(try sandbox.networks.export().contains("switch: \(link[0])"))
        withExtendedLifetime(running) {}
    }

    @Test("names that change places are renames: what is allocated stays", arguments: Plan.families)
    func swap(family: IPAddress.Family) throws {
        let plan = Plan(family: family)
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "w", site: nil)
        for (index, name) in ["a", "b"].enumerated() {
            let base = UInt128(index) * 64
            _ = try sandbox.networks.createSubnet(
                SubnetRequest(
                    name: name, cidr: plan.cidr(base, bits: 6), vlan: .one,
                    pools: [PoolRequest(plan.range(base + 10, base + 20))]), onWire: "w")
        }
        let given = try sandbox.allocator.allocate(AllocationRequest(subnet: "a", owner: "ann")).addresses
        let yaml = try sandbox.networks.export().replacing("name: a", with: "name: t").replacing(
            "name: b", with: "name: a"
        )
        .replacing("name: t", with: "name: b")
        let applied = try sandbox.networks.apply(NetworkFile(yaml: yaml))
        #expect(applied.changes.map(\.sentence) == ["~ subnet a: name a -> b", "~ subnet b: name b -> a"])
        try sandbox.allocator.release(given, ofSubnet: "b", owner: "ann")
        #expect(try StorageRules.violations(in: sandbox.database) == [])
    }

    @Test("a subnet that an applied file adds places the adapters it was missing for", arguments: Plan.families)
    func places(family: IPAddress.Family) throws {
        let plan = Plan(family: family)
        let sandbox = try Sandbox()
        let adapters = try SyntheticAdapters(sandbox)
        try sandbox.networks.createWire(name: "w", site: nil)
        try adapters.link("w", vlans: [3])
        try adapters.add("web", plan.ip(9), on: "w", vlan: 3)
        let yaml = "subnets: [{name: a, wire: w, cidr: \"\(plan.cidr(bits: 8))\", vlan: 3}]"
        let planned = try rehearsal(sandbox).apply(NetworkFile(yaml: yaml))
        #expect(planned.consequences.newlyPlaced == [.init(name: "web", ip: "\(plan.ip(9))", place: "a")])
        #expect(try sandbox.placements(of: "acme") == ["web \(plan.ip(9)) -> no_subnet"])
        _ = try sandbox.networks.apply(NetworkFile(yaml: yaml))
        #expect(try sandbox.placements(of: "acme") == ["web \(plan.ip(9)) -> a"])
        // A pin by file, and away with it.
        let linked = try sandbox.networks.apply(
            NetworkFile(yaml: "wires: [{name: v}]\nlinks: [{account: acme, switch: dvs-w, wire: v}]"))
        #expect(linked.consequences.newlyUnplaced.map(\.place) == ["other_wire"])
        #expect(try sandbox.networks.apply(NetworkFile(yaml: "links: []"), prune: true).changes.count == 1)
        #expect(try sandbox.placements(of: "acme") == ["web \(plan.ip(9)) -> no_link"])
        #expect(try StorageRules.violations(in: sandbox.database) == [])
    }

    @Test("what is in use is not pruned, nor cut off, and then nothing is changed", arguments: Plan.families)
    func inUse(family: IPAddress.Family) throws {
        let plan = Plan(family: family)
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "w", site: nil)
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(
                name: "a", cidr: plan.cidr(bits: 8), vlan: .one, pools: [PoolRequest(plan.range(100, 120))]),
            onWire: "w")
        _ = try sandbox.allocator.allocate(AllocationRequest(subnet: "a", owner: "ann"))
        let before = try sandbox.contents()
        for (yaml, prune) in [
            ("wires: [{name: new}]\nsubnets: []", true), ("wires: [{name: new}]", true),
            ("wires: [{name: new}]\nsubnets: [{name: a, wire: w, cidr: \"\(plan.cidr(bits: 6))\", pools: []}]", false),
            (
                "subnets: [{name: a, wire: w, cidr: \"\(plan.cidr(bits: 8))\", reservations: [{range: \"\(plan.ip(100))\", owner: bob}]}]",
                false
            ),
        ] {
            let error = #expect(throws: NetworkError.self, "\(yaml)") {
                try sandbox.networks.apply(NetworkFile(yaml: yaml), prune: prune)
            }
            #expect([.inUse, .held].contains(error?.code), "\(error?.detail ?? "")")
            #expect(try sandbox.contents() == before)
        }
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(name: "b", cidr: plan.cidr(bits: 8, net: 1), vlan: .one), onWire: "w")
        try sandbox.networks.reserve(
            plan.range(1, 9, net: 1), ofSubnet: "b", owner: "ann", note: nil, expires: nil)
        let error = #expect(throws: NetworkError.self) {
            try sandbox.networks.apply(NetworkFile(yaml: "subnets: []"), prune: true)
        }
        let told = error?.detail ?? ""
        #expect(told.contains("subnet a") && told.contains("1 allocated address"), "\(told)")
        #expect(told.contains("subnet b") && told.contains("1 reservation"), "\(told)")
        #expect(!told.contains("--force") && told.contains("keep it in the file"), "\(told)")
    }

    @Test("what a sync found is neither exported nor pruned, and a file that names its place takes it over")
    func unconfirmed() throws {
        let sandbox = try Sandbox()
        try sandbox.database.withConnection {
            try $0.script(
                """
                INSERT INTO wire (name, site, origin, touched) VALUES ('found', 'here', 'automatic', false);
                INSERT INTO subnet (name, wire_id, cidr, vlan_id, confirmed) SELECT 'auto', id, '10.0.0.0/24', 1, false FROM wire
                """)
        }
        #expect(try !sandbox.networks.export().contains("name: found"))
        #expect(try !sandbox.networks.apply(NetworkFile(yaml: "wires: []\nsubnets: []"), prune: true).isDifferent)
        _ = try sandbox.networks.apply(NetworkFile(yaml: "wires: [{name: found}]"))
        #expect(try sandbox.column("SELECT name || ' ' || site || ' ' || touched FROM wire") == ["found here true"])
        try expectNoOp(sandbox)
        _ = try sandbox.networks.apply(NetworkFile(yaml: "subnets: [{name: mine, wire: found, cidr: 10.0.0.0/25}]"))
        #expect(try sandbox.column("SELECT name FROM subnet") == ["mine"])
        #expect(try sandbox.networks.export().contains("name: found"))
        try expectNoOp(sandbox)
    }
}

extension NetworkState {
    /// In the order of an export.
    fileprivate var sorted: NetworkState {
        var state = self
        state.wires.sort { $0.name < $1.name }
        state.subnets.sort { ($0.wire, $0.vlan, $0.cidr) < ($1.wire, $1.vlan, $1.cidr) }
        return state
    }
}
