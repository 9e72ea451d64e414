import Foundation
import Postgres
import Support
import Testing

/// kill -9 of the controller at every boundary of every step of making and deleting a VM, and another one that goes on.
@Suite("VM crashes", .serialized)
struct VMCrashTests {
    /// Where a worker is held and killed.
    struct Moment: CustomTestStringConvertible, Sendable {
        enum Edge: String, Sendable, CaseIterable {
            /// Before it is written down that the step begins.
            case beforeBegin
            /// In COMMIT of that: the step is begun, and nothing was done.
            case begun
            /// The step was done, and that is not written down.
            case beforeEnd
            /// In COMMIT of that.
            case ended
        }

        let step: String
        let edge: Edge

        var testDescription: String { "\(step) \(edge.rawValue)" }

        /// The trigger that holds a job there: what is written in a COMMIT that has begun outlives the client.
        func trigger(_ name: String, of job: String) -> String {
            let (kind, event, rest) =
                switch edge {
                case .beforeBegin: ("TRIGGER", "BEFORE INSERT", "")
                case .begun: ("CONSTRAINT TRIGGER", "AFTER INSERT", "DEFERRABLE INITIALLY DEFERRED")
                // What begins and ends in one transaction is written at once.
                case .beforeEnd: ("TRIGGER", "BEFORE INSERT OR UPDATE", "")
                case .ended: ("CONSTRAINT TRIGGER", "AFTER INSERT OR UPDATE", "DEFERRABLE INITIALLY DEFERRED")
                }
            let isEnd = edge == .beforeEnd || edge == .ended
            return """
                CREATE \(kind) \(name) \(event) ON vm_step \(rest) FOR EACH ROW WHEN (NEW.job_id = \(job)
                    AND NEW.step = '\(step)' AND NEW.done_at IS \(isEnd ? "NOT NULL" : "NULL")) EXECUTE FUNCTION brake()
                """
        }
    }

    /// Jobs that are held at once, each at a moment of its own.
    typealias Batch = [Moment]

    /// The final transactions of an account follow each other, so that two of them cannot be held at once.
    static let makingMoments: [Batch] =
        ["plan", "hold", "clone", "configure", "power_on", "guest"].map { all(of: $0) }
        + [
            [
                .init(step: "place", edge: .beforeBegin), .init(step: "place", edge: .begun),
                .init(step: "place", edge: .beforeEnd),
            ]
        ]
        + [[.init(step: "place", edge: .ended)]]

    static let undoingMoments: [Batch] = [
        all(of: "destroy"), [.init(step: "release", edge: .beforeEnd)], [.init(step: "release", edge: .ended)],
    ]

    static let deletingMoments: [Batch] = ["shutdown", "destroy"].map { all(of: $0) }

    private static func all(of step: String) -> Batch { Moment.Edge.allCases.map { Moment(step: step, edge: $0) } }

    private static let key = 4713

    private final class World {
        let tool: CommandLineTool
        let vcenter: SimulatedVCenter
        private(set) var brake: Connection?
        let database: Database

        init() throws {
            tool = try CommandLineTool()
            database = try tool.database
            var scenario = Scenario(name: "vc")
            scenario.version = "8.0.2"
            scenario.datacenters = [
                .init(
                    "DC",
                    clusters: [
                        .init(
                            "Cluster",
                            hosts: [
                                .init(
                                    "esx-1", gateway: "10.10.0.1",
                                    vmkernel: [.init(ip: "10.10.0.11", network: .distributed("dvs", "management"))])
                            ])
                    ],
                    switches: [
                        .init(
                            "dvs", hosts: ["esx-1"],
                            portGroups: [.init("management", vlan: 10), .init("servers", vlan: 20)])
                    ])
            ]
            var template = Scenario.VM("template", on: "esx-1", network: .distributed("dvs", "servers"))
            template.template = true
            template.guestID = "ubuntu64Guest"
            scenario.vms = [template]
            vcenter = try SimulatedVCenter(scenario)
            try tool.all([["wire", "create", "campus"]])
            try tool.all([
                ["subnet", "create", "management", "--wire", "campus", "--cidr", "10.10.0.0/24", "--vlan", "10"],
                [
                    "subnet", "create", "servers", "--wire", "campus", "--cidr", "10.20.0.0/24", "--vlan", "20",
                    "--gateway",
                    "10.20.0.1", "--pool", "10.20.0.128-10.20.0.140",
                ],
            ])
            #expect(try tool.add(vcenter, as: "vc").status == 0)
            try tool.all([["sync", "vc", "--wait"]])
        }

