import Addressing
import Controller
import Dispatch
import IPAM
import Inventory
import Locking
import Postgres
import Support
import Testing

/// Rule 3.3 without any vCenter: what becomes of subnets, pools, addresses, reservations and keys.
@Suite("Merging wires")
struct WireMergeTests {
    @Test(
        "subnets of one VLAN and CIDR become one, with all addresses, pools, reservations, quarantines and keys",
        arguments: Plan.families)
    func united(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", "b", family: family)
        try world.subnet("one", on: "a", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.19"])
        try world.subnet(
            "two", on: "b", "10.20.0.0/24", gateway: "10.20.0.1", dns: ["10.20.0.2"],
            pools: ["10.20.0.15-10.20.0.29"])
        try world.subnet("apart", on: "b", "10.20.0.0/24", vlan: 21)
        #expect(try world.allocate("one") == "10.20.0.10")
        #expect(try world.allocate("two", key: "k") == "10.20.0.15")
        try world.sandbox.networks.addPools([PoolRequest(world.range("10.20.0.200"))], toSubnet: "two")
        try world.allocate("two", "10.20.0.200", owner: "you")
        try world.allocate("two", "10.20.0.16")
        try world.release("two", "10.20.0.16")
        try world.reserve("two", "10.20.0.18-10.20.0.22")

        try world.merge("a", "b", into: "c")

        #expect(try world.subnets() == ["c: apart 10.20.0.0/24", "c: one 10.20.0.0/24"])
        #expect(
            try world.addresses() == [
                "one 10.20.0.10 held me", "one 10.20.0.15 held me", "one 10.20.0.16 quarantined",
                "one 10.20.0.200 held you",
            ])
        #expect(
            try world.column("SELECT host(first) || '-' || host(last) FROM pool ORDER BY first") == [
                "10.20.0.10-10.20.0.19", "10.20.0.20-10.20.0.29", "10.20.0.200-10.20.0.200",
            ])
        #expect(
            try world.column("SELECT host(gateway) || ' ' || host(dns[1]) FROM subnet WHERE name = 'one'") == [
                "10.20.0.1 10.20.0.2"
            ])
        #expect(try world.violations() == [])
        // The key answers as before, and nothing is given that somebody has.
        #expect(try world.allocate("one", key: "k") == "10.20.0.15")
        var given: [String] = []
        for _ in 1...12 { given.append(try world.allocate("one")) }
        #expect(
            given.map { $0.split(separator: ".").last ?? "" } == [
                "11", "12", "13", "14", "17", "23", "24", "25", "26", "27", "28", "29",
            ])
        let full = #expect(throws: NetworkError.self) { try world.allocate("one") }
        #expect(full?.code == .exhausted)
        #expect(try world.violations() == [])
    }

    @Test(
        "the target may be one of the merged wires, another one, or new with the site that they share",
        arguments: Plan.families)
    func targets(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", "b", "c", family: family)
        try world.merge("a", "b", into: "b")
        #expect(try world.column("SELECT name FROM wire ORDER BY 1") == ["b", "c"])
        try world.merge("b", into: "c")
        #expect(try world.column("SELECT name FROM wire") == ["c"])
        try world.sandbox.networks.createWire(name: "x", site: "paris")
        try world.sandbox.networks.createWire(name: "y", site: "paris")
        try world.merge("x", "y", into: "z")
        #expect(try world.column("SELECT name || site FROM wire WHERE site IS NOT NULL") == ["zparis"])
        try world.merge("z", "c", into: "all")
        #expect(try world.column("SELECT name || coalesce(site, '-') FROM wire") == ["all-"])
    }

    @Test("every clash is listed, and nothing is changed", arguments: Plan.families)
    func clashes(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", "b", family: family)
        try world.subnet("wide", on: "a", "10.1.0.0/16")
        try world.subnet("narrow", on: "b", "10.1.2.0/24")
        try world.subnet(
            "one", on: "a", "10.2.0.0/24", gateway: "10.2.0.1", dns: ["10.9.9.1"], pools: ["10.2.0.10-10.2.0.20"])
        try world.subnet(
            "two", on: "b", "10.2.0.0/24", gateway: "10.2.0.254", dns: ["10.9.9.2"], pools: ["10.2.0.20-10.2.0.30"],
            role: .host)
        _ = try world.sandbox.networks.addPools(
            [
                PoolRequest(world.range("10.2.0.5-10.2.0.10")),
                PoolRequest(world.range("10.2.0.100")),
            ],
            toSubnet: "two")
        try world.allocate("one", "10.2.0.10", owner: "ann")
        try world.allocate("two", "10.2.0.10", owner: "bob")
        try world.allocate("two", "10.2.0.100", owner: "bob")
        try world.reserve("one", "10.2.0.99-10.2.0.101", owner: "cleo")
        try world.reserve("two", "10.2.0.101-10.2.0.102", owner: "dan")
        for dryRun in [false, true] {
            let sentence = try world.refusal { try world.merge("a", "b", into: "c", dryRun: dryRun) }
            for clash in [
                "wires a and b cannot be merged, because of 7 clashes",
                "subnet wide (10.1.0.0/16) of wire a and subnet narrow (10.1.2.0/24) of wire b overlap on VLAN 20",
                "different gateways: 10.2.0.1 and 10.2.0.254", "different DNS servers: 10.9.9.1 and 10.9.9.2",
                "10.2.0.10 is held twice: the allocation to \"ann\" in subnet one and the allocation to \"bob\" in subnet two",
                "10.2.0.100 is allocated to \"bob\" in subnet two and reserved for \"cleo\" in subnet one",
                "the reservations 10.2.0.99-10.2.0.101 for \"cleo\" in subnet one and 10.2.0.101-10.2.0.102 for \"dan\" "
                    + "in subnet two overlap",
                "the pools 10.2.0.10-10.2.0.20 for guests in subnet one and 10.2.0.20-10.2.0.30 for hosts in subnet two "
                    + "overlap",
            ] { #expect(sentence.contains(clash), "\(clash) in \(sentence)") }
        }
    }

    @Test(
        "an unconfirmed subnet goes into a person's that it overlaps, and of two the wider takes the other",
        arguments: Plan.families)
    func unconfirmed(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", "b", "d", family: family)
        try world.subnet("mine", on: "a", "10.1.2.0/24", gateway: "10.1.2.1", pools: ["10.1.2.10-10.1.2.20"])
        try world.unconfirmed("seen", on: "b", "10.1.0.0/16")
        try world.unconfirmed("small", on: "b", "10.7.1.0/24", vlan: 7)
        try world.unconfirmed("large", on: "d", "10.7.0.0/16", vlan: 7)
        let change = try world.merge("a", "b", "d", into: "c")
        #expect(try world.subnets() == ["c: large 10.7.0.0/16", "c: mine 10.1.2.0/24"])
        #expect(change.steps.contains { $0.action == .absorb && $0.sentence.contains("seen") })
        #expect(change.steps.contains { $0.action == .confirm && $0.name == "large" })
        #expect(try world.violations() == [])
        _ = try world.sandbox.networks.undoWires()
        #expect(
            try world.subnets() == [
                "a: mine 10.1.2.0/24", "b: seen 10.1.0.0/16?", "b: small 10.7.1.0/24?", "d: large 10.7.0.0/16?",
            ])
        #expect(try world.violations() == [])
    }

    @Test("an allocation that is under way when a merge begins is seen by it, and not lost", arguments: Plan.families)
    func race(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", "b", family: family)
        try world.subnet("one", on: "a", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.19"])
        try world.subnet("two", on: "b", "10.20.0.0/24", pools: ["10.20.0.15-10.20.0.29"])
        try world.allocate("one", "10.20.0.16", owner: "ann")
        try world.allocate("two")
        let allocating = try world.sandbox.database.connect()
        defer { allocating.close() }
        try allocating.script(
            """
            BEGIN;
            UPDATE address SET state = 'held', allocated_to = 'bob', allocated_at = now()
            WHERE ip = '\(world.ip("10.20.0.16"))' AND state = 'free'
            """)
        let refusal = Mutex("")
        let merging = DispatchGroup()
        let networks = world.sandbox.networks
        DispatchQueue.global().async(group: merging) {
            do { _ = try networks.mergeWires(["a", "b"], into: "c") } catch { refusal.withLock { $0 = "\(error)" } }
        }
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while try world.column(waiting) == ["0"] {}
        try allocating.script("COMMIT")
        merging.wait()
        #expect(world.yours(refusal.withLock { $0 }).contains("10.20.0.16 is held twice"))
        #expect(try world.addresses().filter { $0.contains("10.20.0.16") }.count == 2)
        #expect(try world.violations() == [])
    }

    @Test("a plan tells what the deed then does, and writes nothing", arguments: Plan.families)
    func plan(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", "b", family: family)
        try world.subnet("one", on: "a", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.19"])
        try world.subnet("two", on: "b", "10.20.0.0/24")
        try world.allocate("one")
        let before = try world.state()
        let plan = try world.merge("a", "b", into: "c", dryRun: true)
        #expect(try world.state() == before)
        #expect(plan.entry == nil)
        #expect(try world.column("SELECT id FROM wire_journal") == [])
        let deed = try world.merge("a", "b", into: "c")
        #expect(deed.steps == plan.steps)
        #expect(deed.summary == plan.summary)
        #expect(try world.state() != before)
    }

    @Test(
        "bad input gets one sentence and changes nothing",
        arguments: [
            (["a"], "a", "cannot be merged with itself"), (["a", "a"], "c", "named twice"),
            (["a", "1"], "c", "named twice"),
            (["a", "nowhere"], "c", "there is no wire \"nowhere\""), (["a", "99"], "c", "there is no wire \"99\""),
            (["a", "b"], "99", "no wire with the id 99"), (["a"], "c", "is renamed, not merged"),
            (["a", "b"], String(repeating: "x", count: 300), "longer than 100 characters"),
            (["a", "b"], "c\u{7}d", "control character"), (["a", "b"], "", "is empty"),
        ] as [([String], String, String)])
    func badInput(wires: [String], into: String, sentence: String) throws {
        let world = try MergeWorld("a", "b")
        let refusal = try world.refusal { _ = try world.sandbox.networks.mergeWires(wires, into: into) }
        #expect(refusal.contains(sentence), "\(refusal)")
    }

    @Test("a wire is renamed, but not to a number, another's name or nonsense")
    func rename() throws {
        let world = try MergeWorld("a", "b")
        try world.sandbox.networks.renameWire("a", to: "core")
        #expect(try world.column("SELECT name FROM wire ORDER BY 1") == ["b", "core"])
        for (name, sentence) in [
            ("b", "there is a wire \"b\" already"), ("17", "a number is no name"), ("x\ny", "control character"),
            (String(repeating: "n", count: 300), "longer than"),
        ] {
            let refusal = try world.refusal { try world.sandbox.networks.renameWire("core", to: name) }
            #expect(refusal.contains(sentence), "\(refusal)")
        }
    }

    @Test("a wire in use is deleted only by force, which lets go of all that is told", arguments: Plan.families)
    func delete(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", family: family)
        try world.subnet("one", on: "a", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.19"])
        try world.allocate("one", key: "k")
        try world.reserve("one", "10.20.0.50")
        let refusal = try world.refusal { _ = try world.sandbox.networks.deleteWire("a", force: false) }
        #expect(
            refusal
                == "wire a is in use: 1 subnet, 1 allocated address, 1 reservation; to let go of all that, add --force")
        #expect(try world.sandbox.networks.deleteWire("a", force: true).released.count == 3)
        #expect(try world.column("SELECT name FROM wire") == [])
        #expect(try world.violations() == [])
    }
}
