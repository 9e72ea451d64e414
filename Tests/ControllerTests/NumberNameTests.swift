import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

/// A wire or subnet that is called 7 would be taken for the one with the id 7.
@Suite("Names that are numbers") struct NumberNameTests {
    @Test("no wire or subnet is given a number for a name, in any way")
    func refused() throws {
        let sandbox = try Sandbox()
        let networks = sandbox.networks
        for name in ["a", "b"] { try networks.createWire(name: name, site: nil) }
        try sandbox.subnet("s", on: "a", "10.0.0.0/24", vlan: 1)
        try sandbox.subnet("t", on: "a", "10.0.1.0/24", vlan: 1)
        var edit = SubnetEdit()
        edit.name = "7"
        let named = edit
        let before = try sandbox.contents()
        for attempt: () throws -> Void in [
            { try networks.createWire(name: "7", site: nil) },
            { try networks.renameWire("a", to: "7") },
            { _ = try networks.mergeWires(["a", "b"], into: "7") },
            { try sandbox.subnet("7", on: "a", "10.1.0.0/24", vlan: 1) },
            { _ = try networks.updateSubnet("s", named) },
            { _ = try networks.splitSubnet("s", SubnetSplit(prefixLength: 25, names: ["7", "x"])) },
            { _ = try networks.mergeSubnets(["s", "t"], name: "7") },
        ] {
            do {
                try attempt()
                Issue.record("a number became a name")
            } catch {
                #expect("\(error)".contains("a number is no name"), "\(error)")
            }
        }
        #expect(try sandbox.contents() == before)
        try networks.createWire(name: "7a", site: nil)
    }

    @Test("where one's name is another's id, neither is taken for the other")
    func ambiguous() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "a", site: nil)
        try sandbox.networks.createWire(name: "b", site: nil)
        try sandbox.subnet("s", on: "a", "10.0.0.0/24", vlan: 1)
        try sandbox.subnet("t", on: "a", "10.0.1.0/24", vlan: 1)
        // As an older version let it happen.
        try sandbox.database.withConnection {
            try $0.script("UPDATE wire SET name = '1' WHERE name = 'b'; UPDATE subnet SET name = '1' WHERE name = 't'")
        }
        for attempt: () throws -> Void in [
            { _ = try sandbox.networks.deleteWire("1", force: true) },
            { _ = try sandbox.networks.deleteSubnet("1", force: true) },
        ] {
            let error = #expect(throws: NetworkError.self) { try attempt() }
            #expect(error?.code == .ambiguousName)
        }
        try sandbox.networks.renameWire("2", to: "b")
        _ = try sandbox.networks.deleteSubnet("s", force: true)
        #expect(try sandbox.column("SELECT name FROM subnet") == ["1"])
    }
}
