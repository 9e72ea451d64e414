import Addressing
import Testing

@testable import Topology

/// Rule 5 of DESIGN.md 3.2: a wire for one switch alone.
@Suite struct AloneRuleTests {
    /// A standard switch without any confirmed subnet about.
    private func bundle() -> (world: World, item: SwitchID) {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        return (world, item)
    }

    @Test("a switch without evidence gets a wire, named by account, host and switch, in the account's site")
    func nothing() {
        var (world, item) = bundle()
        world.snapshot.site = "east"
        let decision = world.decide()
        #expect(decision.link(item)?.rule == .alone)
        #expect(
            decision.newWire(item)
                == NewWire(
                    names: [
                        "vc1/esx-1/vSwitch0", "vc1/DC/esx-1/vSwitch0", "vc1/DC/esx-1/vSwitch0/host-1/vSwitch0",
                    ],
                    site: "east", subnets: []))
        #expect(decision.findings.isEmpty)
    }

    @Test("a distributed switch's wire is named by account and switch")
    func distributedName() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...2, datacenter: nil)
        #expect(world.decide().newWire(item)?.names == ["vc1/DS", "vc1/DS/dvs-DS"])
    }

    @Test("names that wires have, and names given earlier in the decision, are not offered again")
    func takenNames() {
        var world = World()
        let a = world.distributed("DS", hosts: 1...1, id: "dvs-1", datacenter: "A")
        let b = world.distributed("DS", hosts: 2...2, id: "dvs-2", datacenter: "B")
        let c = world.distributed("DS", hosts: 3...3, id: "dvs-3", datacenter: "B")
        let d = world.distributed("other", hosts: 4...4)
        world.wire("vc1/other")
        let decision = world.decide()
        #expect(decision.newWire(a)?.names.first == "vc1/DS")
        #expect(decision.newWire(b)?.names.first == "vc1/B/DS")
        #expect(decision.newWire(c)?.names == ["vc1/B/DS/dvs-3"])
        #expect(decision.newWire(d)?.names.first == "vc1/DC/other")
    }

    @Test("each port group with a VMkernel address gets its subnet: mask, gateway inside, VLAN")
    func subnets() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item, gateways: ["10.0.0.1", "2001:db8::1"])
        world.vmkernel("10.0.5.5/22", on: item, vlan: .tag(20), gateways: ["10.0.0.1"])
        world.vmkernel("2001:db8::5/64", on: item, gateways: ["10.0.0.1", "2001:db8::1"])
        let decision = world.decide()
        #expect(
            decision.newWire(item)?.subnets == [
                NewSubnet("10.0.0.0/24", gateway: "10.0.0.1"),
                NewSubnet("2001:db8::/64", gateway: "2001:db8::1"),
                NewSubnet("10.0.4.0/22", vlan: 20),
            ])
        #expect(decision.findings.isEmpty)
    }

    @Test("one CIDR in two VLANs is two subnets")
    func vlansApart() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item, vlan: .tag(10))
        world.vmkernel("10.0.0.6/24", on: item, vlan: .tag(20))
        #expect(
            world.decide().newWire(item)?.subnets
                == [NewSubnet("10.0.0.0/24", vlan: 10), NewSubnet("10.0.0.0/24", vlan: 20)])
    }

    @Test(
        "a gateway that no host could have, or that is a host's own address, is none",
        arguments: [
            "10.0.0.0", "10.0.0.255", "10.0.0.5", "10.0.1.1", "0.0.0.0", "127.0.0.1",
        ])
    func badGateway(gateway: String) {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item, gateways: [gateway])
        #expect(world.decide().newWire(item)?.subnets == [NewSubnet("10.0.0.0/24")])
    }

    @Test("of two gateways the one that more addresses name is taken, of equals the lowest")
    func gatewayVotes() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item, gateways: ["10.0.0.254"])
        world.vmkernel("10.0.0.6/24", on: item, gateways: ["10.0.0.1"])
        #expect(world.decide().newWire(item)?.subnets.first?.gateway == IPAddress("10.0.0.1"))
        world.vmkernel("10.0.0.7/24", on: item, gateways: ["10.0.0.254"])
        #expect(world.decide().newWire(item)?.subnets.first?.gateway == IPAddress("10.0.0.254"))
    }

    @Test("masks that disagree in one VLAN give the wider CIDR and a finding")
    func masks() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item, gateways: ["10.0.0.1"])
        world.vmkernel("10.0.7.6/16", on: item)
        let decision = world.decide()
        #expect(decision.newWire(item)?.subnets == [NewSubnet("10.0.0.0/16", gateway: "10.0.0.1")])
        #expect(
            decision.findings == [
                Finding(
                    code: .maskDisagreement, subject: "10.0.0.0/16 (VLAN 1)",
                    message:
                        "Adapters in VLAN 1 of the switch vSwitch0 of host esx-1 disagree on the mask: 10.0.0.5/24 "
                        + "of esx-1 and 10.0.7.6/16 of esx-1; the subnet is the wider, 10.0.0.0/16.")
            ])
    }

    @Test("different subnets of one VLAN do not disagree")
    func disjointMasks() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item)
        world.vmkernel("10.1.7.6/16", on: item)
        let decision = world.decide()
        #expect(decision.newWire(item)?.subnets == [NewSubnet("10.0.0.0/24"), NewSubnet("10.1.0.0/16")])
        #expect(decision.findings.isEmpty)
    }

    @Test(
        "an address without a usable mask still lands, and a finding says what is missing",
        arguments: ["", "/0", "/33"])
    func unknownMask(length: String) {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5\(length)", on: item)
        let decision = world.decide()
        #expect(decision.newWire(item)?.subnets == [NewSubnet("10.0.0.5/32")])
        #expect(decision.findings.map(\.code) == [.unknownMask])
    }

    @Test("an address without a mask within another's subnet needs none")
    func unknownMaskCovered() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5", on: item)
        world.vmkernel("10.0.0.6/24", on: item)
        let decision = world.decide()
        #expect(decision.newWire(item)?.subnets == [NewSubnet("10.0.0.0/24")])
        #expect(decision.findings.isEmpty)
    }

    @Test("an adapter on a trunk gets the native VLAN if the trunk carries it, else the lowest it carries")
    func trunk() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item, vlan: .trunk([0...4094]))
        world.vmkernel("10.1.0.5/24", on: item, vlan: .trunk([30...40, 20...25]))
        world.vmkernel("10.2.0.5/24", on: item, vlan: .trunk([4095...5000]))
        world.vmkernel("10.3.0.5/24", on: item, vlan: .unmatchable)
        #expect(
            world.decide().newWire(item)?.subnets == [NewSubnet("10.0.0.0/24"), NewSubnet("10.1.0.0/24", vlan: 20)])
    }

    @Test("an adapter on a trunk joins the subnet that the trunk reaches already")
    func trunkJoins() {
        var (world, item) = bundle()
        world.vmkernel("10.0.0.5/24", on: item, vlan: .trunk([0...4094]))
        world.vmkernel("10.0.0.6/24", on: item, vlan: .tag(20))
        #expect(world.decide().newWire(item)?.subnets == [NewSubnet("10.0.0.0/24", vlan: 20)])
    }

    @Test("a pinned host's addresses make no subnet on the switch's wire")
    func pinned() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...2)
        let campus = world.wire("campus")
        world.link(item, campus, host: 2, .person)
        world.vmkernel("10.0.0.5/24", on: item, host: 1)
        world.vmkernel("10.1.0.5/24", on: item, host: 2)
        let decision = world.decide()
        #expect(decision.newWire(item)?.subnets == [NewSubnet("10.0.0.0/24")])
        #expect(decision.subnetChanges.isEmpty)
    }

    @Test("two switches of one host are two wires, even with one CIDR")
    func apart() {
        var (world, first) = bundle()
        let second = world.standard("vSwitch1", host: 1)
        world.vmkernel("10.0.0.5/24", on: first)
        world.vmkernel("10.0.0.6/24", on: second)
        let decision = world.decide()
        #expect(decision.newWire(first)?.subnets == [NewSubnet("10.0.0.0/24")])
        #expect(decision.newWire(second)?.subnets == [NewSubnet("10.0.0.0/24")])
    }
}
