import Foundation
import Testing

/// Splitting, merging, moving, exporting and applying as a person types it.
@Suite("The network from the command line", .serialized)
struct NetworkAsCodeTests {
    private func campus() throws -> CommandLineTool {
        let tool = try CommandLineTool()
        try tool.run("wire", "create", "campus", "--site", "france")
        try tool.run("wire", "create", "lab")
        let result = try tool.run(
            "subnet", "create", "servers", "--wire", "campus", "--cidr", "10.20.0.0/24", "--vlan", "20", "--gateway",
            "10.20.0.1", "--pool", "10.20.0.100-10.20.0.199")
        #expect(result.status == 0, "\(result.errors)")
        return tool
    }

    @Test("a plan ends with 2 and changes nothing; the deed ends with 0 and prints the same")
    func plans() throws {
        let tool = try campus()
        for words in [
            ["subnet", "split", "servers", "--into", "25", "--names", "web,db", "--gateway", "10.20.0.129"],
            ["subnet", "move", "db", "--to", "lab"],
        ] {
            let before = try tool.run("export").output
            let planned = try tool.start(words + ["--dry-run"]).finish()
            #expect(planned.status == 2, "\(planned.errors)")
            #expect(try tool.run("export").output == before)
            let done = try tool.start(words).finish()
            #expect(done.status == 0, "\(done.errors)")
            #expect(planned.output == done.output + "nothing was changed: this was a dry run\n")
        }
        let again = try tool.run("subnet", "move", "db", "--to", "lab", "--dry-run")
        #expect(again.status == 0 && again.output.contains("nothing to do"))
        let refused = try tool.run("subnet", "merge", "web", "db")
        #expect(refused.status == 77)
        #expect(refused.errors.contains("the wires differ: campus of web, lab of db"))
        #expect(refused.errors.contains("the gateways differ"))
        #expect(try tool.run("subnet", "merge", "web", "db", "-o", "csv").status != 0)
        let plan = try tool.run("subnet", "split", "web", "--into", "/26", "--dry-run", "-o", "json")
        let json = try JSONSerialization.jsonObject(with: Data(plan.output.utf8)) as? [String: Any]
        #expect(json?["operation"] as? String == "split" && json?["dry_run"] as? Bool == true)
        #expect((json?["after"] as? [[String: Any]])?.map { $0["name"] as? String } == ["web-1", "web-2"])
    }

    @Test("what was exported is applied without a change, and an edited file makes its change")
    func roundTrip() throws {
        let tool = try campus()
        let yaml = try tool.run("export").output
        #expect(yaml.contains("# Subnets"))
        for words in [
            ["apply", "-f", "-", "--dry-run"], ["apply", "-f", "-", "--prune", "--dry-run"], ["apply", "-f", "-"],
        ] {
            let result = try tool.start(words, input: yaml).finish()
            #expect(result.status == 0, "\(result.errors)")
            #expect(result.output.contains("nothing to do"))
        }
        let edited = yaml.replacing("gateway: 10.20.0.1", with: "gateway: 10.20.0.2")
        let file = tool.home + "/network.yaml"
        try Data(edited.utf8).write(to: URL(fileURLWithPath: file))
        let planned = try tool.run("apply", "-f", file, "--dry-run", "-o", "json")
        #expect(planned.status == 2)
        let json = try JSONSerialization.jsonObject(with: Data(planned.output.utf8)) as? [String: Any]
        let changes = json?["changes"] as? [[String: Any]] ?? []
        #expect(changes.map { $0["action"] as? String } == ["update"])
        let done = try tool.run("apply", "-f", file)
        #expect(done.status == 0 && done.output.contains("~ subnet servers: gateway 10.20.0.1 -> 10.20.0.2"))
        #expect(try tool.run("export", "-o", file).status == 0)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == edited)
    }

    @Test("a bad file is told with line and column, and changes nothing")
    func badFiles() throws {
        let tool = try campus()
        let before = try tool.run("export").output
        for (text, words) in [
            ("wires:\n  - name: campus\n    colour: red\n", "line 3, column 5: a wire has no key \"colour\""),
            ("subnets:\n  - {name: a, wire: campus, cidr: 10.0.0.1/24}\n", "line 2, column 35"),
            (
                "subnets:\n  - {name: a, wire: nowhere, cidr: 10.0.0.0/24}\n",
                "line 2, column 5: there is no wire \"nowhere\""
            ),
            ("", "the file is empty"),
        ] {
            let result = try tool.run("apply", "-f", "-", input: text)
            #expect(result.status == 65)
            #expect(result.errors.contains(words), "\(result.errors)")
            #expect(result.errors.hasPrefix("wireloom: standard input: "))
        }
        #expect(try tool.run("apply", "-f", "/nonexistent/file").status == 66)
        #expect(try tool.run("export").output == before)
    }

    @Test(
        "bad words for subnets are one sentence with the status of bad data or of a rule",
        arguments: [
            ["subnet", "create", "s", "--wire", "campus", "--cidr", "10.0.0.5/24"],
            ["subnet", "create", "s", "--wire", "campus", "--cidr", "010.0.0.0/24"],
            ["subnet", "create", "s", "--wire", "campus", "--cidr", "10.0. 0.0/24"],
            ["subnet", "create", "s", "--wire", "campus", "--cidr", "::ffff:10.0.0.0/120"],
            ["subnet", "create", "s", "--wire", "campus", "--cidr", "0.0.0.0/0"],
            ["subnet", "create", "s", "--wire", "campus", "--cidr", "10.0.0.0/24", "--vlan", "4095"],
            ["subnet", "create", "s", "--wire", "campus", "--cidr", "10.0.0.0/24", "--vlan=-1"],
            ["subnet", "split", "servers", "--into", "24"],
            ["subnet", "split", "servers", "--into", "33"],
            ["subnet", "split", "servers", "--into", "half"],
            ["subnet", "split", "99999", "--into", "25"],
            ["subnet", "split", "servers", "--into", "25", "--gateway", "10.20.0.128"],
            ["subnet", "merge", "servers", "servers"],
            ["subnet", "merge", "servers", "nothing"],
            ["subnet", "move", "servers", "--to", "nowhere"],
        ])
    func bad(words: [String]) throws {
        let tool = try campus()
        let before = try tool.run("export").output
        let result = try tool.start(words).finish()
        #expect([65, 77].contains(result.status), "\(result.status) \(result.errors)")
        #expect(
            result.errors.hasPrefix("wireloom: ") && result.errors.split(separator: "\n").count == 1, "\(result.errors)"
        )
        #expect(try tool.run("export").output == before)
    }
}
