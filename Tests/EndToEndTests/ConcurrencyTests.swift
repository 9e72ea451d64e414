import Foundation
import Support
import Testing

/// Twenty vCenters on one campus, eight workers: what is promised of them together.
@Suite("Concurrency", .serialized)
struct ConcurrencyTests {
    private static let accounts = 20
    private static let machines = 50
    private static let hosts = 2
    private static let width = 8

    private static func vcenter(_ index: Int) throws -> SimulatedVCenter {
        var generator = Scenario.Generator(hosts: hosts, vms: machines, portGroups: 1)
        generator.network = "10.64.\(index).0"
        generator.prefixLength = 24
        generator.management = "10.63.\(4 * index).0"
        var scenario = Scenario(name: "center-\(index)")
        scenario.generate = [generator]
        return try SimulatedVCenter(scenario)
    }

    @Test("twenty accounts sync eight at a time, never two of one, and go on so through a stop and a kill of serve")
    func together() throws {
        let tool = try CommandLineTool()
        let database = try tool.database
        try tool.all([["wire", "create", "campus"]])
        try tool.all([
            ["subnet", "create", "servers", "--wire", "campus", "--cidr", "10.64.0.0/16", "--vlan", "101"],
            ["subnet", "create", "management", "--wire", "campus", "--cidr", "10.63.0.0/16", "--vlan", "100"],
        ])
        let vcenters = try (0..<Self.accounts).map(Self.vcenter)
        let additions = try vcenters.enumerated().map { index, vcenter in
            try tool.startAdding(vcenter, as: "center-\(index)", ["--every", "2s"])
        }
        for addition in additions {
            let result = try addition.finish()
            #expect(result.status == 0, "\(result.errors)")
        }

        // Each reading is held up until eight are: with every lane taken, no ninth may have begun.
        for vcenter in vcenters {
            try vcenter.resetStatistics()
            try vcenter.inject(.delay(milliseconds: 300_000), method: "WaitForUpdatesEx")
        }
        let sync = try tool.start(["sync", "--all", "--wait", "--workers", "\(Self.width)"])
        try until("as many read as there are workers") {
            try database.count("SELECT count(*) FROM job WHERE phase = 'reading'") >= Self.width
        }
        #expect(try database.count("SELECT count(*) FROM job WHERE state = 'running'") == Self.width)
        for vcenter in vcenters { try vcenter.clearFaults() }
        let result = try sync.finish()
        #expect(result.status == 0, "\(result.errors)")
        let first = try JobIntervals(database)
        #expect(first.all.count == Self.accounts)
        #expect(first.most == Self.width)
        #expect(try vcenters.map { try $0.statistics().sessionsMax } == vcenters.map { _ in 1 })
        try everythingIsPlaced(tool)

        try serve(tool, vcenters)
        let all = try JobIntervals(database)
        #expect(all.all.count >= 4 * Self.accounts)
        #expect(all.most == Self.width)
        #expect(all.mostOfOneWorker == Self.width)
        #expect(all.mostOfOneSubject == 1)
        try everythingIsPlaced(tool)
    }

    /// Several rounds by schedule: by two servers, then by one through a stop, a start, a kill in the middle of syncs, and a start.
    private func serve(_ tool: CommandLineTool, _ vcenters: [SimulatedVCenter]) throws {
        let database = try tool.database
        func now() throws -> String { try database.column("SELECT clock_timestamp()")[0] }
        /// The syncs, begun since, of the account that has the fewest.
        func rounds(since begin: String) throws -> Int {
            try database.count(
                """
                SELECT min(n) FROM (
                    SELECT count(j.id) AS n FROM account a LEFT JOIN job j
                        ON j.label = a.name AND j.started_at > '\(begin)' AND j.state IN ('succeeded', 'findings')
                    GROUP BY a.id) t
                """)
        }
        func serve(workers: Int = Self.width) throws -> CommandLineTool.Running {
            try tool.start(["serve", "--workers", "\(workers)", "--lease", "3s"])
        }
        /// No two syncs of an account at once, as the vCenters have it.
        func sessionsAreAlone() throws {
            #expect(try vcenters.map { try $0.statistics().sessionsMax } == vcenters.map { _ in 1 })
        }

        for vcenter in vcenters { try vcenter.resetStatistics() }
        let start = try now()
        let pair = try [serve(workers: Self.width / 2), serve(workers: Self.width / 2)]
        let workers = Set(pair.map { "\($0.process.processIdentifier)" })
        try until("each synced, and both servers did some of it") {
            try rounds(since: start) >= 1
                && workers
                    == Set(
                        database.column(
                            "SELECT DISTINCT split_part(worker, ':', 2) FROM job WHERE started_at > '\(start)'"))
        }
        for server in pair { server.send(SIGTERM) }
        for server in pair { #expect(try server.finish().status == 0) }
        try sessionsAreAlone()

        for vcenter in vcenters { try vcenter.resetStatistics() }
        let begin = try now()
        var server = try serve()
        try until("each synced") { try rounds(since: begin) >= 1 }
        server.send(SIGTERM)
        #expect(try server.finish().status == 0)
        #expect(try database.count("SELECT count(*) FROM job WHERE state = 'running'") == 0)

        server = try serve()
        try until("each synced again") { try rounds(since: begin) >= 2 }
        try sessionsAreAlone()
        for vcenter in vcenters { try vcenter.inject(.delay(milliseconds: 300_000), method: "WaitForUpdatesEx") }
        try until("all workers read") {
            try database.count("SELECT count(*) FROM job WHERE state = 'running' AND phase = 'reading'") >= Self.width
        }
        server.send(SIGKILL)
        _ = try server.finish()
        for vcenter in vcenters { try vcenter.clearFaults() }

        let kill = try now()
        server = try serve()
        try until("each synced after the kill") { try rounds(since: kill) >= 1 }
        #expect(try rounds(since: begin) >= 3)
        server.send(SIGTERM)
        #expect(try server.finish().status == 0)
        let lost = try database.column("SELECT message FROM job_event WHERE code = 'worker_lost'")
        #expect(lost.count == Self.width, "each job of the killed worker says so")
        #expect(
            try database.column("SELECT error FROM job WHERE state = 'failed' AND error_code <> 'worker_lost'") == [])
    }

    private func everythingIsPlaced(_ tool: CommandLineTool) throws {
        let database = try tool.database
        #expect(try database.count("SELECT count(*) FROM vm") == Self.accounts * Self.machines)
        let addresses = Self.accounts * (Self.machines + Self.hosts)
        #expect(try database.column("SELECT count(*) FROM placement GROUP BY reason") == ["\(addresses)"])
        #expect(try database.count("SELECT count(*) FROM placement WHERE reason IS NULL") == addresses)
        #expect(try database.count("SELECT count(*) FROM address WHERE state = 'held'") == addresses)
        #expect(try database.column("SELECT DISTINCT w.name FROM link l JOIN wire w ON w.id = l.wire_id") == ["campus"])
    }
}