        /// Asks for a VM for each moment, and returns their names.
        func ask(for batch: Batch, _ how: [String] = []) throws -> [String] {
            let names = batch.indices.map { "web-\($0)" }
            for name in names {
                try tool.all([
                    [
                        "vm", "create", name, "--account", "vc", "--template", "template", "--subnet", "servers",
                        "--key", name,
                    ] + how
                ])
            }
            return names
        }

        private func hold(_ kind: String, at batch: Batch) throws {
            let session = try database.connect()
            _ = try session.query("SELECT pg_advisory_lock(\(VMCrashTests.key))::text")
            try session.script(
                """
                CREATE OR REPLACE FUNCTION brake() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN PERFORM pg_advisory_xact_lock_shared(\(VMCrashTests.key)); RETURN NEW; END $$;
                """)
            let jobs = try database.column("SELECT id FROM job WHERE kind = '\(kind)' ORDER BY id")
            for (index, moment) in batch.enumerated() {
                try session.script(moment.trigger("vm_brake_\(index)", of: jobs[index]))
            }
            brake = session
        }

        private func held() throws -> Int {
            try database.count(
                """
                SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = \(VMCrashTests.key) AND NOT granted
                    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
                """)
        }

        /// Lets what was held go on, which has no client any more.
        private func release(_ batch: Batch) throws {
            brake?.close()
            brake = nil
            try until("the server has noticed that its client is gone") {
                try database.count(
                    """
                    SELECT count(*) FROM pg_stat_activity
                    WHERE datname = current_database() AND application_name = 'wireloom'
                    """
                ) == 0
            }
            for index in batch.indices {
                try database.withConnection { try $0.script("DROP TRIGGER vm_brake_\(index) ON vm_step") }
            }
        }

        /// A worker that is killed where its jobs are held, and a second one that ends them.
        func crash(_ kind: String, at batch: Batch) throws {
            try hold(kind, at: batch)
            let first = try tool.start(["serve", "--lease", "2s", "--workers", "1", "--vm-workers", "4"])
            try until("a worker is held at \(batch.map(\.testDescription))") { try held() == batch.count }
            first.send(SIGKILL)
            _ = try first.finish()
            try release(batch)
            let second = try tool.start(["serve", "--lease", "2s", "--workers", "1", "--vm-workers", "4"])
            try until("the jobs have ended") {
                try database.count("SELECT count(*) FROM job WHERE kind = '\(kind)' AND finished_at IS NULL") == 0
            }
            second.send(SIGTERM)
            _ = try second.finish()
        }

        /// How each job ended, in how many attempts.
        func ends(_ kind: String) throws -> [String] {
            try database.column(
                "SELECT concat_ws(' ', state, attempt, error_code) FROM job WHERE kind = '\(kind)' ORDER BY id")
        }

        func addresses() throws -> [String] {
            try database.column(
                """
                SELECT host(a.ip) || ' ' || a.state || coalesce(' ' || v.name, ' ' || a.allocated_to, '')
                FROM address a JOIN subnet s ON s.id = a.subnet_id
                LEFT JOIN vm v ON v.account_id = a.account_id AND a.owner = 'vm' AND v.id = a.owner_id
                WHERE s.name = 'servers' AND a.state <> 'free' AND (a.state <> 'quarantined' OR a.until > now()) ORDER BY a.ip
                """)
        }

        func machines() throws -> [String] { try vcenter.objects().vms.keys.filter { $0 != "template" }.sorted() }
    }

