import Addressing
import Controller
import Jobs
import Support
import Testing

/// I5: a property that cannot be read keeps that object's last values; it is never the same as empty.
@Suite("What could not be read", .serialized)
struct UnreadableTests {
    /// Everything that refers to something else: standard and distributed networks, a private VLAN, an uplink.
    private func world() throws -> (Sandbox, SimulatedVCenter) {
        var scenario = World.scenario(
            "one", vms: [World.vm("a", "10.20.0.5/24"), World.vm("b", "10.40.0.5/24", group: "private")], hosts: 2)
        scenario.datacenters[0].clusters[0].hosts[0].pnics = [.init("vmnic0"), .init("vmnic1")]
        scenario.datacenters[0].clusters[0].hosts[0].switches = [
            .init("vSwitch0", pnics: ["vmnic1"], portGroups: [.init("lan", vlan: 20), .init("moving", vlan: 50)])
        ]
        scenario.datacenters[0].clusters[0].hosts[0].vmkernel.append(
            .init("vmk1", ip: "10.50.0.11", network: .standard("moving"), services: ["vmotion"]))
        scenario.datacenters[0].switches[0].privateVlans = [.init(primary: 40, secondary: 41, type: "isolated")]
        scenario.datacenters[0].switches[0].portGroups += [
            .init("private", privateVLAN: 41), .init("up", trunk: ["0-4094"], uplink: true),
        ]
        scenario.vms.append(.init("c", on: "esx-1", network: .standard("lan"), addresses: ["10.20.0.6/24"]))
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "campus", site: nil)
        for (name, third, vlan) in [("management", 10, 10), ("servers", 20, 20), ("isolated", 40, 40)] {
            try sandbox.subnet(name, on: "campus", "10.\(third).0.0/24", vlan: vlan)
        }
        let vcenter = try SimulatedVCenter(scenario)
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        _ = try sandbox.networks.link(switch: "vSwitch0", account: "one", host: nil, toWire: "campus", native: .one)
        try sandbox.sync("one")
        #expect(
            try sandbox.placements(of: "one")
                == ["a 10.20.0.5 -> servers", "b 10.40.0.5 -> isolated", "c 10.20.0.6 -> servers"])
        return (sandbox, vcenter)
    }

    private func expectNothingChanges(
        _ sandbox: Sandbox, _ vcenter: SimulatedVCenter, _ faults: SimulatedVCenter.Fault..., name: String
    ) throws {
        let before = try sandbox.contents()
        for fault in faults { try vcenter.inject(fault) }
        let job = try #require(try sandbox.sync("one").first)
        #expect(job.error == nil, "\(name)")
        #expect(try sandbox.queue.events(job.id).contains { $0.code == "unreadable" }, "\(name)")
        let after = try sandbox.contents()
        #expect(after.filter { before[$0.key] != $0.value }.keys.sorted() == [], "\(name)")
        try vcenter.clearFaults()
    }

    @Test("a host with an unreadable property keeps what is known of it and of its network")
    func hosts() throws {
        let (sandbox, vcenter) = try world()
        for path in [
            "config.network.pnic", "config.network.vnic", "config.network.vswitch", "config.network.portgroup",
            "config.network.proxySwitch", "config.network.ipRouteConfig", "config.network.netStackInstance",
            "config.virtualNicManagerInfo.netConfig", "name", "parent", "summary.hardware.uuid",
            "runtime.connectionState", "runtime.inMaintenanceMode", "config.product.version",
        ] {
            try expectNothingChanges(
                sandbox, vcenter, .missingOnHost("esx-1", path: path, fault: "NoPermission"), name: path)
        }
    }

    @Test("a VM with an unreadable property keeps what is known of it, its adapters and their addresses")
    func machines() throws {
        let (sandbox, vcenter) = try world()
        for path in [
            "name", "runtime.host", "runtime.powerState", "runtime.connectionState", "config.uuid",
            "config.instanceUuid", "config.template", "config.hardware.device", "guest.net",
            "guest.toolsRunningStatus",
        ] {
            for vm in ["a", "c"] {
                try expectNothingChanges(
                    sandbox, vcenter, .missing(vm: vm, path: path, fault: "NoPermission"), name: "\(path) of \(vm)")
            }
        }
    }

    @Test("a distributed switch or port group with an unreadable property keeps what is known of it")
    func distributed() throws {
        let (sandbox, vcenter) = try world()
        let objects = try vcenter.objects()
        let core = try #require(objects.switches["DC/dvs"])
        for path in ["name", "parent", "uuid", "config", "summary.hostMember"] {
            try expectNothingChanges(
                sandbox, vcenter, .missingOnObject(core, path: path, fault: "NoPermission"), name: path)
        }
        for group in ["servers", "private", "up"] {
            let id = try #require(objects.portGroups["DC/dvs/\(group)"])
            for path in ["name", "config.distributedVirtualSwitch", "config.defaultPortConfig", "config.uplink", "tag"]
            {
                // Some are not there to be hidden.
                guard group == "up" || path != "tag" else { continue }
                try expectNothingChanges(
                    sandbox, vcenter, .missingOnObject(id, path: path, fault: "NoPermission"),
                    name: "\(path) of \(group)")
            }
        }
        // Each of the three tells an uplink by itself.
        let uplink = try #require(objects.portGroups["DC/dvs/up"])
        try expectNothingChanges(
            sandbox, vcenter, .missingOnObject(core, path: "config", fault: "NoPermission"),
            .missingOnObject(uplink, path: "config.uplink", fault: "NoPermission"),
            .missingOnObject(uplink, path: "tag", fault: "NoPermission"), name: "all marks of an uplink")
    }
}
