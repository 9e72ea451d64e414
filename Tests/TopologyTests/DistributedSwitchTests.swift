import Addressing
import Testing

@testable import Topology

/// Pins, and evidence that splits by host.
@Suite struct DistributedSwitchTests {
    private func racks() -> (world: World, item: SwitchID, a: WireID, b: WireID) {
        var world = World()
        let item = world.distributed("DS", hosts: 1...3)
        let a = world.wire("rack-a")
        let b = world.wire("rack-b")
        world.subnet("10.0.0.0/24", on: a)
        world.subnet("10.1.0.0/24", on: b)
        world.management("10.0.0.1", on: item, host: 1)
        world.management("10.0.0.2", on: item, host: 2)
        world.management("10.1.0.3", on: item, host: 3)
        return (world, item, a, b)
    }

    @Test("hosts that speak for different wires are a finding with a pin for each that the link does not suit")
    func split() {
        let (world, item, a, _) = racks()
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: a))
        #expect(
            decision.findings == [
                Finding(
                    code: .splitByHost, subject: "DS",
                    message:
                        "The hosts of distributed switch DS speak for different wires: esx-1 for rack-a, esx-2 for "
                        + "rack-a and esx-3 for rack-b.",
                    fix: "wireloom wire link DS rack-b --host esx-3 --account vc1")
            ])
    }

    @Test("a tie between racks offers a pin for every host")
    func splitTie() {
        var (world, item, a, b) = racks()
        world.management("10.1.0.4", on: item, host: 3)
        let decision = world.decide()
        #expect(decision.action(item) == .leaveUnlinked(candidates: [a, b]))
        #expect(decision.findings.map(\.code) == [.splitByHost, .tiedWires])
        #expect(
            decision.findings.first?.fix == """
                wireloom wire link DS rack-a --host esx-1 --account vc1
                wireloom wire link DS rack-a --host esx-2 --account vc1
                wireloom wire link DS rack-b --host esx-3 --account vc1
                """)
    }

    @Test("a pinned host's evidence counts for its pin and not for the switch")
    func pin() {
        var (world, item, a, b) = racks()
        world.link(item, b, host: 3, .person)
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: a))
        #expect(decision.action(item, host: 3) == .keep(b))
        #expect(decision.link(item)?.support == [Support(wire: a, strong: 2, weak: 0)])
        #expect(decision.link(item, host: 3)?.support == [Support(wire: b, strong: 1, weak: 0)])
        #expect(decision.findings.isEmpty)
    }

    @Test("contrary evidence against a pin is a finding with the host's command")
    func contraryPin() {
        var (world, item, a, b) = racks()
        world.link(item, a, host: 3, .person)
        let decision = world.decide()
        #expect(decision.action(item, host: 3) == .keep(a))
        #expect(decision.findings.map(\.code) == [.contraryEvidence])
        #expect(decision.findings.first?.subject == "DS (esx-3)")
        #expect(decision.findings.first?.fix == "wireloom wire link DS rack-b --host esx-3 --account vc1")
        _ = (item, b)
    }

    @Test("hosts that have one wire in common do not split")
    func common() {
        var (world, item, a, _) = racks()
        world.snapshot.evidence.removeAll()
        world.vm("10.0.0.1", on: item, host: 1)
        world.vm("10.1.0.1", on: item, host: 2)
        world.vm("10.0.0.2", on: item, host: 2)
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: a))
        #expect(decision.findings.isEmpty)
    }

    @Test("hosts split by their management addresses even where a VM strays")
    func strongSplits() {
        var (world, item, _, _) = racks()
        world.vm("10.0.0.9", on: item, host: 3)
        #expect(world.decide().findings.map(\.code) == [.splitByHost])
    }

    @Test("a switch whose every host has a pin needs no link of its own")
    func allPinned() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...2)
        let wire = world.wire("campus")
        world.link(item, wire, host: 1, .person)
        world.link(item, wire, host: 2, .person)
        world.vmkernel("10.0.0.5/24", on: item, host: 1)
        let decision = world.decide()
        #expect(decision.action(item) == .leaveUnlinked(candidates: []))
        #expect(decision.link(item)?.rule == .allHostsPinned)
        #expect(decision.findings.isEmpty)
        #expect(decision.subnetChanges.isEmpty)
    }

    @Test("a link of a standard switch with its host named is the switch's link")
    func standardPin() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let wire = world.wire("campus")
        world.link(item, wire, host: 1, .person)
        let decision = world.decide()
        #expect(decision.links.count == 1)
        #expect(decision.action(item) == .keep(wire))
    }

    @Test("of two switches with one name, commands use the id, with a host only where both are on it")
    func namesakes() {
        var (world, item, _, _) = racks()
        world.distributed("DS", hosts: 3...4, id: "dvs-77")
        #expect(
            world.decide().findings(.splitByHost).first?.fix
                == "wireloom wire link dvs-DS rack-b --host esx-3 --account vc1")
        world.snapshot.switches[0].reference = "vc1/DS"
        #expect(
            world.decide().findings(.splitByHost).first?.fix
                == "wireloom wire link vc1/DS rack-b --host esx-3 --account vc1")
        _ = item
    }

    @Test("a standard switch that has a distributed one's name is told by its host, or by its id")
    func standardNamesake() {
        for (member, call) in [(1, "core"), (2, "host-2/core")] {
            var world = World()
            world.distributed("core", hosts: member...member)
            let item = world.standard("core", host: 2)
            for wire in ["a", "b"] { world.subnet("10.0.0.0/24", vlan: 10, on: world.wire(wire)) }
            world.management("10.0.0.5", on: item, host: 2, vlan: .tag(10))
            #expect(
                world.decide().findings(.tiedWires).first?.fix == """
                    wireloom wire link \(call) a --host esx-2 --account vc1
                    wireloom wire link \(call) b --host esx-2 --account vc1
                    """)
        }
    }
}
