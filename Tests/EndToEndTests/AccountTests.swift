import Foundation
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
}
