import Addressing
import Controller
import IPAM
import Support
import Testing

/// Rule 3.3: a merge is taken back as long as nothing that it touched changed since.
@Suite("Undoing merges of wires")
struct WireUndoTests {
    /// Two wires with a subnet in common, used, and one apart.
    private func world(_ family: IPAddress.Family) throws -> MergeWorld {
        let world = try MergeWorld("a", "b", "other", family: family)
        try world.subnet("one", on: "a", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.19"])
        try world.subnet("two", on: "b", "10.20.0.0/24", gateway: "10.20.0.1", pools: ["10.20.0.15-10.20.0.29"])
        try world.subnet("apart", on: "b", "10.30.0.0/24", pools: ["10.30.0.10-10.30.0.19"])
        try world.allocate("one")
        try world.allocate("two", key: "k")
        try world.allocate("two", "10.20.0.17")
        try world.release("two", "10.20.0.17")
        try world.reserve("two", "10.20.0.20-10.20.0.22")
        try world.allocate("apart")
        return world
    }

    @Test("everything is as it was, addresses, pools, keys and ids", arguments: Plan.families, ["c", "a", "other"])
    func restored(family: IPAddress.Family, target: String) throws {
        let world = try world(family)
        let before = try world.state()
        try world.merge("a", "b", into: target)
        #expect(try world.state() != before)
        let plan = try world.sandbox.networks.undoWires(dryRun: true)
        #expect(try world.state() != before)
        let undone = try world.sandbox.networks.undoWires()
        #expect(undone.steps == plan.steps)
        #expect(try world.state() == before)
        #expect(try world.violations() == [])
        #expect(try world.allocate("two", key: "k") == "10.20.0.15")
        #expect(try world.column("SELECT action FROM wire_journal ORDER BY id") == ["merge", "undo"])
        #expect(try world.column("SELECT name FROM subnet_gone") == [])
    }

    @Test(
        "what changed since is named, and refuses it",
        arguments: Plan.families,
        [
            (
                "an address of a united subnet was allocated",
                "10.20.0.11 of subnet one is held since: allocated to \"me\""
            ),
            ("one was released", "10.20.0.10 of subnet one was released"),
            ("a pool was added", "the pools of subnet one changed"),
            ("a reservation was made", "the reservations of subnet one changed"),
            ("a subnet was edited", "subnet one was edited"),
            ("a moved subnet was edited", "subnet apart was edited"),
            ("the target was renamed", "wire c is called d now"),
            ("a subnet was added to the target", "wire c has the subnet new"),
            ("a name was taken", "there is another wire a now"),
            ("a subnet's name was taken", "there is another subnet two now"),
            ("another merge followed", "entry 2 (merged c into other) came later; undo it first: wireloom wire undo 2"),
        ])
    func refused(family: IPAddress.Family, change: (what: String, sentence: String)) throws {
        let (what, sentence) = change
        let world = try world(family)
        try world.merge("a", "b", into: "c")
        let networks = world.sandbox.networks
        switch what {
        case "an address of a united subnet was allocated": try world.allocate("one")
        case "one was released": try world.release("one", "10.20.0.10")
        case "a pool was added":
            try networks.addPools([PoolRequest(world.range("10.20.0.90-10.20.0.99"))], toSubnet: "one")
        case "a reservation was made": try world.reserve("one", "10.20.0.77")
        case "a subnet was edited", "a moved subnet was edited":
            var edit = SubnetEdit()
            edit.description = "mine"
            _ = try networks.updateSubnet(what == "a subnet was edited" ? "one" : "apart", edit)
        case "the target was renamed": try networks.renameWire("c", to: "d")
        case "a subnet was added to the target": try world.subnet("new", on: "c", "10.99.0.0/24")
        case "a name was taken": try networks.createWire(name: "a", site: nil)
        case "a subnet's name was taken": try world.subnet("two", on: "other", "10.99.0.0/24")
        default: try world.merge("c", into: "other")
        }
        let refusal = try world.refusal { _ = try networks.undoWires(1) }
        #expect(refusal.contains("entry 1 (merged a, b into c) cannot be undone"), "\(refusal)")
        #expect(refusal.contains(sentence), "\(refusal)")
    }

    @Test(
        "a subnet that took another in, and was itself as before, counts when it is edited or deleted",
        arguments: Plan.families, [("edited", "subnet one was edited"), ("deleted", "subnet one is gone")])
    func survivorCounts(family: IPAddress.Family, change: (what: String, sentence: String)) throws {
        let (what, sentence) = change
        let world = try MergeWorld("a", "b", family: family)
        try world.subnet("one", on: "a", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.19"])
        try world.subnet("two", on: "b", "10.20.0.0/24", pools: ["10.20.0.15-10.20.0.29"])
        try world.merge("b", into: "a")
        let networks = world.sandbox.networks
        if what == "edited" {
            var edit = SubnetEdit()
            edit.gateway = .some(try world.ip("10.20.0.12"))
            _ = try networks.updateSubnet("one", edit)
        } else {
            _ = try networks.deleteSubnet("one", force: true)
        }
        let refusal = try world.refusal { _ = try networks.undoWires(1) }
        #expect(refusal.contains(sentence), "\(refusal)")
        #expect(try world.violations() == [])
    }

    @Test(
        "what an adapter held that is gone meanwhile comes back quarantined, and no address is lost",
        arguments: Plan.families)
    func adapterGone(family: IPAddress.Family) throws {
        let world = try MergeWorld("a", "b", family: family)
        try world.subnet("one", on: "a", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.29"])
        try world.subnet("two", on: "b", "10.20.0.0/24", pools: ["10.20.0.10-10.20.0.29"])
        for name in ["one", "two"] {
            try world.allocate(name)
            try world.release(name, "10.20.0.10")
        }
        let adapters = try SyntheticAdapters(world.sandbox)
        for wire in ["a", "b"] { try adapters.link(wire, vlans: [20]) }
        try adapters.add("here", world.ip("10.20.0.15"), on: "a", vlan: 20)
        try adapters.add("there", world.ip("10.20.0.15"), on: "b", vlan: 20)
        // One VM that moved: the same adapter seen twice, which holds the address on both sides.
        try world.sql(
            """
            UPDATE nic SET mac = '00:50:56:00:00:01';
            UPDATE vm SET instance_uuid = 'the same';
            INSERT INTO address (subnet_id, ip, state, account_id, owner, owner_id, device)
            SELECT s.id, '10.20.0.15', 'held', n.account_id, 'vm', n.owner_id, n.device
            FROM nic n JOIN subnet s ON s.name = CASE n.owner_id WHEN 'vm-here' THEN 'one' ELSE 'two' END
            ON CONFLICT (subnet_id, ip) DO UPDATE SET state = 'held', account_id = EXCLUDED.account_id,
                owner = EXCLUDED.owner, owner_id = EXCLUDED.owner_id, device = EXCLUDED.device
            """)
        try world.merge("b", into: "a")
        let kept = try world.column("SELECT owner_id FROM address WHERE ip = '10.20.0.15'")
        #expect(kept.count == 1)
        try world.sql("DELETE FROM vm WHERE id <> '\(kept[0])'; DELETE FROM nic WHERE owner_id <> '\(kept[0])'")
        _ = try world.sandbox.networks.undoWires()
        #expect(
            try world.column(
                "SELECT coalesce(owner_id, state) FROM address WHERE ip = '10.20.0.15' ORDER BY owner_id") == [
                    kept[0], "quarantined",
                ])
        #expect(try world.violations() == [])
    }

    @Test(
        "a subnet that the merge confirmed stays so while it has what only a confirmed one has",
        arguments: ["pool", "reservation", "allocation", "nothing"])
    func confirmedSince(what: String) throws {
        let world = try MergeWorld("a", "b")
        try world.sql("UPDATE wire SET origin = 'automatic', touched = false")
        try world.unconfirmed("found", on: "a", "10.20.0.0/24")
        try world.merge("a", "b", into: "c")
        let networks = world.sandbox.networks
        switch what {
        case "pool": try networks.addPools([PoolRequest(world.range("10.20.0.10-10.20.0.19"))], toSubnet: "found")
        case "reservation": try world.reserve("found", "10.20.0.77")
        case "allocation":
            try networks.addPools([PoolRequest(world.range("10.20.0.10-10.20.0.19"))], toSubnet: "found")
            try world.allocate("found")
            _ = try networks.removePools(world.range("10.20.0.10-10.20.0.19"), ofSubnet: "found")
        default: break
        }
        if what == "nothing" {
            _ = try networks.undoWires(1)
            #expect(try world.column("SELECT confirmed FROM subnet") == ["false"])
        } else {
            let refusal = try world.refusal { _ = try networks.undoWires(1) }
            #expect(
                refusal.contains("subnet found has pools, reservations or allocations since"), "\(refusal)")
        }
    }

    @Test("what happens in a subnet that only moved goes back with it", arguments: Plan.families)
    func movedSubnetLives(family: IPAddress.Family) throws {
        let world = try world(family)
        try world.merge("a", "b", into: "c")
        #expect(try world.allocate("apart") == "10.30.0.11")
        _ = try world.sandbox.networks.undoWires()
        #expect(
            try world.addresses().filter { $0.hasPrefix("apart") } == [
                "apart 10.30.0.10 held me", "apart 10.30.0.11 held me",
            ])
        #expect(try world.subnets().contains("b: apart 10.30.0.0/24"))
        #expect(try world.violations() == [])
    }

