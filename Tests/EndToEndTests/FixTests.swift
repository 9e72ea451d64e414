import Foundation
import Support
import Testing

/// Each reason's printed command, run as a person would (DESIGN.md 3.4).
@Suite("Fixes", .serialized)
struct FixTests {
    /// Two accounts' demo worlds, and what was configured for them.
    private func demo(_ names: [String]) throws -> (CommandLineTool, [SimulatedVCenter]) {
        let tool = try CommandLineTool()
        for wire in ["campus", "depot-a", "depot-b"] { try tool.run("wire", "create", wire) }
        func subnet(_ name: String, _ wire: String, _ cidr: String, _ vlan: Int) throws {
            let result = try tool.run(
                "subnet", "create", name, "--wire", wire, "--cidr", cidr, "--vlan", "\(vlan)")
            #expect(result.status == 0, "\(result.errors)")
        }
        try subnet("management", "campus", "10.10.0.0/24", 10)
        try subnet("servers", "campus", "10.20.0.0/24", 20)
        try subnet("apps", "campus", "10.30.0.0/23", 30)
        try subnet("test-40", "campus", "10.40.0.0/24", 40)
        try subnet("test-41", "campus", "10.40.0.0/24", 41)
        try subnet("depot-a", "depot-a", "10.50.0.0/24", 50)
        try subnet("depot-b", "depot-b", "10.50.0.0/24", 50)
        var vcenters: [SimulatedVCenter] = []
        for name in names {
            let vcenter = try SimulatedVCenter.demo(name)
            vcenters.append(vcenter)
            #expect(try tool.add(vcenter, as: name).status == 0)
        }
        #expect(try tool.run("sync", "--all", "--wait").status == 0)
        return (tool, vcenters)
    }

    private func unplaced(_ tool: CommandLineTool) throws -> [(ip: String, reason: String, fix: [String])] {
        try tool.json("vm", "list", "--unplaced").flatMap { $0["unplaced"] as? [[String: Any]] ?? [] }.map {
            (
                "\($0["ip"] ?? "")", "\($0["reason"] ?? "")",
                "\($0["fix"] ?? "")".split(separator: "\n").map(String.init)
            )
        }
    }

    @Test("the commands that change something place the address, without a visit to the vCenter")
    func changing() throws {
        let (tool, vcenters) = try demo(["paris", "lyon", "lab-esxi"])
        for reason in ["no_subnet", "no_link", "other_wire", "vlan_mismatch"] {
            let one = try #require(
                try unplaced(tool).first { $0.reason == reason && !$0.fix[0].hasPrefix("wireloom explain") },
                "\(reason)")
            let shown = try tool.run("fix", one.ip)
            #expect(shown.status == 0, "\(shown.errors)")
            #expect(shown.output.contains("$ \(one.fix[0])"), "\(shown.output)")
            #expect(shown.output.contains("dry run: "))
            #expect(try unplaced(tool).contains { $0.ip == one.ip && $0.reason == reason }, "a rehearsal changed it")
            let done = try tool.run("fix", one.ip, "--choose", "1")
            #expect(done.status == 0, "\(reason): \(done.errors)")
            #expect(try unplaced(tool).filter { $0.ip == one.ip }.isEmpty, "\(reason): \(done.output)")
        }
        withExtendedLifetime(vcenters) {}
    }

    @Test("the commands that only show say what stands in the way")
    func showing() throws {
        let (tool, vcenters) = try demo(["paris"])
        for reason in ["unmapped", "ambiguous", "held_by_other"] {
            let one = try #require(try unplaced(tool).first { $0.reason == reason }, "\(reason)")
            let shown = try tool.run("fix", one.ip)
            #expect(shown.output.contains("only shows; it changes nothing"), "\(shown.output)")
            let done = try tool.run("fix", one.ip, "--choose", "1")
            #expect(done.status == 0)
            #expect(done.output.contains(one.ip))
        }
        withExtendedLifetime(vcenters) {}
    }

    @Test("a fix for what is placed, or for a command that is not there, is refused")
    func refused() throws {
        let tool = try CommandLineTool()
        #expect(try tool.run("fix", "10.0.0.1").status == 65)
        #expect(try tool.run("fix", "10.0.0.01").status == 65)
    }
}