    @Test(
        "killed at any boundary while it is made, a VM is made once, and its address is its own",
        arguments: makingMoments)
    func making(_ batch: Batch) throws {
        let world = try World()
        let how = batch[0].step == "configure" ? ["--cloud-init", "-"] : []
        let names = try world.ask(for: batch, how)
        try world.crash("create_vm", at: batch)
        // The end of the last step is the end of the job.
        #expect(
            try world.ends("create_vm")
                == batch.map { $0.step == "place" && $0.edge == .ended ? "succeeded 1" : "succeeded 2" })
        #expect(try world.machines() == names)
        #expect(try world.addresses().count == names.count)
        #expect(
            try Set(world.addresses().map { $0.split(separator: " ").dropFirst().joined(separator: " ") })
                == Set(names.map { "held \($0)" }))
        #expect(try world.vcenter.requests(of: "CloneVM_Task").count == names.count)
        #expect(try StorageRules.violations(in: world.database) == [])
        // The same keys are answered with the same VMs, and the next sync finds nothing to do.
        _ = try world.ask(for: batch, how)
        #expect(try world.ends("create_vm").count == names.count)
        let before = try world.database.inventory(of: "vc")
        try world.tool.all([["sync", "vc", "--wait"]])
        #expect(try world.database.inventory(of: "vc") == before)
    }

    @Test(
        "killed while what failed is taken back, nothing of it is left, and its address is quarantined",
        arguments: undoingMoments)
    func undoing(_ batch: Batch) throws {
        let world = try World()
        try world.vcenter.setProvisioning(.init(customization: "fail"))
        let names = try world.ask(for: batch)
        try world.crash("create_vm", at: batch)
        #expect(try world.ends("create_vm") == batch.map { _ in "failed 2 failed" })
        for error in try world.database.column("SELECT error FROM job WHERE kind = 'create_vm'") {
            #expect(
                error.contains(
                    "its customization failed: the customization script ended with 1; the VM is removed again, and 10.20.0.1"
                ))
        }
        #expect(try world.machines() == [])
        #expect(try world.addresses() == names.indices.map { "10.20.0.\(128 + $0) quarantined" })
        #expect(try StorageRules.violations(in: world.database) == [])
    }

    @Test(
        "killed while it is deleted, a VM is gone in the end, and its address quarantined", arguments: deletingMoments)
    func deleting(_ batch: Batch) throws {
        let world = try World()
        let names = try world.ask(for: batch, ["--wait"])
        for name in names { try world.tool.all([["vm", "delete", name]]) }
        try world.crash("delete_vm", at: batch)
        #expect(try world.ends("delete_vm") == batch.map { _ in "succeeded 2" })
        #expect(try world.machines() == [])
        #expect(try world.addresses() == names.indices.map { "10.20.0.\(128 + $0) quarantined" })
        #expect(try StorageRules.violations(in: world.database) == [])
    }

    @Test(
        "killed while the server clones, the next worker follows the same task: to a VM, or to nothing where it was canceled",
        arguments: [false, true])
    func cloning(canceled: Bool) throws {
        let world = try World()
        try world.vcenter.setProvisioning(.init(taskMS: 600_000))
        try world.tool.all([
            ["vm", "create", "web-1", "--account", "vc", "--template", "template", "--subnet", "servers"]
        ])
        let first = try world.tool.start(["serve", "--lease", "2s"])
        try until("the task is written down") {
            try world.database.count(
                "SELECT count(*) FROM vm_step WHERE step = 'clone' AND detail -> 'tasks' ->> 0 LIKE 'task-%'") == 1
        }
        first.send(SIGKILL)
        _ = try first.finish()
        let job = try world.database.column("SELECT id FROM job WHERE kind = 'create_vm'")[0]
        if canceled { try world.tool.all([["job", "cancel", job]]) }
        try world.vcenter.setProvisioning(.init(taskMS: 0))
        let second = try world.tool.start(["serve", "--lease", "2s"])
        if !canceled {
            try until("the next one has it") {
                try world.database.count("SELECT attempt FROM job WHERE id = \(job)") == 2
            }
            try world.vcenter.finishTasks()
        }
        try until("the job has ended") {
            try world.database.count("SELECT count(*) FROM job WHERE kind = 'create_vm' AND finished_at IS NULL") == 0
        }
        second.send(SIGTERM)
        _ = try second.finish()
        #expect(try world.vcenter.requests(of: "CloneVM_Task").count == 1)
        #expect(
            try world.database.column("SELECT state FROM job WHERE id = \(job)") == [
                canceled ? "canceled" : "succeeded"
            ])
        #expect(try world.machines() == (canceled ? [] : ["web-1"]))
        #expect(try world.addresses() == (canceled ? [] : ["10.20.0.128 held web-1"]))
        #expect(try StorageRules.violations(in: world.database) == [])
    }
}
