import Foundation
import Postgres
import Support
import Testing

/// Two wireloom processes on one database, one of which stands still in the middle of a sync until the other has done it.
@Suite("Takeover", .serialized)
struct TakeoverTests {
    enum Stall: CaseIterable {
        /// With the vCenter's answer unread, past its lease.
        case reading
        /// At the first statement of the final transaction, past its lease.
        case merging
        /// There too, but for a moment only: the database has given it up, while its own clock still trusts the lease.
        case mergingInGoodFaith
        /// With the job's row locked, within its final transaction and past its lease: nobody may take the job before the database
        /// has ended that transaction.
        case ending
    }

    @Test(
        "I6: a worker that wakes after its lease writes nothing, and the job says who took over",
        arguments: Stall.allCases)
    func fenced(_ stall: Stall) throws {
        let tool = try CommandLineTool()
        let database = try tool.database
        let vcenter = try SimulatedVCenter(Self.scenario(["10.2.0.1", "10.2.0.2"]))
        try tool.all([["wire", "create", "campus"]])
        try tool.all([["subnet", "create", "servers", "--wire", "campus", "--cidr", "10.2.0.0/24", "--vlan", "20"]])
        #expect(try tool.add(vcenter, as: "one").status == 0)
        try tool.all([["sync", "one", "--wait"]])
        let lease = stall == .mergingInGoodFaith ? "1h" : "2s"

        // What the stalled worker has read is not what the other reads.
        try vcenter.become(Self.scenario(["10.2.0.3", "10.2.0.2"]))
        let topologyLock = try database.connect()
        defer { topologyLock.close() }
        var brakes: Brakes?
        switch stall {
        case .reading: try vcenter.inject(.delay(milliseconds: 300_000), method: "WaitForUpdatesEx", count: 1)
        case .merging, .mergingInGoodFaith: _ = try topologyLock.query("SELECT pg_advisory_lock(7001, 0)::text")
        case .ending:
            // Not the minute that is usual.
            try topologyLock.script(
                "ALTER DATABASE \(#require(tool.scratch).name) SET idle_in_transaction_session_timeout = '5s'")
            brakes = try Brakes(database, [.init(account: "one", moment: .ending, vcenter: vcenter)])
        }
        let sleeper = try tool.start(["serve", "--workers", "1", "--lease", lease])
        switch stall {
        case .reading: try until("it reads") { try vcenter.statistics().running["WaitForUpdatesEx"] == 1 }
        case .merging, .mergingInGoodFaith:
            try until("it is in its final transaction") { try Self.waiting(for: database) == 1 }
        case .ending: try until("it has its job's row") { try brakes?.hold() == true }
        }
        sleeper.send(SIGSTOP)
        try brakes?.release()
        try vcenter.clearFaults()
        try until("its answer is on the way") { (try vcenter.statistics().running["WaitForUpdatesEx"] ?? 0) == 0 }
        try vcenter.become(Self.scenario(["10.2.0.4", "10.2.0.2", "10.2.0.5"]))
        let job = try database.count("SELECT max(id) FROM job")
        if stall == .mergingInGoodFaith {
            try database.withConnection {
                _ = try $0.execute("UPDATE job SET lease_until = now() - interval '1 s' WHERE state = 'running'")
            }
        }

        let successor = try tool.start(["serve", "--workers", "1", "--lease", "30s"])
        if stall == .merging || stall == .mergingInGoodFaith {
            try until("both are in the final transaction") { try Self.waiting(for: database) == 2 }
            topologyLock.close()
        }
        try until("the job is done") {
            try database.count("SELECT count(*) FROM job WHERE id = \(job) AND attempt = 2 AND finished_at IS NOT NULL")
                == 1
        }
        successor.send(SIGTERM)
        #expect(try successor.finish().status == 0)
        let versions = try Self.rowVersions(database)
        let record = try Self.record(of: job, in: database)

        sleeper.send(SIGCONT)
        try until("it knows that the job is lost, or has written") {
            try sleeper.errorsSoFar.contains(Self.lost) || Self.rowVersions(database) != versions
        }
        #expect(sleeper.errorsSoFar.contains(Self.lost))
        #expect(try Self.rowVersions(database) == versions)
        #expect(try Self.record(of: job, in: database) == record)
        #expect(
            try database.column("SELECT host(ip) FROM address WHERE state = 'held' ORDER BY ip")
                == ["10.2.0.1", "10.2.0.2", "10.2.0.4", "10.2.0.5"], "10.2.0.3 is what the sleeper read")
        // The last attempt's worker, the end, and what became of the one before.
        #expect(record.contains("succeeded 2 \(successor.process.processIdentifier)"), "\(record)")
        #expect(
            record.contains {
                $0.hasPrefix("worker_lost ")
                    && $0.hasSuffix(":\(sleeper.process.processIdentifier) stopped answering; the job is queued again")
            }, "\(record)")

        // And it is as good as before.
        try tool.all([["sync", "one"]])
        try until("it has done the next") {
            try database.column("SELECT state || ' ' || split_part(worker, ':', 2) FROM job WHERE id > \(job)")
                == ["succeeded \(sleeper.process.processIdentifier)"]
        }
        sleeper.send(SIGTERM)
        #expect(try sleeper.finish().status == 0)
    }

    private static let lost = "a job was lost to another worker"

    private static func scenario(_ addresses: [String]) -> Scenario {
        var scenario = Scenario(name: "one")
        scenario.datacenters = [
            .init(
                "DC", clusters: [.init("Cluster", hosts: [.init("esx-1")])],
                switches: [.init("dvs", hosts: ["esx-1"], portGroups: [.init("servers", vlan: 20)])])
        ]
        scenario.vms = addresses.enumerated().map { index, address in
            .init(
                "vm-\(index)", on: "esx-1", network: .distributed("dvs", "servers"), addresses: [.init("\(address)/24")]
            )
        }
        return scenario
    }

    /// How many sessions wait for the topology lock.
    private static func waiting(for database: Database) throws -> Int {
        try database.count(
            """
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7001 AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """)
    }

    /// The job's last word and its log.
    private static func record(of job: Int, in database: Database) throws -> [String] {
        try database.column(
            "SELECT concat_ws(' ', state, attempt, split_part(worker, ':', 2), error) FROM job WHERE id = \(job)")
            + database.column("SELECT code || ' ' || message FROM job_event WHERE job_id = \(job) ORDER BY seq")
    }

    /// Every version of every row that a sync may write.
    private static func rowVersions(_ database: Database) throws -> [String] {
        try [
            "host", "pnic", "switch", "switch_host", "portgroup", "vm", "nic", "nic_address", "wire", "subnet", "link",
            "link_support", "address", "placement",
        ].map { table in
            try database.column(
                "SELECT '\(table) ' || count(*) || coalesce(string_agg(' ' || xmin || '/' || ctid, ',' ORDER BY ctid), '') FROM \(table)"
            )[0]
        }
    }
}
