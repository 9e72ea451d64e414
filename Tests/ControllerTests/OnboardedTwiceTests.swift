import Controller
import Jobs
import Support
import Testing

@Suite("Hosts onboarded twice", .serialized)
struct OnboardedTwiceTests {
    @Test(
        "a host that is an account of its own and in a vCenter's inventory is told of on both, with its account to remove"
    )
    func both() throws {
        let uuid = "4c4c4544-0000-4000-8000-00000000beef"
        var vcenter = World.scenario("one", vms: [])
        vcenter.datacenters[0].clusters[0].hosts[0].uuid = uuid
        var esxi = Scenario(.esxi, name: "lab")
        var host = Scenario.Host("esx-1.lab")
        host.uuid = uuid
        host.managementServerIP = "10.10.0.2"
        esxi.datacenters = [.init("ha-datacenter", hosts: [host])]
        let sandbox = try Sandbox()
        let servers = try [("one", vcenter), ("lab", esxi)].map { name, scenario in
            let server = try SimulatedVCenter(scenario)
            try sandbox.onboard(server, as: name)
            return server
        }
        func told(_ account: String) throws -> [(message: String, fix: String?)] {
            let job = try #require(try sandbox.sync(account).first)
            return try sandbox.queue.events(job.id).filter { $0.code == "managed_by_vcenter" }
                .map { ($0.message, $0.fix) }
        }
        // Before the vCenter was read the host's own word is all there is.
        #expect(try told("lab").map(\.message).first?.contains("managed by the vCenter at 10.10.0.2") == true)
        for name in ["one", "lab"] {
            let findings = try told(name)
            #expect(findings.count == 1)
            #expect(
                findings.first?.message.contains("of account lab is in the inventory of the vCenter account one")
                    == true)
            #expect(findings.first?.fix == "wireloom account remove lab")
        }
        withExtendedLifetime(servers) {}
    }
}
