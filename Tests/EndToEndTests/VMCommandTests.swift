import Foundation
import Support
import Testing

/// VMs through the command line, on the demo's first vCenter.
@Suite("VM commands", .serialized)
struct VMCommandTests {
    private func paris() throws -> (CommandLineTool, SimulatedVCenter) {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("paris")
        try tool.all([["wire", "create", "campus", "--site", "france"]])
        try tool.all([
            [
                "subnet", "create", "campus-servers", "--wire", "campus", "--cidr", "10.20.0.0/24", "--vlan", "20",
                "--gateway",
                "10.20.0.1", "--pool", "10.20.0.128-10.20.0.191",
            ],
            ["subnet", "create", "campus-management", "--wire", "campus", "--cidr", "10.10.0.0/24", "--vlan", "10"],
        ])
        #expect(try tool.add(vcenter, as: "paris", site: "france").status == 0)
        try tool.all([["sync", "paris", "--wait"]])
        return (tool, vcenter)
    }

    private let words = [
        "--account", "paris", "--template", "template-debian", "--subnet", "campus-servers",
    ]

    @Test("a dry run tells the plan in lines of eighty columns and as JSON, and makes nothing")
    func dryRun() throws {
        let (tool, vcenter) = try paris()
        let told = try tool.start(["vm", "create", "web-9", "--dry-run"] + words).finish()
        #expect(told.status == 0, "\(told.errors)")
        #expect(told.output.hasPrefix("VM web-9 of account paris, from template template-debian\n  host       paris-"))
        #expect(
            told.output.contains("\n  adapter 1  port group servers (dvs-core, distributed), VLAN 20 of wire campus\n"))
        #expect(told.output.contains("not all-vlans (dvs-core): a trunk"))
        #expect(told.output.contains("not dmz-isolated (dvs-core): a private VLAN with the primary id 60"))
        #expect(told.output.split(separator: "\n").allSatisfy { $0.count <= 80 }, "\(told.output)")
        let plan = try tool.json(
            "vm", "create", "web-9", "--dry-run", "--account", "paris", "--template", "template-debian",
            "--subnet", "campus-servers")
        #expect(plan.count == 1)
        #expect((plan[0]["host"] as? [String: Any])?["cluster"] as? String == "Production")
        let adapter = (plan[0]["adapters"] as? [[String: Any]])?.first
        #expect((adapter?["port_group"] as? [String: Any])?["name"] as? String == "servers")
        #expect(try tool.json("job", "list").allSatisfy { $0["kind"] as? String == "sync" })
        #expect(try vcenter.requests(of: "CloneVM_Task").isEmpty)
    }

    @Test("VMs are made by number, shown with their addresses, and deleted; what is refused says so with its status")
    func whole() throws {
        let (tool, vcenter) = try paris()
        let made = try tool.start(["vm", "create", "web-##", "-n", "2", "--wait"] + words).finish()
        #expect(made.status == 0, "\(made.errors)")
        let found = try tool.json("ip", "find", "web-01")
        #expect(found.first?["subnet"] as? String == "campus-servers")
        #expect(found.first?["state"] as? String == "held")
        let jobs = try tool.json("job", "list").filter { $0["kind"] as? String == "create_vm" }
        #expect(Set(jobs.compactMap { $0["vm"] as? String }) == ["web-01", "web-02"])
        #expect(jobs.allSatisfy { $0["account"] as? String == "paris" })
        #expect(try tool.run("vm", "show", "web-02").status == 0)

        let refused = try tool.run("vm", "delete", "web-1")
        #expect(refused.status == 77)
        #expect(refused.errors.contains("was not made by wireloom; to delete it all the same, add --force"))
        let deleted = try tool.run("vm", "delete", "web-02", "--wait")
        #expect(deleted.status == 0, "\(deleted.errors)")
        #expect(try vcenter.objects().vms["web-02"] == nil)
        #expect(try tool.json("ip", "find", "web-02").isEmpty)

        func status(_ more: String...) throws -> Int32 {
            try tool.start(["vm", "create", "x-1"] + words + more).finish().status
        }
        #expect(try status("--host", "nowhere") == 65)
        #expect(try status("--nic", "campus-servers") == 77)
        #expect(try status("--cloud-init", "/no/such/file") == 65)
        #expect(try status("--linked-clone") == 64)
        #expect(try status("--timeout", "sleep=3s") == 65)
        try vcenter.setProvisioning(.init(fault: "NoDiskSpace"))
        let failed = try tool.start(["vm", "create", "x-1", "--wait"] + words).finish()
        #expect(failed.status == 1)
        #expect((failed.output + failed.errors).contains("NoDiskSpace"), "\(failed.output) \(failed.errors)")
        #expect(try StorageRules.violations(in: tool.database) == [])
    }
}
