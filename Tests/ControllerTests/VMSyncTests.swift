import Addressing
import Controller
import Dispatch
import Foundation
import IPAM
import Jobs
import Postgres
import Support
import Testing

/// What a sync does to VMs that are being made or deleted beside it.
@Suite("VMs and syncs", .serialized)
struct VMSyncTests {
    /// web-1 is being made, and its job is held where it would place it.
    private func halfMade(in world: MachineWorld) throws -> (Brake, Runner, [VMService.Order]) {
        let brake = try Brake(world, on: "vm_step", when: "NEW.step = 'place'")
        let orders = try world.machines.create(world.request("web-1", "servers"), names: ["web-1"])
        let runner = world.runner(orders.map(\.job))
        runner.start()
        try brake.awaitHeld()
        return (brake, runner, orders)
    }

    @Test("a sync that sees a half-made VM places its address by the VM, and the job ends as if there had been none")
    func seesHalfMade() throws {
        let world = try MachineWorld()
        let (brake, runner, orders) = try halfMade(in: world)
        #expect(try world.addresses().contains("10.20.0.128 held VM web-1 (job \(orders[0].job))"))
        // A person cannot let go of what a job holds.
        let refused = #expect(throws: NetworkError.self) {
            try world.sandbox.allocator.release([IPAddress(parsing: "10.20.0.128")], ofSubnet: "servers")
        }
        #expect(refused?.detail.contains("is held for VM web-1, which is being made") == true)
        // Nor is it anybody's who reports it: the job's VM has it, and the other one is told who.
        try world.vcenter.setGuest(of: "web-0", [.init(["10.20.0.10/24", "10.20.0.128/24"])])
        try world.sandbox.sync("one")
        #expect(
            try world.sandbox.placements(of: "one").filter { $0.contains("10.20.0.128") } == [
                "web-0 10.20.0.128 -> held_by_other", "web-1 10.20.0.128 -> servers",
            ])
        brake.release()
        let job = try runner.wait(for: orders.map(\.job))[0]
        runner.stop()
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
        let before = try world.sandbox.rowVersions()
        try world.sandbox.sync("one")
        #expect(try world.sandbox.rowVersions() == before)
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    @Test("while a VM is cloned, another VM that reports the held address is told that the job's VM has it")
    func barred() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(taskMS: 600_000))
        let orders = try world.machines.create(world.request("web-1", "servers"), names: ["web-1"])
        let runner = world.runner(orders.map(\.job))
        runner.start()
        try waitUntil("it is being cloned") { try world.vcenter.requests(of: "CloneVM_Task").count == 1 }
        try world.vcenter.setGuest(of: "web-0", [.init(["10.20.0.10/24", "10.20.0.128/24"])])
        try world.sandbox.sync("one")
        #expect(try world.sandbox.placements(of: "one").contains("web-0 10.20.0.128 -> held_by_other"))
        #expect(try world.addresses().contains("10.20.0.128 held VM web-1 (job \(orders[0].job))"))
        try world.vcenter.setGuest(of: "web-0", [.init(["10.20.0.10/24"])])
        try world.vcenter.setProvisioning(.init(taskMS: 0))
        try world.vcenter.finishTasks()
        #expect(try runner.wait(for: orders.map(\.job))[0].state == .succeeded)
        runner.stop()
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
    }

    @Test("a sync that read before the VM was there and writes after its job ended takes nothing of it away")
    func readsBefore() throws {
        let world = try MachineWorld()
        let brake = try Brake(world, on: "stage_vm", when: "NEW.name = 'web-0'")
        nonisolated(unsafe) let unsafe = world.sandbox
        let sync = Beside { try unsafe.sync("one")[0].state }
        try brake.awaitHeld()
        #expect(try world.create(world.request("web-1", "servers"))[0].state == .succeeded)
        let before = try world.sandbox.rowVersions()
        brake.release()
        #expect(try sync.result() != .failed)
        #expect(try world.sandbox.rowVersions() == before)
        #expect(try world.sandbox.placements(of: "one").contains("web-1 10.20.0.128 -> servers"))
    }

    @Test("a sync that read a VM and writes after it was deleted brings it back no more than its address")
    func readsDeleted() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        let brake = try Brake(world, on: "stage_vm", when: "NEW.name = 'web-0'")
        nonisolated(unsafe) let unsafe = world.sandbox
        let sync = Beside { try unsafe.sync("one")[0].state }
        try brake.awaitHeld()
        #expect(try world.delete("web-1").state == .succeeded)
        brake.release()
        #expect(try sync.result() != .failed)
        #expect(try world.sandbox.column("SELECT name FROM vm WHERE name = 'web-1'") == [])
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
    }

    @Test(
        "canceled while its guest is waited for, a VM is removed and its address quarantined; canceled before it began, nothing is made"
    )
    func canceled() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(tools: false))
        let orders = try world.machines.create(world.request("web-1", "servers"), names: ["web-1"])
        let runner = world.runner(orders.map(\.job))
        runner.start()
        try waitUntil("its guest is waited for") {
            try world.sandbox.column("SELECT step FROM vm_step WHERE step = 'guest'") == ["guest"]
        }
        try world.sandbox.queue.cancel(orders[0].job, by: "tester")
        let job = try runner.wait(for: orders.map(\.job))[0]
        runner.stop()
        #expect(job.state == .canceled)
        #expect(try world.machinesThere() == ["web-0", "web-9"])
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
        #expect(try world.sandbox.column("SELECT state FROM vm_request") == ["canceled"])

        let second = try world.machines.create(world.request("web-2", "servers"), names: ["web-2"])
        try world.sandbox.queue.cancel(second[0].job, by: "tester")
        #expect(try world.sandbox.queue.job(second[0].job)?.state == .queued)
        #expect(try world.run(second.map(\.job))[0].state == .canceled)
        #expect(try world.vcenter.requests(of: "CloneVM_Task").count == 1)
        #expect(try world.sandbox.column("SELECT state FROM vm_request ORDER BY id") == ["canceled", "canceled"])
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    @Test("where the server is away, what was made is removed later, and until then the address stays held")
    func postponed() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(address: "10.20.0.77/24"))
        try world.vcenter.inject(.soap("NoPermission"), method: "PowerOffVM_Task", count: 2)
        let job = try world.create(world.request("web-1", "servers"))[0]
        #expect(job.state == .failed)
        #expect(job.attempt == 3)
        #expect(try world.sandbox.queue.events(job.id).filter { $0.code == "not_undone" }.count == 2)
        #expect(try world.machinesThere() == ["web-0", "web-9"])
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
    }

    @Test("a failed creation is tried again by job retry, with an address of its own")
    func retried() throws {
        let world = try MachineWorld()
        try world.vcenter.setProvisioning(.init(fault: "NoDiskSpace"))
        let job = try world.create(world.request("web-1", "servers"))[0]
        #expect(job.state == .failed)
        let again = try world.sandbox.queue.retry(job.id)
        #expect(try world.run([again.id])[0].state == .succeeded)
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
        #expect(try world.sandbox.column("SELECT state || ' ' || job_id FROM vm_request") == ["created \(again.id)"])
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    @Test("a network that is changed while a VM is made fails it, and nothing stays behind")
    func networkChanged() throws {
        let world = try MachineWorld()
        let (brake, runner, orders) = try halfMade(in: world)
        try world.sandbox.networks.createWire(name: "depot", site: nil)
        _ = try world.sandbox.networks.link(switch: "dvs", account: "one", host: nil, toWire: "depot", native: .one)
        brake.release()
        let job = try runner.wait(for: orders.map(\.job))[0]
        runner.stop()
        #expect(job.state == .failed)
        #expect(
            job.error?.contains("which has no place in subnet servers any more (other_wire)") == true,
            "\(job.error ?? "")")
        #expect(try world.machinesThere() == ["web-0", "web-9"])
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
    }

    @Test(
        "fifty VMs asked for at once on three vCenters: as many are made as there are addresses, the others fail, nothing leaks"
    )
    func manyAtOnce() throws {
        let world = try MachineWorld(servers: "10.20.0.128-10.20.0.167")
        var others: [SimulatedVCenter] = []
        for name in ["two", "three"] {
            let vcenter = try SimulatedVCenter(MachineWorld.scenario(name))
            others.append(vcenter)
            try world.sandbox.onboard(vcenter, as: name)
        }
        try world.sandbox.sync("two", "three")
        for name in ["two", "three"] {
            _ = try world.sandbox.networks.link(switch: "dvs", account: name, host: nil, toWire: "campus", native: .one)
        }
        try world.sandbox.sync("two", "three")
        let orders = try (0..<50).flatMap { number in
            var request = world.request("vm-\(number)", "servers")
            request.account = ["one", "two", "three"][number % 3]
            return try world.machines.create(request, names: [request.name])
        }
        #expect(Set(orders.map(\.job)).count == 50)
        let jobs = try world.run(orders.map(\.job))
        let failed = jobs.filter { $0.state != .succeeded }
        #expect(failed.count == 10)
        #expect(
            failed.allSatisfy { $0.state == .failed && $0.errorCode == "exhausted" }, "\(failed.map { $0.error ?? "" })"
        )
        let held = try world.sandbox.column(
            """
            SELECT DISTINCT host(a.ip) FROM address a JOIN vm v ON v.account_id = a.account_id AND v.id = a.owner_id
            JOIN placement p ON (p.account_id, p.owner, p.owner_id, p.device, p.ip)
                = (a.account_id, a.owner, a.owner_id, a.device, a.ip)
            WHERE v.name LIKE 'vm-%' AND a.state = 'held' AND p.reason IS NULL
            """)
        #expect(held.count == 40)
        let there = try ([world.vcenter] + others).reduce(0) { count, vcenter in
            try count + vcenter.objects().vms.keys.filter { $0.hasPrefix("vm-") }.count
        }
        #expect(there == 40)
        // Never more at once on one vCenter than its account allows.
        let most = try world.sandbox.column(
            """
            SELECT max(n) FROM (SELECT count(*) AS n FROM job a JOIN job b ON b.quota = a.quota AND b.kind = 'create_vm'
                AND b.started_at <= a.started_at AND b.finished_at > a.started_at
                WHERE a.kind = 'create_vm' GROUP BY a.id) t
            """)
        #expect(Int(most[0]) ?? 99 <= 4, "\(most)")
        let before = try world.sandbox.rowVersions()
        try world.sandbox.sync("one", "two", "three")
        #expect(try world.sandbox.rowVersions() == before)
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }
}
