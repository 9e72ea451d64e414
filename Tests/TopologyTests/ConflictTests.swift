import Addressing
import Testing

@testable import Topology

/// Wires on which an address is held by another live NIC.
@Suite struct ConflictTests {
    /// One standard switch with a management address in `campus`, where the test may add a holder.
    private func bundle() -> (world: World, item: SwitchID, wire: WireID, subnet: SubnetID, mac: MACAddress) {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let wire = world.wire("campus")
        let subnet = world.subnet("10.0.0.0/24", on: wire)
        let mac = world.management("10.0.0.5", on: item)
        return (world, item, wire, subnet, mac)
    }

    @Test("a wire where another MAC holds the address is no candidate, and a finding says so")
    func excluded() {
        var (world, item, wire, subnet, _) = bundle()
        world.vm("10.0.0.6", on: item)
        world.holder("10.0.0.5", in: subnet)
        let decision = world.decide()
        #expect(decision.newWire(item) != nil)
        #expect(
            decision.link(item)?.support == [
                Support(wire: wire, strong: 0, weak: 1, contested: [IPAddress("10.0.0.5")!])
            ])
        #expect(
            decision.findings == [
                Finding(
                    code: .addressConflict, subject: "vSwitch0 (esx-1)",
                    message: "Wire campus is no candidate for switch vSwitch0 of host esx-1, because 10.0.0.5 is held "
                        + "there by another live adapter with another MAC address.",
                    fix: """
                        wireloom ip find 10.0.0.5
                        wireloom wire link vSwitch0 campus --host esx-1 --account vc1
                        """)
            ])
    }

    @Test("the same MAC is a migration, not a conflict")
    func sameMAC() {
        var (world, item, wire, subnet, mac) = bundle()
        world.holder("10.0.0.5", in: subnet, mac: mac)
        #expect(world.decide().action(item) == .link(to: wire))
    }

    @Test("a holder in another subnet, or of another address, is no conflict")
    func otherSeat() {
        var (world, item, wire, subnet, _) = bundle()
        world.holder("10.0.0.7", in: subnet)
        world.holder("10.0.0.5", in: SubnetID(999))
        #expect(world.decide().action(item) == .link(to: wire))
    }

    @Test("a conflict decides a tie")
    func decidesTie() {
        var (world, item, _, subnet, _) = bundle()
        let lab = world.wire("lab")
        world.subnet("10.0.0.0/24", on: lab)
        world.holder("10.0.0.5", in: subnet)
        #expect(world.decide().action(item) == .link(to: lab))
    }

    @Test("an address only last seen, and held by another by now, speaks neither for nor against a wire")
    func lastSeen() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let wire = world.wire("campus")
        let subnet = world.subnet("10.0.0.0/24", on: wire)
        world.vm("10.0.0.5", on: item, live: false)
        world.vm("10.0.0.6", on: item)
        world.holder("10.0.0.5", in: subnet)
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: wire))
        #expect(decision.link(item)?.support == [Support(wire: wire, strong: 0, weak: 1)])
        #expect(decision.findings.isEmpty)
    }

    @Test("one duplicate address does not take an automatic link's support away")
    func ownWire() {
        var (world, item, wire, subnet, _) = bundle()
        let lab = world.wire("lab")
        world.subnet("10.0.0.0/24", on: lab)
        world.vm("10.0.0.6", on: item)
        world.link(item, wire, .automatic)
        world.holder("10.0.0.5", in: subnet)
        let decision = world.decide()
        #expect(decision.action(item) == .keep(wire))
        #expect(decision.findings.map(\.code) == [.addressConflict, .betterWire])
        #expect(decision.findings.first?.fix == "wireloom ip find 10.0.0.5")
    }

    @Test("two adapters of one switch with one address say nothing about its wire")
    func sameSwitch() {
        var (world, item, wire, subnet, _) = bundle()
        world.link(item, wire, .person)
        world.holder("10.0.0.5", in: subnet, on: item, host: 1)
        let decision = world.decide()
        #expect(decision.findings.isEmpty)
        #expect(decision.link(item)?.support == [Support(wire: wire, strong: 1, weak: 0)])
    }

    @Test("an adapter of the same switch on a pinned host is another network's")
    func pinnedHostOfSameSwitch() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...2)
        let wire = world.wire("rack2")
        let subnet = world.subnet("10.0.0.0/24", on: wire)
        world.link(item, wire, host: 2, .person)
        world.management("10.0.0.5", on: item, host: 1)
        world.holder("10.0.0.5", in: subnet, on: item, host: 2)
        #expect(world.decide().newWire(item) != nil)
    }

    @Test("networks that reuse one CIDR are no finding for a link that has support of its own")
    func reusedCIDR() {
        var (world, item, wire, _, _) = bundle()
        let lab = world.wire("lab")
        let other = world.subnet("10.0.0.0/24", on: lab)
        world.link(item, wire, .automatic)
        world.holder("10.0.0.5", in: other)
        #expect(world.decide().findings.isEmpty)
    }
}
