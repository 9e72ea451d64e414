import Addressing
import Controller
import IPAM
import Inventory
import Jobs
import Postgres
import Support
import Testing

/// VMs are deleted with their addresses, and nobody else's are.
@Suite("VM deletion", .serialized)
struct VMDeletionTests {
    @Test(
        "a VM that was made is shut down, destroyed and forgotten, its address quarantined, and a sync finds nothing to do"
    )
    func whole() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        let job = try world.delete("web-1")
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(try world.machinesThere() == ["web-0", "web-9"])
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
        #expect(try world.vcenter.statistics().calls["ShutdownGuest"] == 1)
        #expect(try world.vcenter.requests(of: "PowerOffVM_Task").isEmpty)
        #expect(try world.sandbox.column("SELECT state FROM vm_request") == ["deleted"])
        #expect(try world.sandbox.column("SELECT name FROM vm WHERE name = 'web-1'") == [])
        let before = try world.sandbox.rowVersions()
        try world.sandbox.sync("one")
        #expect(try world.sandbox.rowVersions() == before)
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
        // The history tells who, and by which job.
        #expect(
            try world.sandbox.column(
                """
                SELECT actor || ' ' || (job_id = \(job.id))::text || ' ' || state FROM address_event
                WHERE ip = '10.20.0.128' ORDER BY id DESC LIMIT 1
                """) == ["tester true quarantined"])
    }

    @Test("a guest that does not shut down in its time is powered off")
    func stubborn() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        try world.vcenter.setProvisioning(.init(shutdown: "ignore"))
        let job = try world.machines.delete("web-1", timeouts: ["shutdown": 1]).job
        #expect(try world.run([job])[0].state == .succeeded)
        #expect(try world.vcenter.requests(of: "PowerOffVM_Task").count == 1)
        #expect(try world.machinesThere() == ["web-0", "web-9"])
        #expect(try world.sandbox.queue.events(job).contains { $0.code == "no_shutdown" })
    }

    @Test(
        "a VM that was not made by wireloom, a template and one that is being made are refused; force takes the first alone"
    )
    func refusals() throws {
        let world = try MachineWorld()
        func code(_ name: String, force: Bool = false) -> ProvisioningError.Code? {
            do {
                _ = try world.machines.delete(name, force: force)
                return nil
            } catch { return (error as? ProvisioningError)?.code }
        }
        #expect(code("web-0") == .refused)
        #expect(code("template", force: true) == .refused)
        #expect(code("nobody") == .notFound)
        let orders = try world.machines.create(world.request("web-1", "servers"), names: ["web-1"])
        #expect(code("web-1", force: true) == .refused)
        _ = try world.run(orders.map(\.job))
        #expect(try world.machinesThere() == ["web-0", "web-1", "web-9"])

        let job = try world.delete("web-0", force: true)
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(try world.machinesThere() == ["web-1", "web-9"])
        #expect(try world.addresses() == ["10.20.0.10 quarantined", "10.20.0.11 held web-9", "10.20.0.128 held web-1"])
    }

    @Test("what was asked to be deleted is not another VM that has its object id by now")
    func another() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        try world.vcenter.remove("web-1")
        let job = try world.delete("web-1")
        // There is none with its instance UUID: that is what was asked for.
        #expect(job.state == .succeeded)
        #expect(try world.machinesThere() == ["web-0", "web-9"])
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
    }

    @Test("a VM that is inaccessible is neither taken for deleted nor forgotten")
    func inaccessible() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        try world.vcenter.setInaccessible("web-1", true)
        let job = try world.delete("web-1")
        #expect(job.state == .failed)
        #expect(
            job.error?.contains("and not its instance UUID, as of a VM that is inaccessible") == true,
            "\(job.error ?? "")")
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
        try world.vcenter.setInaccessible("web-1", false)
        #expect(try world.delete("web-1").state == .succeeded)
        #expect(try world.machinesThere() == ["web-0", "web-9"])
    }

    @Test("only the steps that deleting has are given a time")
    func timeouts() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        let error = #expect(throws: ProvisioningError.self) {
            try world.machines.delete("web-1", timeouts: ["clone": 3600])
        }
        #expect(error?.detail.hasSuffix("they are shutdown, power_off, destroy") == true, "\(error?.detail ?? "")")
        // Each has its own: a power-off that takes longer than it may is not taken for part of the destroying.
        try world.vcenter.setProvisioning(.init(taskMS: 600_000, shutdown: "ignore"))
        let job = try world.machines.delete("web-1", timeouts: ["shutdown": 1, "power_off": 1]).job
        #expect(try world.run([job])[0].error == "VM web-1: powering it off took longer than 1 second")
    }

    @Test("a VM that was deleted behind wireloom's back is found by syncs, and its address released by the same rule")
    func behind() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        try world.create(world.request("web-2", "servers"))
        try world.vcenter.remove("web-1")
        try world.sandbox.sync("one")
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
        try world.sandbox.sync("one")
        try world.sandbox.sync("one")
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
        #expect(try world.addresses().contains("10.20.0.129 held web-2"))
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    @Test(
        "an address that a VM was made with stays its own while its guest reports another, until that is released as such"
    )
    func assigned() throws {
        let world = try MachineWorld()
        try world.create(world.request("web-1", "servers"))
        try world.vcenter.setGuest(of: "web-1", [.init(["10.20.0.77/24"])])
        for _ in 1...3 { try world.sandbox.sync("one") }
        #expect(
            try world.addresses().filter { $0.hasSuffix("web-1") } == [
                "10.20.0.77 held web-1", "10.20.0.128 held web-1",
            ])
        let address = try IPAddress(parsing: "10.20.0.128")
        let error = #expect(throws: NetworkError.self) {
            try world.sandbox.allocator.release([address], ofSubnet: "servers")
        }
        #expect(error?.detail.contains("wireloom ip release servers 10.20.0.128 --assigned") == true)
        let finding = try world.sandbox.column(
            "SELECT message FROM job_event WHERE code = 'assigned_elsewhere' ORDER BY seq DESC LIMIT 1")
        #expect(
            finding == [
                "VM web-1 was made with 10.20.0.128 of subnet servers and reports 10.20.0.77 instead; the address stays its own"
            ])
        try world.sandbox.allocator.release([address], ofSubnet: "servers", assigned: true)
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
        #expect(try world.addresses().contains("10.20.0.77 held web-1"))
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }

    @Test(
        "an account with unfinished jobs on VMs cannot be removed; afterwards what they were made with is quarantined")
    func accountRemoved() throws {
        let world = try MachineWorld()
        let orders = try world.machines.create(world.request("web-1", "servers"), names: ["web-1"])
        let account = try world.sandbox.accounts.selected(names: ["one"], all: false)[0]
        let error = #expect(throws: InventoryError.self) { try world.sandbox.accounts.remove(account) }
        #expect(error?.detail.contains("wireloom job cancel \(orders[0].job)") == true)
        _ = try world.run(orders.map(\.job))
        // One that is canceled and waits does not hold it up.
        try world.vcenter.setProvisioning(.init(address: "10.20.0.77/24"))
        try world.vcenter.inject(.soap("NoPermission"), method: "PowerOffVM_Task", count: 1000)
        let waiting = try world.machines.create(world.request("web-2", "servers"), names: ["web-2"])
        let runner = world.runner(waiting.map(\.job))
        runner.start()
        let end = ContinuousClock.now + .seconds(60)
        while try world.sandbox.column("SELECT code FROM job_event WHERE code = 'not_undone'") == [], .now < end {}
        runner.stop()
        #expect(throws: InventoryError.self) { try world.sandbox.accounts.remove(account) }
        try world.sandbox.queue.cancel(waiting[0].job, by: "tester")
        try world.sandbox.accounts.remove(account)
        #expect(try world.run(waiting.map(\.job))[0].state == .canceled)
        #expect(try world.addresses().contains("10.20.0.128 quarantined"))
        #expect(try world.addresses().contains("10.20.0.129 quarantined"))
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }
}
