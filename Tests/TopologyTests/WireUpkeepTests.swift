import Addressing
import Testing

@testable import Topology

/// Recomputing the unconfirmed subnets of untouched automatic wires, and letting such wires go.
@Suite struct WireUpkeepTests {
    private func bundle(
        touched: Bool = false, linksElsewhere: Int = 0
    ) -> (world: World, item: SwitchID, own: WireID) {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let own = world.wire("own", origin: .automatic, touched: touched, linksElsewhere: linksElsewhere)
        world.link(item, own, .automatic)
        return (world, item, own)
    }

    private func update(
        _ id: SubnetID, _ cidr: String, gateway: String? = nil, absorbing: [SubnetID] = []
    ) -> SubnetChange {
        .update(id, cidr: CIDR(cidr)!, gateway: gateway.flatMap(IPAddress.init), absorbing: absorbing)
    }

    @Test("hosts that did not change, change nothing")
    func unchanged() {
        var (world, item, own) = bundle()
        world.unconfirmed("10.0.0.0/24", gateway: "10.0.0.1", on: own)
        world.vmkernel("10.0.0.5/24", on: item, gateways: ["10.0.0.1"])
        let decision = world.decide()
        #expect(decision.subnetChanges.isEmpty)
        #expect(decision.action(item) == .keep(own))
    }