    @Test("several are undone newest first, each once", arguments: Plan.families)
    func order(family: IPAddress.Family) throws {
        let world = try world(family)
        let first = try world.state()
        try world.merge("a", "b", into: "c")
        let second = try world.state()
        try world.merge("c", "other", into: "d")
        #expect(try world.sandbox.networks.undoWires().entry == 2)
        #expect(try world.state() == second)
        #expect(try world.sandbox.networks.undoWires().entry == 1)
        #expect(try world.state() == first)
        #expect(try world.refusal { _ = try world.sandbox.networks.undoWires() }.contains("nothing to undo"))
        #expect(try world.refusal { _ = try world.sandbox.networks.undoWires(1) }.contains("undone already"))
        #expect(try world.refusal { _ = try world.sandbox.networks.undoWires(3) }.contains("itself the undoing"))
        #expect(try world.refusal { _ = try world.sandbox.networks.undoWires(99) }.contains("no entry 99"))
        #expect(try world.violations() == [])
    }

    @Test("a quarantine that ended since does not stand in the way", arguments: Plan.families)
    func quarantineEnded(family: IPAddress.Family) throws {
        let world = try world(family)
        try world.merge("a", "b", into: "c")
        try world.sql("UPDATE address SET until = now() - interval '1 second' WHERE state = 'quarantined'")
        try world.sql(
            """
            UPDATE wire_journal SET after = regexp_replace(after::text, '"until": "2[^"]*"',
                '"until": "2020-01-01T00:00:00+00:00"', 'g')::jsonb
            """)
        _ = try world.sandbox.networks.undoWires()
        #expect(try world.violations() == [])
    }
}
