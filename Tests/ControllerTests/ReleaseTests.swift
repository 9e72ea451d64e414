import Controller
import Jobs
import Support
import Testing

/// Rule 3.4: what a reading may release, and what it may not.
@Suite("Releases", .serialized)
struct ReleaseTests {
    private func world(_ vms: [Scenario.VM], hosts: Int = 1) throws -> (Sandbox, SimulatedVCenter) {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10)
        try sandbox.subnet("servers", on: "campus", "10.20.0.0/24", vlan: 20)
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: vms, hosts: hosts))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        return (sandbox, vcenter)
    }

    private func held(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.column(
            """
            SELECT v.name || ' ' || host(a.ip) FROM address a JOIN vm v ON v.account_id = a.account_id AND v.id = a.owner_id
            WHERE a.state = 'held' AND a.owner = 'vm' ORDER BY 1
            """)
    }

    @Test("a powered-off VM keeps its address, as last seen")
    func poweredOff() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24")])
        try vcenter.setPower(of: "a", .off)
        for _ in 1...3 { try sandbox.sync("one") }
        #expect(try held(sandbox) == ["a 10.20.0.5"])
        #expect(try sandbox.column("SELECT live FROM nic_address WHERE owner = 'vm'") == ["false"])
    }

    @Test("an address that its live adapter no longer reports is released at the second reading, not at the first")
    func replaced() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24")])
        try vcenter.change(World.vm("a", "10.20.0.6/24"))
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["a 10.20.0.5", "a 10.20.0.6"])
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["a 10.20.0.6"])
        #expect(try sandbox.column("SELECT host(ip) FROM address WHERE state = 'quarantined'") == ["10.20.0.5"])
    }

    @Test("two adapters that swapped addresses end as two placements and no quarantine")
    func swapped() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.6/24")])
        try vcenter.change(World.vm("a", "10.20.0.6/24"))
        try vcenter.change(World.vm("b", "10.20.0.5/24"))
        for _ in 1...3 {
            try sandbox.sync("one")
            #expect(try held(sandbox) == ["a 10.20.0.6", "b 10.20.0.5"])
            #expect(try sandbox.placements(of: "one") == ["a 10.20.0.6 -> servers", "b 10.20.0.5 -> servers"])
            #expect(try sandbox.column("SELECT sync_ips FROM vm") == ["-", "-"])
            #expect(try sandbox.column("SELECT count(*) FROM address WHERE state = 'quarantined'") == ["0"])
        }
    }

    @Test("a vanished VM is released after two complete syncs and the grace, into quarantine")
    func vanished() throws {
        let (sandbox, vcenter) = try world([
            World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.6/24"), World.vm("c", "10.20.0.7/24"),
        ])
        try vcenter.remove("a")
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["a 10.20.0.5", "b 10.20.0.6", "c 10.20.0.7"])
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["b 10.20.0.6", "c 10.20.0.7"])
        #expect(try sandbox.column("SELECT host(ip) FROM address WHERE state = 'quarantined'") == ["10.20.0.5"])
        #expect(try sandbox.column("SELECT name FROM vm ORDER BY 1") == ["b", "c"])
    }

    @Test("the release breaker stops a sync that would release all VMs, changes nothing, and can be overruled")
    func breaker() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.6/24")])
        for name in ["a", "b"] { try vcenter.remove(name) }
        try sandbox.sync("one")
        let before = try sandbox.contents()
        let job = try #require(try sandbox.sync("one").first)
        #expect(job.state == .failed)
        #expect(job.errorCode == "release_breaker")
        #expect(job.error?.contains("--accept-releases") == true)
        #expect(try sandbox.contents() == before)
        try sandbox.sync("one", acceptReleases: true)
        #expect(try held(sandbox) == [])
    }

    @Test("addresses that only move to the subnets of a person's wire are not lost, and no breaker's business")
    func movedWithTheWire() throws {
        let sandbox = try Sandbox()
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: [], hosts: 30))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10)
        let job = try #require(try sandbox.sync("one").first)
        #expect(job.error == nil)
        #expect(
            try sandbox.column(
                "SELECT s.name || ' ' || a.state || ' ' || count(*) FROM address a "
                    + "JOIN subnet s ON s.id = a.subnet_id GROUP BY s.name, a.state") == ["management held 30"])
    }

    @Test("creating the missing subnet places what is known, without a sync, and clears the tag")
    func placedWithoutSync() throws {
        let (sandbox, _) = try world([World.vm("a", "10.30.0.5/24", group: "apps")])
        #expect(try sandbox.placements(of: "one") == ["a 10.30.0.5 -> no_subnet"])
        #expect(try sandbox.column("SELECT sync_ips FROM vm") == ["10.30.0.5"])
        try sandbox.subnet("apps", on: "campus", "10.30.0.0/24", vlan: 30)
        #expect(try sandbox.placements(of: "one") == ["a 10.30.0.5 -> apps"])
        #expect(try sandbox.column("SELECT sync_ips FROM vm") == ["-"])
        #expect(try held(sandbox) == ["a 10.30.0.5"])
    }

    @Test("live evidence takes an address from a VM that was only last seen")
    func liveWins() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24")])
        try vcenter.setPower(of: "a", .off)
        try vcenter.add(World.vm("b", "10.20.0.5/24"))
        try sandbox.sync("one")
        #expect(try sandbox.placements(of: "one") == ["a 10.20.0.5 -> held_by_other", "b 10.20.0.5 -> servers"])
    }
}
