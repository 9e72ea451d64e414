import Addressing
import Controller
import Inventory
import Jobs
import Postgres
import Support
import Testing
import VSphere

/// Which of what is reported counts, and for how much.
@Suite("Evidence", .serialized)
struct EvidenceTests {
    private func world(_ vms: [Scenario.VM], hosts: Int = 1) throws -> (Sandbox, SimulatedVCenter) {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10)
        try sandbox.subnet("servers", on: "campus", "10.20.0.0/24", vlan: 20)
        try sandbox.subnet("servers6", on: "campus", "2001:db8::/64", vlan: 20)
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: vms, hosts: hosts))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        return (sandbox, vcenter)
    }

    private func live(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.column(
            "SELECT host(ip) || CASE WHEN live THEN ' live' ELSE ' last seen' END FROM nic_address ORDER BY ip")
    }

    @Test("an IPv6 address of unknown state counts, as open-vm-tools report it; one that is no use does not")
    func states() throws {
        let (sandbox, _) = try world([
            World.vm(
                "a", .init("2001:db8::5/64", state: "unknown"), .init("2001:db8::6/64", state: "tentative"),
                .init("2001:db8::7/64", state: "duplicate"), .init("2001:db8::8/64", state: "invalid"),
                .init("2001:db8::9/64", state: "inaccessible"), .init("2001:db8::a/64", state: "deprecated"))
        ])
        #expect(
            try sandbox.placements(of: "one") == ["a 2001:db8::5 -> servers6", "a 2001:db8::a -> servers6"])
    }

    @Test("what a VM reported is last seen once its host is out of touch, and stays held", arguments: [false, true])
    func outOfTouch(inaccessible: Bool) throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24")])
        #expect(try live(sandbox) == ["10.10.0.11 live", "10.20.0.5 live"])
        var vm = World.vm("a", "10.20.0.5/24")
        vm.connectionState = inaccessible ? "inaccessible" : "disconnected"
        vm.inaccessible = inaccessible
        try vcenter.change(vm)
        try sandbox.sync("one")
        #expect(try live(sandbox) == ["10.10.0.11 live", "10.20.0.5 last seen"])
        #expect(try sandbox.placements(of: "one") == ["a 10.20.0.5 -> servers"])
    }

    @Test("a VM that is off and cannot be read further is last seen")
    func offAndUnreadable() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24")])
        try vcenter.setPower(of: "a", .off)
        try vcenter.inject(.missing(vm: "a", path: "guest.net", fault: "NoPermission"))
        try sandbox.sync("one")
        #expect(try live(sandbox) == ["10.10.0.11 live", "10.20.0.5 last seen"])
    }

    @Test("a host that is disconnected and shows no network keeps its addresses, as last seen")
    func disconnectedHost() throws {
        let (sandbox, vcenter) = try world([], hosts: 2)
        var host = Scenario.Host("esx-2")
        host.connectionState = .disconnected
        host.noConfig = true
        try vcenter.change(host)
        try sandbox.sync("one")
        #expect(try live(sandbox) == ["10.10.0.11 live", "10.10.0.12 last seen"])
        #expect(try sandbox.column("SELECT count(*) FROM address WHERE state = 'held'") == ["2"])
    }

    @Test("what comes on the ignore list, and what a VM had that becomes a template, is let go")
    func noLongerCounted() throws {
        let (sandbox, vcenter) = try world([
            World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.6/24"), World.vm("c", "10.20.0.7/24"),
        ])
        var template = World.vm("a")
        template.power = .off
        template.template = true
        try vcenter.change(template)
        var change = AccountChange()
        change.ignored = [try .init(parsing: "10.20.0.6/32")]
        let account = try sandbox.database.withConnection { try AccountTable.named("one", in: $0) }
        try sandbox.accounts.update(account, change, password: nil)
        try sandbox.sync("one", acceptReleases: true)
        #expect(try sandbox.placements(of: "one") == ["c 10.20.0.7 -> servers"])
        #expect(try live(sandbox) == ["10.10.0.11 live", "10.20.0.7 live"])
        #expect(
            try sandbox.column("SELECT host(ip) FROM address WHERE state = 'quarantined' ORDER BY 1")
                == ["10.20.0.5", "10.20.0.6"])
        let before = try sandbox.rowVersions()
        try sandbox.sync("one")
        #expect(try sandbox.rowVersions() == before)
    }

    @Test("an object that is told twice, or leaves, or comes back within one reading is what it was told last")
    func toldAgain() throws {
        let uuid = "52d3f6a0-0000-4000-8000-000000000001"
        func machine(_ id: String, _ name: String, _ uuid: String, kind: String = "enter") -> String {
            """
            <objectSet><kind>\(kind)</kind><obj type="VirtualMachine">\(id)</obj>\
            <changeSet><name>name</name><op>assign</op><val xsi:type="xsd:string">\(name)</val></changeSet>\
            <changeSet><name>config.instanceUuid</name><op>assign</op><val xsi:type="xsd:string">\(uuid)</val></changeSet>\
            <changeSet><name>config.hardware.device</name><op>assign</op><val xsi:type="ArrayOfVirtualDevice">\
            <VirtualDevice xsi:type="VirtualVmxnet3"><key>4000</key><macAddress>00:50:56:00:00:01</macAddress>\
            </VirtualDevice></val></changeSet></objectSet>
            """
        }
        func left(_ id: String) -> String {
            "<objectSet><kind>leave</kind><obj type=\"VirtualMachine\">\(id)</obj></objectSet>"
        }
        let fake = try FakeVCenter(pages: [
            FakeVCenter.rootFolder + machine("vm-1", "old", uuid) + machine("vm-2", "twice", "2")
                + machine("vm-3", "back", "3") + machine("vm-4", "gone", "4"),
            left("vm-1") + machine("vm-5", "anew", uuid) + machine("vm-2", "twice told", "2")
                + left("vm-3") + machine("vm-3", "back again", "3") + machine("vm-4", "gone", "4") + left("vm-4"),
        ])
        defer { fake.stop() }
        let sandbox = try Sandbox()
        _ = try sandbox.accounts.add(
            AccountService.Request(
                name: "fake", url: fake.url, username: "u", password: Secret("p"), trust: (.insecure, nil), site: nil,
                every: .seconds(600), grace: .zero, ignored: []))
        let job = try #require(try sandbox.sync("fake").first)
        #expect(job.error == nil)
        #expect(
            try sandbox.column("SELECT id || ' ' || name FROM vm ORDER BY 1")
                == ["vm-2 twice told", "vm-3 back again", "vm-5 anew"])
        #expect(try sandbox.column("SELECT owner_id FROM nic ORDER BY 1") == ["vm-2", "vm-3", "vm-5"])
        let events = try sandbox.queue.events(job.id)
        #expect(!events.contains { $0.code == "duplicate_uuid" })
        #expect(events.contains { $0.message.contains("0 hosts and 3 VMs") })
    }
}
