import Foundation
import Support
import Testing

@Suite("Interrupts", .serialized)
struct InterruptTests {
    @Test(
        "a signal to sync --wait gives its jobs back and stops the private PostgreSQL, and the next sync has them at once",
        arguments: [SIGINT, SIGTERM, SIGHUP])
    func sync(_ number: Int32) throws {
        // Whoever ignores it, as nohup does, hands that on.
        signal(number, SIG_DFL)
        let tool = try CommandLineTool(scratch: nil)
        defer { try? FileManager.default.removeItem(atPath: tool.home) }
        let vcenter = try SimulatedVCenter.demo("tokyo")
        #expect(try tool.add(vcenter, as: "tokyo").status == 0)
        try vcenter.inject(.delay(milliseconds: 300_000), method: "WaitForUpdatesEx")
        let sync = try tool.start(["sync", "tokyo", "--wait", "--lease", "1h"])
        try until("it reads") { try vcenter.statistics().running["WaitForUpdatesEx"] == 1 }
        // `timeout` tells the process, and then the group that it is in.
        sync.send(number)
        Thread.sleep(forTimeInterval: 0.02)
        sync.send(number)
        #expect(try sync.finish().status == -number)
        #expect(!isServed(tool))
        try vcenter.clearFaults()

        let next = try tool.run("sync", "tokyo", "--wait")
        #expect(next.status == 0, "\(next.errors)")
        let jobs = try tool.json("job", "list")
        #expect(jobs.map { $0["attempt"] as? Int } == [2])
        #expect(try tool.run("job", "log", "1").output.contains(" was stopped; the job is queued again"))
    }

    @Test("a signal to a command that only waits stops the private PostgreSQL, but not one that another command uses")
    func watch() throws {
        let tool = try CommandLineTool(scratch: nil)
        defer { try? FileManager.default.removeItem(atPath: tool.home) }
        let vcenter = try SimulatedVCenter.demo("tokyo")
        #expect(try tool.add(vcenter, as: "tokyo").status == 0)
        try tool.all([["sync", "tokyo"]])
        let watches = try (0..<2).map { _ in try tool.start(["job", "watch", "1"]) }
        try until("both follow it") { watches.allSatisfy { $0.errorsSoFar.contains("queued") } }
        for (watch, isLast) in zip(watches, [false, true]) {
            watch.send(SIGTERM)
            #expect(try watch.finish().status == -SIGTERM)
            #expect(isServed(tool) == !isLast)
        }
        withExtendedLifetime(vcenter) {}
    }

    @Test("serve ends with status 0 when its terminal goes away, too")
    func hangUp() throws {
        signal(SIGHUP, SIG_DFL)
        let tool = try CommandLineTool()
        let server = try tool.start(["serve", "--workers", "1"])
        try until("it serves") { server.errorsSoFar.contains("serving") }
        server.send(SIGHUP)
        #expect(try server.finish().status == 0)
    }

    /// Whether the private PostgreSQL runs.
    private func isServed(_ tool: CommandLineTool) -> Bool {
        FileManager.default.fileExists(atPath: "\(tool.home)/cluster/data/postmaster.pid")
    }
}
