import Foundation
import Support
import Testing

/// The wire commands as a person types them: what they print, how wide, and with which status they end.
@Suite("Wires on the command line", .serialized)
struct WireCommandTests {
    private func tool() throws -> CommandLineTool {
        let tool = try CommandLineTool()
        for wire in ["depot-a", "depot-b", "other"] { try tool.run("wire", "create", wire) }
        for wire in ["depot-a", "depot-b"] {
            try tool.run(
                "subnet", "create", "\(wire)-net", "--wire", wire, "--cidr", "10.50.0.0/24", "--vlan", "50",
                "--gateway",
                "10.50.0.1")
        }
        return tool
    }

    @Test("a merge is planned with status 2, done, listed in the journal, and undone")
    func mergeAndUndo() throws {
        let tool = try tool()
        let plan = try tool.run("wire", "merge", "depot-a", "depot-b", "--into", "depot", "--dry-run")
        #expect(plan.status == 2)
        #expect(plan.output.contains("- subnet depot-b-net (10.50.0.0/24) of wire depot-b becomes one with subnet"))
        #expect(plan.output.hasSuffix("nothing was changed\n"))
        #expect(plan.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(try tool.json("wire", "list").count == 3)

        let planned = try tool.run("wire", "merge", "depot-a", "depot-b", "--into", "depot", "--dry-run", "-o", "json")
        #expect(planned.status == 2)
        let object = try JSONSerialization.jsonObject(with: Data(planned.output.utf8)) as? [String: Any]
        #expect((object?["steps"] as? [[String: Any]])?.first?["action"] as? String == "create")

        let done = try tool.run("wire", "merge", "depot-a", "depot-b", "--into", "depot")
        #expect(done.status == 0)
        #expect(done.output.contains("merged depot-a, depot-b into depot\nto take it back: wireloom wire undo "))
        let entry = try #require(try tool.json("wire", "journal").first)
        #expect(entry["summary"] as? String == "merged depot-a, depot-b into depot")
        #expect(entry["undone_by"] is NSNull)

        let refused = try tool.run("wire", "merge", "depot", "other", "--into", "depot", "--dry-run")
        #expect(refused.status == 2)
        #expect(try tool.run("wire", "undo", "--dry-run").status == 2)
        #expect(try tool.run("wire", "undo").status == 0)
        #expect(
            Set(try tool.json("wire", "list").compactMap { $0["name"] as? String }) == ["depot-a", "depot-b", "other"])
        let again = try tool.run("wire", "undo")
        #expect(again.status == 65)
        #expect(again.errors == "wireloom: there is nothing to undo; see: wireloom wire journal\n")
    }

    @Test("a suggestion tells its evidence and the command that accepts it")
    func suggest() throws {
        let tool = try tool()
        let text = try tool.run("wire", "suggest")
        #expect(text.output.contains("1-2  score 30"))
        #expect(text.output.contains("both have 10.50.0.0/24 on VLAN 50 with gateway 10.50.0.1"))
        #expect(text.output.contains("$ wireloom wire suggest --accept 1-2"))
        let suggestion = try #require(try tool.json("wire", "suggest").first)
        #expect(suggestion["id"] as? String == "1-2")
        #expect(try tool.run("wire", "suggest", "--accept", "1-2", "--dry-run").status == 2)
        #expect(try tool.run("wire", "suggest", "--reject", "1-2").status == 0)
        #expect(try tool.json("wire", "suggest").isEmpty)
        #expect(try tool.run("wire", "suggest", "--accept", "1-2").status == 65)
    }

    @Test("subnets and wires are listed with their use as a bar, in 80 columns, and a subnet with that of each pool")
    func use() throws {
        let tool = try tool()
        try tool.run("subnet", "pool", "add", "depot-a-net", "10.50.0.100-10.50.0.199")
        try tool.run("ip", "allocate", "depot-a-net", "-n", "20")
        for (listing, line) in [
            ("subnet", "depot-a-net  depot-a  10.50.0.0/24  50    yes   [#...      ]  20    80"),
            ("wire", "depot-a  -     person  0         0      1        [#...      ]  20    80"),
        ] {
            let listed = try tool.run(listing, "list").output
            #expect(listed.contains(line), "\(listed)")
            #expect(listed.split(separator: "\n").allSatisfy { $0.count <= 80 })
        }
        let pools = try tool.json("subnet", "show", "depot-a-net").first?["pools"] as? [[String: Any]]
        #expect(pools?.map { $0["held"] as? Int } == [20] && pools?.map { $0["free"] as? Int } == [80])
        #expect(try tool.run("wire", "show", "depot-a").output.contains("addresses: [#...      ] 20 held, 80 free"))
    }

    @Test("a wire is shown with its chain and its coverage, in 80 columns")
    func show() throws {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("lyon")
        try tool.run("wire", "create", "campus")
        for (name, cidr, vlan) in [("mgmt", "10.10.0.0/24", "10"), ("servers", "10.20.0.0/24", "20")] {
            try tool.run("subnet", "create", name, "--wire", "campus", "--cidr", cidr, "--vlan", vlan)
        }
        #expect(try tool.add(vcenter, as: "lyon").status == 0)
        try tool.run("sync", "--all", "--wait")
        let shown = try tool.run("wire", "show", "campus")
        #expect(shown.status == 0)
        for line in [
            "wire campus (id 1, no site, made by a person)", "account lyon",
            "  standard switch vSwitch0, native VLAN 1",
            "    why: linked by evidence; 1 management address supports it", "    hosts: lyon-1.example.com",
            "    Management Network: VLAN 10 -> mgmt",
        ] { #expect(shown.output.contains(line + "\n"), "\(line) in \(shown.output)") }
        let coverage = try tool.run("wire", "coverage", "campus")
        #expect(coverage.output.contains("missing"))
        for text in [shown.output, coverage.output] {
            #expect(text.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(text)")
        }
        #expect(try tool.json("wire", "show", "campus").first?["chain"] != nil)
        withExtendedLifetime(vcenter) {}
    }

    @Test("bad input is one sentence, with a status that says whose fault it is, and changes nothing")
    func badInput() throws {
        let tool = try tool()
        let before = try tool.json("wire", "list").compactMap { $0["name"] as? String }
        let cases: [([String], Int32)] = [
            (["merge", "other", "--into", "other"], 65), (["merge", "other", "other", "--into", "x"], 65),
            (["merge", "other", "99", "--into", "x"], 65), (["merge", "other", "depot-a", "--into", "99"], 65),
            (["merge", "other", "depot-a", "--into", "a\u{7}b"], 65),
            (["rename", "other", String(repeating: "x", count: 300)], 65), (["rename", "other", "depot-a"], 77),
            (["delete", "depot-a"], 77), (["delete", "nothing"], 65), (["undo", "99"], 65), (["undo", "x"], 64),
            (["coverage", "nothing"], 65), (["show", "nothing"], 65), (["suggest", "--reject", "9-9"], 65),
            (["suggest", "--accept", "1-2", "--reject", "1-2"], 64),
        ]
        for (words, status) in cases {
            let result = try tool.start(["wire"] + words).finish()
            #expect(result.status == status, "\(words): \(result.errors)")
            #expect(result.output.isEmpty)
            if status != 64 { #expect(result.errors.split(separator: "\n").count == 1) }
            #expect(!result.errors.contains("\u{7}"))
        }
        #expect(try tool.json("wire", "list").compactMap { $0["name"] as? String } == before)
    }
}
