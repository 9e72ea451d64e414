import Addressing
import Controller
import Foundation
import IPAM
import Inventory
import Jobs
import Postgres
import Support
import Testing

/// What was begun ends as a VM or as nothing, whatever fails meanwhile: the database, the worker, the server's answers.
@Suite("VM undoing", .serialized)
struct VMUndoingTests {
    /// web-1 is asked for, and a runner is at it.
    private func begin(
        _ world: MachineWorld, _ change: (inout VMRequest) -> Void = { _ in }
    ) throws -> (Runner, JobID) {
        var request = world.request("web-1", "servers")
        change(&request)
        let job = try world.machines.create(request, names: [request.name])[0].job
        let runner = world.runner([job])
        runner.start()
        return (runner, job)
    }

    private func began(_ step: String, in world: MachineWorld) throws -> Bool {
        try world.sandbox.column("SELECT count(*) FROM vm_step WHERE step = '\(step)'") == ["1"]
    }

    private func told(_ code: String, by job: JobID, in world: MachineWorld) throws -> Bool {
        try world.sandbox.queue.events(job).contains { $0.code == code }
    }

    private func end(_ runner: Runner, _ job: JobID) throws -> JobRow {
        defer { runner.stop() }
        return try runner.wait(for: [job], every: .milliseconds(50))[0]
    }