    @Test("a new host address gets a subnet, a changed gateway is taken over, a subnet without any address goes")
    func follows() {
        var (world, item, own) = bundle()
        let old = world.unconfirmed("10.9.0.0/24", on: own)
        let same = world.unconfirmed("10.0.0.0/24", gateway: "10.0.0.1", on: own)
        world.vmkernel("10.0.0.5/24", on: item, gateways: ["10.0.0.254"])
        world.vmkernel("10.1.0.5/24", on: item, vlan: .tag(7))
        #expect(
            world.decide().subnetChanges == [
                update(same, "10.0.0.0/24", gateway: "10.0.0.254"), .create(own, NewSubnet("10.1.0.0/24", vlan: 7)),
                .remove(old),
            ])
    }

    @Test("a wire that a person touched, or made, is left alone")
    func touched() {
        var (world, item, own) = bundle(touched: true)
        world.unconfirmed("10.9.0.0/24", on: own)
        world.vmkernel("10.0.0.5/24", on: item)
        #expect(world.decide().subnetChanges.isEmpty)
        world.snapshot.wires[0] = Snapshot.Wire(id: own, name: "own", origin: .person)
        #expect(world.decide().subnetChanges.isEmpty)
        #expect(world.decide().wiresToRemove.isEmpty)
    }

    @Test("a subnet that holds anything stays, with its gateway, when no host address is in it")
    func heldStays() {
        var (world, item, own) = bundle()
        world.unconfirmed("10.9.0.0/24", gateway: "10.9.0.1", on: own, held: "10.9.0.40")
        world.vmkernel("10.0.0.5/24", on: item)
        #expect(world.decide().subnetChanges == [.create(own, NewSubnet("10.0.0.0/24"))])
    }

    @Test("a narrower mask narrows the subnet only where nothing held is left out")
    func narrows() {
        var (world, item, own) = bundle()
        let old = world.unconfirmed("10.0.0.0/16", on: own, held: "10.0.0.7-10.0.0.9")
        world.vmkernel("10.0.0.5/24", on: item)
        #expect(world.decide().subnetChanges == [update(old, "10.0.0.0/24")])
        world.snapshot.unconfirmedSubnets[0].held = try? AddressRange(parsing: "10.0.0.7-10.0.1.9")
        let decision = world.decide()
        #expect(decision.subnetChanges.isEmpty)
        #expect(
            decision.findings == [
                Finding(
                    code: .subnetKeptWider, subject: "10.0.0.0/16 (VLAN 1)",
                    message: "Subnet net-500 of wire own stays 10.0.0.0/16, wider than the masks of its hosts' "
                        + "adapters, because other addresses are held in it.",
                    fix: "wireloom ip list net-500")
            ])
    }

    @Test("a wider mask widens one subnet, which absorbs the others that it covers")
    func widens() {
        var (world, item, own) = bundle()
        let first = world.unconfirmed("10.0.0.0/25", on: own)
        let second = world.unconfirmed("10.0.0.128/25", on: own, held: "10.0.0.200")
        world.vmkernel("10.0.0.5/24", on: item)
        #expect(world.decide().subnetChanges == [update(second, "10.0.0.0/24", absorbing: [first])])
    }

    @Test("a subnet that falls apart becomes the part that holds its addresses, and the rest is created")
    func splits() {
        var (world, item, own) = bundle()
        let old = world.unconfirmed("10.0.0.0/16", on: own, held: "10.0.7.9")
        world.vmkernel("10.0.0.5/24", on: item)
        world.vmkernel("10.0.7.5/24", on: item)
        #expect(
            world.decide().subnetChanges == [update(old, "10.0.7.0/24"), .create(own, NewSubnet("10.0.0.0/24"))])
    }

    @Test("a changed VLAN is another subnet; the old one goes when nothing is held in it")
    func vlanChanges() {
        var (world, item, own) = bundle()
        let old = world.unconfirmed("10.0.0.0/24", vlan: 10, on: own)
        world.vmkernel("10.0.0.5/24", on: item, vlan: .tag(20))
        #expect(world.decide().subnetChanges == [.create(own, NewSubnet("10.0.0.0/24", vlan: 20)), .remove(old)])
    }

    @Test("a mask that is not known any more narrows nothing")
    func maskLost() {
        var (world, item, own) = bundle()
        world.unconfirmed("10.0.0.0/24", gateway: "10.0.0.1", on: own)
        world.vmkernel("10.0.0.5", on: item, gateways: ["10.0.0.1"])
        #expect(world.decide().subnetChanges.isEmpty)
    }

    @Test("a wire that other accounts are linked to is only added to")
    func shared() {
        var (world, item, own) = bundle(linksElsewhere: 1)
        world.unconfirmed("10.9.0.0/24", on: own)
        world.unconfirmed("10.0.0.0/16", gateway: "10.0.0.1", on: own)
        world.vmkernel("10.0.0.5/24", on: item, gateways: ["10.0.0.254"])
        world.vmkernel("10.1.0.5/24", on: item)
        let decision = world.decide()
        #expect(decision.subnetChanges == [.create(own, NewSubnet("10.1.0.0/24"))])
        #expect(decision.findings.isEmpty)
    }

    @Test("all switches and pins on one wire have their say in its subnets")
    func union() {
        var (world, item, own) = bundle()
        let racks = world.distributed("DS", hosts: 2...3)
        let campus = world.wire("campus")
        world.link(racks, campus, .person)
        world.link(racks, own, host: 3, native: 5, .person)
        world.vmkernel("10.0.0.5/24", on: item)
        world.vmkernel("10.1.0.5/24", on: racks, host: 2)
        world.vmkernel("10.2.0.5/24", on: racks, host: 3)
        #expect(
            world.decide().subnetChanges
                == [.create(own, NewSubnet("10.0.0.0/24")), .create(own, NewSubnet("10.2.0.0/24", vlan: 5))])
    }

    @Test("an untouched automatic wire goes with its last switch, and only then")
    func lastSwitch() {
        var (world, item, own) = bundle()
        let campus = world.wire("campus")
        world.snapshot.links = []
        world.link(item, campus, .person)
        #expect(world.decide().wiresToRemove == [own])
        let second = world.standard("vSwitch1", host: 1)
        world.link(second, own, .automatic)
        #expect(world.decide().wiresToRemove == [])
        world.snapshot.links.removeLast()
        world.snapshot.switches.removeLast()
        world.snapshot.wires[0].linksElsewhere = 1
        #expect(world.decide().wiresToRemove == [])
        world.snapshot.wires[0].linksElsewhere = 0
        world.snapshot.wires[0].touched = true
        #expect(world.decide().wiresToRemove == [])
    }
}
