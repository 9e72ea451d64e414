import Controller
import Jobs
import Postgres
import Support
import Testing

/// VMs are made with the address that they were given, and the next sync finds nothing to do.
@Suite("VM creation", .serialized)
struct VMCreationTests {
    @Test("a VM is made, reports its address, is placed, and a sync afterwards writes no row")
    func one() throws {
        let world = try MachineWorld()
        let job = try world.create(world.request("web-1", "servers"))[0]
        #expect(job.state == .succeeded, "\(job.error ?? "")")
        #expect(try world.addresses().contains("10.20.0.128 held web-1"))
        #expect(try world.sandbox.placements(of: "one").contains("web-1 10.20.0.128 -> servers"))
        try expectSettled(world)
    }

    private func expectSettled(_ world: MachineWorld) throws {
        let before = try world.sandbox.rowVersions()
        let sync = try world.sandbox.sync("one")[0]
        #expect(sync.state != .failed, "\(sync.error ?? "")")
        let after = try world.sandbox.rowVersions()
        #expect(after.filter { before[$0.key] != $0.value }.keys.sorted() == [])
        #expect(try StorageRules.violations(in: world.sandbox.database) == [])
    }
}
