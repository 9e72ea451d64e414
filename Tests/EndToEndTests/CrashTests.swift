import Foundation
import Support
import Testing

@Suite("Crashes", .serialized)
struct CrashTests {
    @Test("kill -9 in the middle of a sync leaves the data as it was, and the next sync succeeds without help")
    func killed() throws {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("paris")
        #expect(try tool.add(vcenter, as: "paris").status == 0)
        try vcenter.inject(.delay(milliseconds: 60_000), method: "WaitForUpdatesEx")
        let running = try tool.start(["sync", "paris", "--wait"])
        try until("it reads") { try tool.json("job", "list").contains { $0["phase"] as? String == "reading" } }
        kill(running.process.processIdentifier, SIGKILL)
        _ = try running.finish()
        try vcenter.clearFaults()
        #expect(try tool.json("vm", "list").isEmpty)

        let result = try tool.run("sync", "paris", "--wait")
        #expect(result.status == 0, "\(result.errors)")
        #expect(try tool.json("vm", "list").count == 14)
    }

    @Test("serve syncs by schedule, stops on SIGTERM with status 0, and goes on after a restart")
    func served() throws {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("tokyo")
        #expect(try tool.add(vcenter, as: "tokyo", "--every", "1s").status == 0)
        func ended() throws -> Int {
            try tool.json("job", "list").count { $0["state"] as? String == "findings" }
        }
        for round in 1...2 {
            let before = try ended()
            let server = try tool.start(["serve", "--workers", "2"])
            try until("two syncs ended") { try ended() >= before + 2 }
            kill(server.process.processIdentifier, SIGTERM)
            #expect(try server.finish().status == 0, "round \(round)")
        }
        #expect(try tool.json("job", "list").allSatisfy { $0["state"] as? String != "failed" })
        withExtendedLifetime(vcenter) {}
    }
}
