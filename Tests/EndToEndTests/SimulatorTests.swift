import Foundation
import Support
import Testing

@Suite("The simulated vCenter")
struct SimulatorTests {
    private static func scenario(_ name: String) -> Scenario {
        var scenario = Scenario(name: name)
        let network = Scenario.Network.distributed("dvs", "servers")
        let host = Scenario.Host(
            "esx-1", gateway: "10.10.0.1",
            vmkernel: [.init(ip: "10.10.0.11", network: .distributed("dvs", "management"))])
        scenario.datacenters = [
            .init(
                "Paris", clusters: [.init("Production", hosts: [host])],
                switches: [
                    .init(
                        "dvs", hosts: ["esx-1"],
                        portGroups: [
                            .init("management", vlan: 10), .init("servers", vlan: 20), .init("all", trunk: ["1-4094"]),
                            .init("isolated", privateVLAN: 61),
                        ],
                        privateVLANs: [.init(primary: 60, secondary: 60), .init(primary: 60, secondary: 61)])
                ],
                opaqueNetworks: [.init("overlay", id: "overlay-1")])
        ]
        scenario.vms = [
            .init("web-1", on: "esx-1", network: network, addresses: ["10.20.0.11/24", "fe80::11/64"]),
            .init("none", on: "esx-1", network: .none),
            .init("overlaid", on: "esx-1", network: .opaque("overlay")),
        ]
        return scenario
    }

    @Test("two processes of equal scenarios have equal object ids")
    func stableIdentities() throws {
        let first = try SimulatedVCenter(Self.scenario("paris"))
        let second = try SimulatedVCenter(Self.scenario("paris"))
        let objects = try first.objects()
        #expect(objects.vms.keys.sorted() == ["none", "overlaid", "web-1"])
        #expect(objects.portGroups["Paris/dvs/servers"]?.hasPrefix("dvportgroup-") == true)
        let others = try second.objects()
        #expect(objects.vms == others.vms && objects.hosts == others.hosts && objects.portGroups == others.portGroups)
        #expect(first.url != second.url)
    }

    @Test("verbs change the inventory, and a wrong one is refused with its cause")
    func verbs() throws {
        let vcenter = try SimulatedVCenter(Self.scenario("paris"))
        try vcenter.add(.init("web-2", on: "esx-1", network: .distributed("dvs", "servers")))
        try vcenter.setGuest(of: "web-2", [.init(["10.20.0.12/24"])], tools: .running)
        try vcenter.setPower(of: "web-2", .off)
        try vcenter.remove("web-1")
        #expect(try vcenter.objects().vms.keys.sorted() == ["none", "overlaid", "web-2"])
        var host = Scenario.Host("esx-1")
        host.connectionState = .notResponding
        host.noConfig = true
        try vcenter.change(host)
        var other = Self.scenario("paris")
        other[vm: "none"] = nil
        try vcenter.become(other)
        #expect(try vcenter.objects().vms.keys.sorted() == ["overlaid", "web-1"])
        try vcenter.inject(.status(503), method: "Login", count: 2)
        try vcenter.inject(.missing(vm: "web-1", path: "guest.net", fault: "NoPermission"))
        try vcenter.clearFaults()
        try vcenter.expireSessions()
        #expect(try vcenter.statistics().sessionsOpen == 0)
        let refusal = #expect(throws: SimulatorError.self) { try vcenter.remove("unheard-of") }
        #expect(refusal?.description.contains("unheard-of") == true)
    }

    @Test("a stopped one leaves nothing behind")
    func stop() throws {
        let vcenter = try SimulatedVCenter(Self.scenario("paris"))
        #expect(FileManager.default.fileExists(atPath: vcenter.caFile))
        vcenter.stop()
        vcenter.stop()
        #expect(!FileManager.default.fileExists(atPath: vcenter.caFile))
        #expect(throws: SimulatorError.self) { try vcenter.objects() }
    }

    @Test("the demo's endpoints start", arguments: ["paris", "lyon", "tokyo", "lab-esxi"])
    func demo(name: String) throws {
        let endpoint = try SimulatedVCenter.demo(name)
        #expect(try endpoint.objects().vms.count >= 10)
        #expect(endpoint.instanceUUID.isEmpty == (name == "lab-esxi"))
    }
}
