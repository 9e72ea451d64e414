import Addressing
import Testing

@testable import Topology

/// The VLAN matching of DESIGN.md 3.1 as linking sees it.
@Suite struct VLANRuleTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let portGroup: PortGroupVLAN
        let native: Int
        let subnet: Int
        let isSupported: Bool
        var testDescription: String { "\(portGroup), native \(native), subnet VLAN \(subnet)" }
    }

    @Test(
        "an address supports a wire only where its port group carries the subnet's VLAN",
        arguments: [
            Case(portGroup: .untagged, native: 1, subnet: 1, isSupported: true),
            Case(portGroup: .untagged, native: 1, subnet: 10, isSupported: false),
            Case(portGroup: .untagged, native: 10, subnet: 10, isSupported: true),
            Case(portGroup: .untagged, native: 10, subnet: 1, isSupported: false),
            Case(portGroup: .tag(1), native: 10, subnet: 1, isSupported: true),
            Case(portGroup: .tag(10), native: 10, subnet: 10, isSupported: true),
            Case(portGroup: .tag(10), native: 1, subnet: 1, isSupported: false),
            Case(portGroup: .trunk([0...4094]), native: 1, subnet: 4094, isSupported: true),
            Case(portGroup: .trunk([1...9, 20...30]), native: 1, subnet: 20, isSupported: true),
            Case(portGroup: .trunk([1...9, 20...30]), native: 1, subnet: 10, isSupported: false),
            Case(portGroup: .trunk([]), native: 1, subnet: 1, isSupported: false),
            // A private VLAN comes with its primary id; one that could not be read matches nothing.
            Case(portGroup: .tag(200), native: 1, subnet: 200, isSupported: true),
            Case(portGroup: .unmatchable, native: 1, subnet: 1, isSupported: false),
        ])
    func matching(_ item: Case) {
        var world = World()
        let id = world.distributed("DS", hosts: 1...1)
        let wire = world.wire("campus")
        world.subnet("10.0.0.0/24", vlan: item.subnet, on: wire)
        world.link(id, wire, native: item.native, .person)
        world.vm("10.0.0.5", on: id, vlan: item.portGroup)
        let expected = item.isSupported ? [Support(wire: wire, strong: 0, weak: 1)] : []
        #expect(world.decide().link(id)?.support == expected)
    }

    @Test("an unlinked switch's untagged port groups are in VLAN 1")
    func unlinkedNative() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let ten = world.wire("ten")
        world.subnet("10.0.0.0/24", vlan: 10, on: ten)
        world.management("10.0.0.5", on: item)
        #expect(world.decide().newWire(item) != nil)
        let one = world.wire("one")
        world.subnet("10.0.0.0/24", vlan: 1, on: one)
        #expect(world.decide().action(item) == .link(to: one))
    }

    @Test("a pin's untagged port groups are in the pin's native VLAN")
    func pinnedNative() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...2)
        let wire = world.wire("campus")
        world.subnet("10.0.0.0/24", vlan: 1, on: wire)
        world.subnet("10.0.9.0/24", vlan: 9, on: wire)
        world.link(item, wire, .person)
        world.link(item, wire, host: 2, native: 9, .person)
        world.vm("10.0.0.5", on: item, host: 1)
        world.vm("10.0.9.5", on: item, host: 2)
        world.vm("10.0.0.6", on: item, host: 2)
        let decision = world.decide()
        #expect(decision.link(item)?.support == [Support(wire: wire, strong: 0, weak: 1)])
        #expect(decision.link(item, host: 2)?.support == [Support(wire: wire, strong: 0, weak: 1)])
        #expect(decision.link(item, host: 2)?.nativeVLAN == VLANID(9))
    }
}
