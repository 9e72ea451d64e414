import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

@Suite("Suggestions of merges", .serialized)
struct SuggestTests {
    @Test("one CIDR, VLAN and gateway are suggested, accepted into one wire, and rejected for good")
    func sharedSubnet() throws {
        let world = try MergeWorld("a", "b", "c")
        for wire in ["a", "b", "c"] {
            try world.subnet("\(wire)-net", on: wire, "10.20.0.0/24", gateway: "10.20.0.1")
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

    @Test("a VM that keeps its address on a host of another wire speaks for one network")
    func movedMachine() throws {
        let sandbox = try Sandbox()
        let vcenter = try SimulatedVCenter(
            World.scenario("one", vms: [World.vm("a", "10.20.0.5/24", on: "esx-1")], hosts: 2))
        try sandbox.networks.createWire(name: "left", site: nil)
        try sandbox.networks.createWire(name: "right", site: nil)
        try sandbox.subnet("servers", on: "left", "10.20.0.0/24", vlan: 20)
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        for (host, wire) in [("esx-1", "left"), ("esx-2", "right")] {
            _ = try sandbox.networks.link(switch: "dvs", account: "one", host: host, toWire: wire, native: .one)
        }
        #expect(try sandbox.networks.suggestions().isEmpty)
        try vcenter.change(World.vm("a", "10.20.0.5/24", on: "esx-2"))
        try sandbox.sync("one")
        try #require(try sandbox.column("SELECT h.name FROM vm JOIN host h ON h.id = vm.host_id") == ["esx-2"])
        #expect(
            try sandbox.networks.suggestions().flatMap(\.evidence) == [
                "had one address on hosts of both: a with 10.20.0.5"
            ])
    }
}
