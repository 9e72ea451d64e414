import Foundation
import Postgres
import Support
import Testing

@Suite("Accounts", .serialized)
struct AccountTests {
    @Test("a disabled account is not synced, though a sync of it was queued or is tried again")
    func disabled() throws {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("tokyo")
        #expect(try tool.add(vcenter, as: "tokyo", "--every", "1h").status == 0)
        try tool.all([["sync", "tokyo"]])
        try tool.all([["account", "disable", "tokyo"]])
        #expect(
            try tool.database.column("SELECT state || ' ' || canceled_by FROM job ORDER BY id")
                == ["canceled account disable"])

        try tool.all([["job", "retry", "1"]])
        let server = try tool.start(["serve", "--workers", "1"])
        try until("the retry has ended") {
            try tool.database.count("SELECT count(*) FROM job WHERE id = 2 AND finished_at IS NOT NULL") == 1
        }
        server.send(SIGTERM)
        #expect(try server.finish().status == 0)
        #expect(
            try tool.database.column("SELECT concat_ws(' | ', state, error_code, error) FROM job WHERE id = 2") == [
                "failed | account_disabled | account tokyo is disabled; run: wireloom account enable tokyo"
            ])
        #expect(try vcenter.statistics().calls["WaitForUpdatesEx"] ?? 0 == 0)
        #expect(try tool.json("vm", "list").isEmpty)

        try tool.all([["account", "enable", "tokyo"]])
        #expect(try tool.run("sync", "tokyo", "--wait").status == 0)
        #expect(try !tool.json("vm", "list").isEmpty)
    }

    @Test("an account is found by its id wherever a name is asked for, and no name is a number")
    func ids() throws {
        let tool = try CommandLineTool()
        let vcenters = try ["tokyo", "lyon"].map { try SimulatedVCenter.demo($0) }
        for (vcenter, name) in zip(vcenters, ["tokyo", "lyon"]) { #expect(try tool.add(vcenter, as: name).status == 0) }
        let listed = try tool.json("account", "list")
        let id = try #require(listed.first { $0["name"] as? String == "lyon" }?["id"] as? Int)
        #expect(listed.count == 2)
        #expect(try tool.json("account", "show", "\(id)").map { $0["name"] as? String } == ["lyon"])
        #expect(try tool.run("account", "test", "\(id)").output.hasPrefix("account lyon: "))
        #expect(try tool.run("sync", "\(id)", "--wait").status == 0)
        for kind in ["host", "switch", "portgroup", "vm", "job"] {
            let named = try tool.start([kind, "list", "--account", "lyon", "-o", "json"]).finish()
            #expect(named.output.contains("\"account\""), "\(kind)")
            #expect(try tool.run(kind, "list", "--account", "\(id)", "-o", "json").output == named.output, "\(kind)")
        }

        for words in [["account", "update", "lyon", "--rename", "7"], ["account", "update", "7", "--site", "x"]] {
            let result = try tool.start(words).finish()
            #expect(result.status == 65, "\(result.errors)")
        }
        let numbered = try tool.add(vcenters[0], as: "42")
        #expect(numbered.status == 65)
        #expect(
            numbered.errors
                == "wireloom: the account name \"42\" is a number, and a number is no name: it would be taken for an id\n"
        )

        // An older wireloom allowed it: the name goes before the id.
        try tool.database.withConnection { try $0.script("UPDATE account SET name = '\(id)' WHERE name = 'tokyo'") }
        #expect(try tool.run("account", "disable", "\(id)").status == 0)
        #expect(try tool.database.column("SELECT name FROM account WHERE NOT enabled") == ["\(id)"])
        #expect(try tool.run("account", "remove", "lyon").output == "account lyon removed\n")
        #expect(try tool.json("account", "list").map { $0["name"] as? String } == ["\(id)"])
    }
}
