import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

@Suite("Suggestions of merges", .serialized)
struct SuggestTests {
    @Test(
        "one CIDR, VLAN and gateway are suggested, accepted into one wire, and rejected for good",
        arguments: Plan.families)
    func sharedSubnet(family: IPAddress.Family) throws {
        let plan = Plan(family: family)
        let world = try MergeWorld("a", "b", "c")
        for wire in ["a", "b", "c"] {
            try world.subnet("\(wire)-net", on: wire, "\(plan.cidr(bits: 8))", gateway: "\(plan.ip(1))")
        }
        let networks = world.sandbox.networks
        #expect(try networks.suggestions().map(\.id) == ["1-2", "1-3", "2-3"])
        #expect(try networks.rejectSuggestion("2-3").wires == ["b", "c"])
        #expect(try networks.suggestions().map(\.id) == ["1-2", "1-3"])
        _ = try networks.acceptSuggestion("1-2")
        // What was said of b holds of the wire that it went into.
        #expect(try world.column("SELECT name FROM wire ORDER BY 1") == ["a", "c"])
        #expect(try networks.suggestions().map(\.id) == [])
        _ = try networks.undoWires()
        #expect(try networks.suggestions().map(\.id) == ["1-2", "1-3"])
        let gone = try world.refusal { _ = try networks.acceptSuggestion("7-9") }
        #expect(gone.contains("there is no suggestion \"7-9\""))
    }

    @Test("a rejection is audited with its wires' names, and by whom")
    func audited() throws {
        let world = try MergeWorld("a", "b")
        for wire in ["a", "b"] { try world.subnet("\(wire)-net", on: wire, "10.20.0.0/24", gateway: "10.20.0.1") }
        _ = try world.sandbox.networks.rejectSuggestion("1-2")
        let rows = try world.sandbox.database.withConnection {
            try Listing.audit.rows(["rejection", nil, nil], in: $0)
        }
        #expect(rows.map { $0["action"].text } == ["create"])
        #expect(rows.map { $0["name"].text } == ["a and b"])
        #expect(rows.map { $0["by"].text } == ["tester"])
    }

    /// A VM on the first of two hosts of one switch, with an address of each family.
    private func moving() throws -> (Sandbox, SimulatedVCenter) {
        let sandbox = try Sandbox()
        let vcenter = try SimulatedVCenter(
            World.scenario(
                "one", vms: [World.vm("a", "10.20.0.5/24", "fd00:20::5/64", on: "esx-1")], hosts: 2))
        for wire in ["left", "right"] { try sandbox.networks.createWire(name: wire, site: nil) }
        try sandbox.subnet("left-4", on: "left", "10.20.0.0/24", vlan: 20)
        try sandbox.subnet("left-6", on: "left", "fd00:20::/64", vlan: 20)
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        return (sandbox, vcenter)
    }

    private func kept(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.networks.suggestions().flatMap(\.evidence).filter { $0.hasPrefix("had one address") }
    }

    private func link(_ sandbox: Sandbox, _ wire: String, host: String? = nil) throws {
        _ = try sandbox.networks.link(switch: "dvs", account: "one", host: host, toWire: wire, native: .one)
    }

    private func move(_ sandbox: Sandbox, _ vcenter: SimulatedVCenter, to host: String) throws {
        try vcenter.change(World.vm("a", "10.20.0.5/24", "fd00:20::5/64", on: host))
        try sandbox.sync("one")
        try #require(try sandbox.column("SELECT h.name FROM vm JOIN host h ON h.id = vm.host_id") == [host])
    }

    @Test("a VM that keeps its address on a host of another wire speaks for one network")
    func movedMachine() throws {
        let (sandbox, vcenter) = try moving()
        try link(sandbox, "left", host: "esx-1")
        try link(sandbox, "right", host: "esx-2")
        #expect(try kept(sandbox) == [])
        try move(sandbox, vcenter, to: "esx-2")
        let evidence = ["had one address on hosts of both: a with 10.20.0.5 and a with fd00:20::5"]
        #expect(try kept(sandbox) == evidence)
        // Placed there, too, the history knows it of both.
        try sandbox.subnet("right-4", on: "right", "10.20.0.0/24", vlan: 20)
        try sandbox.subnet("right-6", on: "right", "fd00:20::/64", vlan: 20)
        #expect(try sandbox.placements(of: "one") == ["a 10.20.0.5 -> right-4", "a fd00:20::5 -> right-6"])
        #expect(try kept(sandbox) == evidence)
    }

    @Test("a VM that stays while its switch is linked elsewhere, and back, has kept nothing")
    func relinked() throws {
        let (sandbox, _) = try moving()
        try link(sandbox, "left")
        try link(sandbox, "right")
        #expect(try sandbox.placements(of: "one").allSatisfy { $0.hasSuffix("other_wire") })
        #expect(try kept(sandbox) == [])
        try sandbox.subnet("right-4", on: "right", "10.20.0.0/24", vlan: 20)
        try sandbox.subnet("right-6", on: "right", "fd00:20::/64", vlan: 20)
        #expect(try sandbox.placements(of: "one") == ["a 10.20.0.5 -> right-4", "a fd00:20::5 -> right-6"])
        #expect(try kept(sandbox) == [])
        try link(sandbox, "left")
        #expect(try sandbox.placements(of: "one") == ["a 10.20.0.5 -> left-4", "a fd00:20::5 -> left-6"])
        #expect(try kept(sandbox) == [])
    }

    @Test("a VM that moved within a wire has not moved to the one that its switch is linked to since")
    func movedThenRelinked() throws {
        let (sandbox, vcenter) = try moving()
        try link(sandbox, "left")
        try move(sandbox, vcenter, to: "esx-2")
        try link(sandbox, "right")
        #expect(try kept(sandbox) == [])
    }

    @Test("a merge that was undone leaves no evidence behind")
    func undone() throws {
        let (sandbox, _) = try moving()
        try link(sandbox, "left")
        try sandbox.subnet("right-4", on: "right", "10.20.0.0/24", vlan: 20)
        _ = try sandbox.networks.mergeWires(["left", "right"], into: "right")
        _ = try sandbox.networks.undoWires()
        #expect(try sandbox.placements(of: "one") == ["a 10.20.0.5 -> left-4", "a fd00:20::5 -> left-6"])
        #expect(try kept(sandbox) == [])
    }
}