    private func expectNothing(
        left world: MachineWorld, _ request: String, quarantined: Bool, location: SourceLocation = #_sourceLocation
    ) throws {
        #expect(try world.machinesThere() == ["web-0", "web-9"], sourceLocation: location)
        #expect(
            try world.addresses().filter { $0.hasPrefix("10.20.0.12") }
                == (quarantined ? ["10.20.0.128 quarantined"] : []), sourceLocation: location)
        #expect(try world.sandbox.column("SELECT state FROM vm_request") == [request], sourceLocation: location)
        #expect(try StorageRules.violations(in: world.sandbox.database) == [], sourceLocation: location)
    }

    // MARK: The database

    @Test("I7: a connection that is lost while a guest is waited for, and missed only afterwards, leaks nothing")
    func connectionLost() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(tools: false))
        let (runner, job) = try begin(world) { $0.timeouts = ["guest": 3] }
        try waitUntil("the guest is waited for") { try began("guest", in: world) }
        _ = try world.sandbox.column(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            """)
        let row = try end(runner, job)
        #expect(row.state == .failed)
        #expect(row.attempt == 1)
        #expect(
            row.error?.contains("the VM is removed again, and 10.20.0.128 is in quarantine") == true,
            "\(row.error ?? "")")
        try expectNothing(left: world, "failed", quarantined: true)
    }

    @Test(
        "I7: an error of the database at any moment of undoing postpones it, and ends nothing",
        arguments: ["UPDATE OF error ON vm_request", "INSERT ON vm_step", "UPDATE OF state ON vm_request"],
        [false, true])
    func errorInUndoing(_ moment: String, canceled: Bool) throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(tools: false))
        let (runner, job) = try begin(world) { $0.timeouts = ["guest": canceled ? 600 : 2] }
        try waitUntil("the guest is waited for") { try began("guest", in: world) }
        try world.sandbox.database.withConnection {
            try $0.script(
                """
                CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'broken'; END $$;
                CREATE TRIGGER break BEFORE \(moment) FOR EACH ROW EXECUTE FUNCTION break()
                """)
        }
        if canceled { try world.sandbox.queue.cancel(job, by: "tester") }
        try waitUntil("it is postponed") { try told("postponed", by: job, in: world) }
        #expect(try world.addresses().contains { $0.hasPrefix("10.20.0.128 held VM web-1") })
        #expect(try world.sandbox.column("SELECT state FROM vm_request") == ["open"])
        try world.sandbox.database.withConnection {
            try $0.script("DROP TRIGGER break ON \(moment.split(separator: " ").last ?? "")")
        }
        let row = try end(runner, job)
        #expect(row.state == (canceled ? .canceled : .failed))
        #expect(
            row.error?.hasSuffix("the VM is removed again, and 10.20.0.128 is in quarantine") == true,
            "\(row.error ?? "")")
        // Nobody stopped a worker.
        #expect(try !told("worker_stopped", by: job, in: world))
        try expectNothing(left: world, canceled ? "canceled" : "failed", quarantined: true)
    }

    @Test("a worker with another key takes nothing back, and another one finishes")
    func otherKey() throws {
        let world = try MachineWorld()
        let keyFile = NSTemporaryDirectory() + "wireloom-key-" + UUID().uuidString
        try SecretBox.createKeyFile(at: keyFile)
        defer { unlink(keyFile) }
        let job = try world.machines.create(world.request("web-1", "servers"), names: ["web-1"])[0].job
        let stranger = try world.runner([job], secrets: SecretBox(keyFile: keyFile))
        stranger.start()
        try waitUntil("it is postponed") { try told("postponed", by: job, in: world) }
        stranger.stop()
        let row = try world.run([job])[0]
        #expect(row.state == .succeeded, "\(row.error ?? "")")
    }

    // MARK: Taking over

    /// A job that has ended and left its request open, as none does any more.
    private func abandoned(_ world: MachineWorld, error: Bool) throws -> JobID {
        try world.vcenter.setProvisioning(.init(tools: false))
        let (runner, job) = try begin(world) { $0.timeouts = ["guest": 3] }
        try waitUntil("the guest is waited for") { try began("guest", in: world) }
        runner.stop(grace: .zero)
        try world.sandbox.database.withConnection {
            try $0.script(
                """
                UPDATE job SET state = 'failed', finished_at = now(), error_code = 'x', error = 'x' WHERE id = \(job);
                UPDATE vm_request SET (error_code, error) = \(error ? "('failed', 'VM web-1: it broke')" : "(NULL, NULL)")
                """)
        }
        return job
    }

    @Test("a job that takes an undoing over knows what was made, and lets go of the address only afterwards")
    func undoingTakenOver() throws {
        let world = try MachineWorld()
        let again = try world.sandbox.queue.retry(abandoned(world, error: true)).id
        let row = try world.run([again])[0]
        #expect(
            row.error == "VM web-1: it broke; the VM is removed again, and 10.20.0.128 is in quarantine",
            "\(row.error ?? "")")
        try expectNothing(left: world, "failed", quarantined: true)
    }

    @Test("a job that takes a making over goes on with the same VM and the same address")
    func makingTakenOver() throws {
        let world = try MachineWorld()
        let job = try abandoned(world, error: false)
        // As where its log went with it.
        try world.sandbox.database.withConnection { try $0.script("DELETE FROM vm_step WHERE step = 'hold'") }
        try world.vcenter.setProvisioning(.init(tools: true))
        try world.vcenter.setPower(of: "web-1", .off)
        let again = try world.sandbox.queue.retry(job).id
        try world.sandbox.database.withConnection {
            try $0.script("DELETE FROM vm_step WHERE step IN ('power_on', 'guest')")
        }
        let row = try world.run([again])[0]
        #expect(row.state == .succeeded, "\(row.error ?? "")")
        #expect(try world.addresses().filter { $0.hasPrefix("10.20.0.12") } == ["10.20.0.128 held web-1"])
        #expect(try world.vcenter.requests(of: "CloneVM_Task").count == 1)
        #expect(try world.sandbox.column("SELECT state || ' ' || job_id FROM vm_request") == ["created \(again)"])
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    @Test("where even the log of the steps is gone, the server is asked before anything is let go of")
    func logLost() throws {
        let world = try MachineWorld()
        let job = try abandoned(world, error: true)
        try world.sandbox.database.withConnection { try $0.script("DELETE FROM vm_step") }
        let row = try world.run([world.sandbox.queue.retry(job).id])[0]
        #expect(row.error?.contains("the VM is removed again") == true, "\(row.error ?? "")")
        try expectNothing(left: world, "failed", quarantined: true)
    }

    @Test(
        "what no job is at is found, and taken back by vm delete, also where its job is gone", arguments: [false, true])
    func takenBack(isPruned: Bool) throws {
        let world = try MachineWorld()
        let job = try abandoned(world, error: false)
        if isPruned { try world.sandbox.database.withConnection { try $0.script("DELETE FROM job WHERE id = \(job)") } }
        #expect(try world.sandbox.database.withConnection { try VMService.abandoned(in: $0) }.map(\.name) == ["web-1"])
        let row = try world.delete("web-1")
        #expect(row.state == .canceled)
        #expect(row.error?.contains("canceled by tester; the VM is removed again") == true, "\(row.error ?? "")")
        try expectNothing(left: world, "canceled", quarantined: true)
        #expect(try world.sandbox.database.withConnection { try VMService.abandoned(in: $0) }.isEmpty)
    }

    // MARK: Answers that are lost

    @Test("a clone whose answer was lost and that is under way is waited for, not begun once more")
    func cloneAdopted() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(taskMS: 600_000))
        try world.vcenter.inject(.cut(afterBytes: 0), method: "CloneVM_Task")
        let (runner, job) = try begin(world)
        try waitUntil("its task is followed") { try world.vcenter.statistics().running["WaitForUpdatesEx"] == 1 }
        try world.vcenter.setProvisioning(.init(taskMS: 0))
        try world.vcenter.finishTasks()
        let row = try end(runner, job)
        #expect(row.state == .succeeded, "\(row.error ?? "")")
        #expect(try world.vcenter.requests(of: "CloneVM_Task").count == 1)
        #expect(try world.machinesThere() == ["web-0", "web-1", "web-9"])
    }

    @Test("a canceled clone whose answer was lost is waited for, and its VM removed, before its address is let go of")
    func cloneCanceled() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(taskMS: 600_000))
        try world.vcenter.inject(.cut(afterBytes: 0), method: "CloneVM_Task")
        let (runner, job) = try begin(world)
        try waitUntil("the server was asked") { try world.vcenter.requests(of: "CloneVM_Task").count == 1 }
        try world.sandbox.queue.cancel(job, by: "tester")
        try waitUntil("it is taken back") { try began("destroy", in: world) }
        try waitUntil("the task is followed") { try world.vcenter.statistics().running["WaitForUpdatesEx"] == 1 }
        #expect(try world.addresses().contains { $0.hasPrefix("10.20.0.128 held VM web-1") })
        try world.vcenter.setProvisioning(.init(taskMS: 0))
        try world.vcenter.finishTasks()
        let row = try end(runner, job)
        #expect(row.state == .canceled)
        #expect(
            row.error == "VM web-1: canceled by tester; nothing is left of it, and 10.20.0.128 is free again",
            "\(row.error ?? "")")
        #expect(try world.vcenter.requests(of: "Destroy_Task").count == 1)
        try expectNothing(left: world, "canceled", quarantined: false)
    }

    @Test(
        "where the template's tasks may not be read, a clone whose answer was lost may come for as long as one may take"
    )
    func cloneUnreadable() throws {
        let world = try MachineWorld()
        try world.vcenter.inject(.missing(vm: "template", path: "recentTask", fault: "NoPermission"))
        try world.vcenter.setProvisioning(.init(taskMS: 600_000))
        try world.vcenter.inject(.cut(afterBytes: 0), method: "CloneVM_Task")
        let (runner, job) = try begin(world)
        try waitUntil("the server was asked") { try world.vcenter.requests(of: "CloneVM_Task").count == 1 }
        try world.sandbox.queue.cancel(job, by: "tester")
        try waitUntil("it is postponed") { try told("not_undone", by: job, in: world) }
        let said = try world.sandbox.queue.events(job).first { $0.code == "not_undone" }
        #expect(said?.message.contains("a VM may come of it for 60 minutes") == true, "\(said?.message ?? "")")
        try world.vcenter.setProvisioning(.init(taskMS: 0))
        try world.vcenter.finishTasks()
        #expect(try end(runner, job).state == .canceled)
        try expectNothing(left: world, "canceled", quarantined: false)
    }

    @Test("a person's word does not tear off the answer that says which task was begun")
    func answerSpared() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(taskMS: 600_000))
        try world.vcenter.inject(.delay(milliseconds: 600_000), method: "CloneVM_Task")
        let (runner, job) = try begin(world)
        try waitUntil("the server is asked") { try world.vcenter.statistics().running["CloneVM_Task"] == 1 }
        try world.sandbox.queue.cancel(job, by: "tester")
        // The runner has heard of it when it hears of another one.
        let other = try world.machines.create(world.request("web-2", "servers"), names: ["web-2"])[0].job
        try world.sandbox.queue.cancel(other, by: "tester")
        try waitUntil("the word is out") {
            try world.sandbox.column("SELECT cancel_requested FROM job WHERE id = \(job)") == ["true"]
        }
        _ = try world.run([other])
        try world.vcenter.clearFaults()
        #expect(try end(runner, job).state == .canceled)
        #expect(
            try world.sandbox.column(
                "SELECT detail -> 'tasks' ->> 0 LIKE 'task-%' FROM vm_step WHERE job_id = \(job) AND step = 'clone'")
                == ["true"])
        #expect(try world.vcenter.requests(of: "CancelTask").count == 1)
        #expect(try world.machinesThere() == ["web-0", "web-9"])
    }

    // MARK: What the server does not tell

    @Test("a VM that is inaccessible is not taken for absent: what it has stays held until it is known to be gone")
    func inaccessible() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(address: "10.20.0.77/24"))
        let brake = try Brake(world, on: "vm_step", when: "NEW.step = 'destroy'")
        let (runner, job) = try begin(world)
        try brake.awaitHeld()
        try world.vcenter.setInaccessible("web-1", true)
        brake.release()
        try waitUntil("it is postponed") { try told("not_undone", by: job, in: world) }
        #expect(try world.addresses().contains { $0.hasPrefix("10.20.0.128 held") })
        #expect(try world.machinesThere() == ["web-0", "web-1", "web-9"])
        try world.vcenter.setInaccessible("web-1", false)
        #expect(try end(runner, job).state == .failed)
        try expectNothing(left: world, "failed", quarantined: true)
    }

    @Test("a VM that is inaccessible for a moment while its guest is waited for is still the one that is made")
    func inaccessibleMeanwhile() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(bootMS: 6_000))
        let (runner, job) = try begin(world)
        try waitUntil("the guest is waited for") { try began("guest", in: world) }
        try world.vcenter.setInaccessible("web-1", true)
        try waitUntil("that is noticed") { try told("step_interrupted", by: job, in: world) }
        try world.vcenter.setInaccessible("web-1", false)
        let row = try end(runner, job)
        #expect(row.state == .succeeded, "\(row.error ?? "")")
    }

    @Test("a VM that somebody else started is taken for one that used its address")
    func startedByAnother() throws {
        let world = try MachineWorld()
        let brake = try Brake(world, on: "vm_step", when: "NEW.step = 'configure'")
        let (runner, job) = try begin(world) { $0.usesCloudInit = true }
        try brake.awaitHeld()
        try world.vcenter.setPower(of: "web-1", .on)
        try world.vcenter.setProvisioning(.init(faults: ["ReconfigVM_Task": "InvalidState"]))
        brake.release()
        let row = try end(runner, job)
        #expect(row.state == .failed)
        #expect(
            row.error?.hasSuffix("the VM is removed again, and 10.20.0.128 is in quarantine") == true,
            "\(row.error ?? "")")
        try expectNothing(left: world, "failed", quarantined: true)
    }

    @Test("Tools that restart as the VM is placed are waited for once more")
    func toolsRestart() throws {
        let world = try MachineWorld()
        let brake = try Brake(world, on: "vm_step", when: "NEW.step = 'place'")
        let (runner, job) = try begin(world)
        try brake.awaitHeld()
        try world.vcenter.setGuest(of: "web-1", [], tools: .notRunning)
        brake.release()
        try waitUntil("that is noticed") { try told("not_reported", by: job, in: world) }
        try world.vcenter.setGuest(of: "web-1", [.init(["10.20.0.128/24"])], tools: .running)
        let row = try end(runner, job)
        #expect(row.state == .succeeded, "\(row.error ?? "")")
        #expect(try world.sandbox.placements(of: "one").contains("web-1 10.20.0.128 -> servers"))
    }

    // MARK: Words and secrets

    @Test("a canceled job says what was done about its VM, and where that stays, how to remove it")
    func keptAfterCancel() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(tools: false))
        let (runner, job) = try begin(world) { $0.keeps = true }
        try waitUntil("the guest is waited for") { try began("guest", in: world) }
        try world.sandbox.queue.cancel(job, by: "tester")
        let row = try end(runner, job)
        #expect(row.state == .canceled)
        #expect(
            row.error
                == "VM web-1: canceled by tester; the VM stays, as you asked, with 10.20.0.128; to remove it: wireloom vm delete web-1"
        )
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    @Test("I9: user-data is kept for another try of what failed, for a while, and erased of what was made")
    func userDataErased() throws {
        let world = try MachineWorld()
        var request = world.request("web-1", "servers")
        request.usesCloudInit = true
        request.userDataDigest = VMRequest.digest(of: "#cloud-config")
        func kept() throws -> [String] {
            try world.sandbox.column("SELECT state || ' ' || (user_data IS NOT NULL) FROM vm_request ORDER BY id")
        }
        try world.vcenter.setProvisioning(.init(fault: "NoDiskSpace"))
        let failed = try world.create(request, userData: "#cloud-config")[0]
        #expect(try kept() == ["failed true"])
        let housekeeping = Housekeeping(database: world.sandbox.database)
        try housekeeping.sweep()
        #expect(try kept() == ["failed true"])
        let made = try world.run([world.sandbox.queue.retry(failed.id).id])[0]
        #expect(made.state == .succeeded, "\(made.error ?? "")")
        #expect(try kept() == ["created false"])
        // Asked for once more, it is made already.
        let again = try world.run([world.sandbox.queue.retry(made.id).id])[0]
        #expect(again.state == .succeeded)
        #expect(try told("made_already", by: again.id, in: world))

        request.name = "web-2"
        try world.vcenter.setProvisioning(.init(fault: "NoDiskSpace"))
        let late = try world.create(request, userData: "#cloud-config")[0]
        try world.sandbox.database.withConnection {
            try $0.script("UPDATE vm_request SET ended_at = now() - interval '8 days' WHERE name = 'web-2'")
        }
        try housekeeping.sweep()
        #expect(try kept() == ["created false", "failed false"])
        let refused = try world.run([world.sandbox.queue.retry(late.id).id])[0]
        #expect(refused.error?.contains("its user-data is kept no longer") == true, "\(refused.error ?? "")")
        #expect(try world.machinesThere() == ["web-0", "web-1", "web-9"])
    }
}
