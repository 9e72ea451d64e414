import Addressing
import Testing

@testable import Topology

/// Rules 1 to 4 of DESIGN.md 3.2.
@Suite struct LinkRuleTests {
    @Test("an empty snapshot decides nothing")
    func empty() {
        #expect(World().decide() == TopologyDecision())
    }

    @Test("rule 3: the only wire that contains a host's address is linked")
    func singleCandidate() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let campus = world.wire("campus")
        world.subnet("10.0.0.0/24", on: campus)
        world.management("10.0.0.5", on: item)
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: campus))
        #expect(decision.link(item)?.rule == .best)
        #expect(decision.link(item)?.support == [Support(wire: campus, strong: 1, weak: 0)])
        #expect(decision.findings.isEmpty)
    }

    @Test("strong before weak: one management address beats a hundred VMs")
    func strongBeforeWeak() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let a = world.wire("a")
        let b = world.wire("b")
        world.subnet("10.0.0.0/24", on: a)
        world.subnet("10.1.0.0/24", on: b)
        for number in 1...100 { world.vm("10.1.0.\(number)", on: item) }
        world.management("10.0.0.5", on: item)
        #expect(world.decide().action(item) == .link(to: a))
    }

    @Test("support is counted by distinct addresses, not by reporters")
    func distinctAddresses() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...3)
        let a = world.wire("a")
        let b = world.wire("b")
        world.subnet("10.0.0.0/24", on: a)
        world.subnet("10.1.0.0/24", on: b)
        for host in 1...3 { world.vm("10.0.0.5", on: item, host: host) }
        for host in 1...2 { world.vm("10.1.0.\(host)", on: item, host: host) }
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: b))
        #expect(
            decision.link(item)?.support == [
                Support(wire: b, strong: 0, weak: 2), Support(wire: a, strong: 0, weak: 1),
            ])
    }

    @Test("an address in two subnets of one wire supports it once")
    func twoSubnetsOneWire() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let a = world.wire("a")
        world.subnet("10.0.0.0/24", vlan: 10, on: a)
        world.subnet("10.0.0.0/16", vlan: 20, on: a)
        world.vm("10.0.0.5", on: item, vlan: .trunk([0...4094]))
        #expect(world.decide().link(item)?.support == [Support(wire: a, strong: 0, weak: 1)])
    }

    @Test("rule 4: a tie leaves the switch unlinked and names every candidate with its command")
    func tie() {
        var world = World()
        let item = world.standard("vSwitch1", host: 1)
        let a = world.wire("campus")
        let b = world.wire("lab 2")
        world.subnet("10.0.0.0/24", on: a)
        world.subnet("10.0.0.0/24", on: b)
        world.management("10.0.0.5", on: item)
        let decision = world.decide()
        #expect(decision.action(item) == .leaveUnlinked(candidates: [a, b]))
        #expect(decision.link(item)?.rule == .tie)
        #expect(
            decision.findings == [
                Finding(
                    code: .tiedWires, subject: "vSwitch1 (esx-1)",
                    message: "The switch vSwitch1 of host esx-1 is not linked: wires campus and lab 2 each have the "
                        + "support of 1 management address.",
                    fix: """
                        wireloom wire link vSwitch1 campus --host esx-1 --account vc1
                        wireloom wire link vSwitch1 'lab 2' --host esx-1 --account vc1
                        """)
            ])
    }

    @Test("rule 4: a tie names only the equally best wires")
    func tieOfTheBest() {
        var world = World()
        let item = world.standard("vSwitch1", host: 1)
        let wires = ["a", "b", "c"].map { world.wire($0) }
        for wire in wires { world.subnet("10.0.0.0/24", on: wire) }
        for wire in wires.dropFirst() { world.subnet("10.1.0.0/24", on: wire) }
        world.vm("10.0.0.5", on: item)
        world.vm("10.1.0.5", on: item)
        #expect(world.decide().action(item) == .leaveUnlinked(candidates: [wires[1], wires[2]]))
    }

    @Test("rule 1: a person's link stays against all evidence, which is a finding")
    func personsLink() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let mine = world.wire("mine")
        let other = world.wire("other")
        world.subnet("10.0.0.0/24", on: other)
        world.link(item, mine, native: 7, .person)
        world.management("10.0.0.5", on: item, vlan: .tag(1))
        let decision = world.decide()
        #expect(decision.action(item) == .keep(mine))
        #expect(decision.link(item)?.rule == .person)
        #expect(
            decision.findings == [
                Finding(
                    code: .contraryEvidence, subject: "vSwitch0 (esx-1)",
                    message: "The switch vSwitch0 of host esx-1 is linked by a person to wire mine, which has no "
                        + "support, but wire other has the support of 1 management address.",
                    fix: "wireloom wire link vSwitch0 other --host esx-1 --account vc1 --native-vlan 7")
            ])
    }

    @Test("rule 1: a person's link with as much support as any other is no finding")
    func personsLinkAtPeace() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let mine = world.wire("mine")
        let other = world.wire("other")
        for wire in [mine, other] { world.subnet("10.0.0.0/24", on: wire) }
        world.link(item, mine, .person)
        world.vm("10.0.0.5", on: item)
        #expect(world.decide().findings.isEmpty)
    }

    @Test("rule 2: an automatic link without support moves to the only wire that has some")
    func automaticMoves() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let own = world.wire("vc1/esx-1/vSwitch0", origin: .automatic)
        let campus = world.wire("campus")
        world.subnet("10.0.0.0/24", on: campus)
        world.link(item, own, .automatic)
        world.unconfirmed("10.0.0.0/24", on: own, held: "10.0.0.5")
        world.management("10.0.0.5", on: item)
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: campus))
        #expect(decision.link(item)?.rule == .moved)
        #expect(decision.wiresToRemove == [own])
        #expect(decision.subnetChanges.isEmpty)
        #expect(decision.findings.isEmpty)
    }

    @Test("rule 2: an automatic link with any support stays, and a better wire is a finding")
    func automaticStays() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...1)
        let own = world.wire("own", origin: .automatic, touched: true)
        let better = world.wire("better")
        world.subnet("10.0.0.0/24", on: own)
        world.subnet("10.1.0.0/24", on: better)
        world.link(item, own, .automatic)
        world.vm("10.0.0.5", on: item)
        world.vm("10.1.0.5", on: item)
        world.vm("10.1.0.6", on: item)
        let decision = world.decide()
        #expect(decision.action(item) == .keep(own))
        #expect(decision.findings.map(\.code) == [.betterWire])
        #expect(decision.findings.first?.fix == "wireloom wire link DS better --account vc1")
    }

    @Test("rule 2: two better wires beat nothing, even where one is best", arguments: [1, 2])
    func automaticStaysBetweenTwo(count: Int) {
        var world = World()
        let item = world.distributed("DS", hosts: 1...1)
        let own = world.wire("own", origin: .automatic, touched: true)
        let a = world.wire("a")
        let b = world.wire("b")
        world.subnet("10.0.0.0/24", on: a)
        world.subnet("10.1.0.0/24", on: b)
        world.link(item, own, .automatic)
        for number in 1...count { world.vm("10.0.0.\(number)", on: item) }
        world.vm("10.1.0.1", on: item)
        let decision = world.decide()
        #expect(decision.action(item) == .keep(own))
        let lines = decision.findings(.betterWire).first?.fix?.split(separator: "\n").count
        #expect(lines == (count == 1 ? 2 : 1))
    }

    @Test("rule 2: equal support leaves an automatic link in peace")
    func automaticTie() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...1)
        let own = world.wire("own", origin: .automatic, touched: true)
        let other = world.wire("other")
        for wire in [own, other] { world.subnet("10.0.0.0/24", on: wire) }
        world.link(item, own, .automatic)
        world.vm("10.0.0.5", on: item)
        let decision = world.decide()
        #expect(decision.action(item) == .keep(own))
        #expect(decision.findings.isEmpty)
    }

    @Test("only wires of the account's site or of none are considered", arguments: [nil, "east", "west"])
    func sites(site: String?) {
        var world = World()
        world.snapshot.site = site
        let item = world.standard("vSwitch0", host: 1)
        let east = world.wire("east", site: "east")
        world.subnet("10.0.0.0/24", on: east)
        world.management("10.0.0.5", on: item)
        let decision = world.decide()
        if site == "east" {
            #expect(decision.action(item) == .link(to: east))
        } else {
            #expect(decision.newWire(item)?.site == site)
            #expect(decision.link(item)?.support == [])
        }
    }

    @Test("a person's link to a wire of another site has that wire's support")
    func personsLinkAcrossSites() {
        var world = World()
        world.snapshot.site = "east"
        let item = world.standard("vSwitch0", host: 1)
        let west = world.wire("west", site: "west")
        let any = world.wire("any")
        for wire in [west, any] { world.subnet("10.0.0.0/24", on: wire) }
        world.link(item, west, .person)
        world.management("10.0.0.5", on: item)
        #expect(world.decide().findings.isEmpty)
    }

    @Test(
        "loopback, link-local, multicast and unspecified addresses prove nothing",
        arguments: [
            "127.0.0.1", "169.254.3.4", "224.0.0.5", "0.0.0.0", "255.255.255.255", "::1", "fe80::1", "ff02::1", "::",
        ])
    func ignored(address: String) {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let any = world.wire("any")
        world.subnet("0.0.0.0/0", on: any)
        world.subnet("::/0", on: any)
        world.management(address, on: item)
        world.vmkernel("\(address)/8", on: item)
        let decision = world.decide()
        #expect(decision.newWire(item)?.subnets == [])
        #expect(decision.link(item)?.support == [])
    }

    @Test("unconfirmed subnets prove nothing about other switches")
    func unconfirmed() {
        var world = World()
        let first = world.standard("vSwitch0", host: 1)
        let second = world.standard("vSwitch0", host: 2)
        let own = world.wire("vc1/esx-1/vSwitch0", origin: .automatic)
        world.link(first, own, .automatic)
        world.unconfirmed("10.0.0.0/24", on: own)
        world.management("10.0.0.5", on: first)
        world.vmkernel("10.0.0.5/24", on: first)
        world.management("10.0.0.6", on: second, host: 2)
        let decision = world.decide()
        #expect(decision.newWire(second) != nil)
        #expect(decision.action(first) == .keep(own))
    }

    @Test("last-seen addresses support a wire as live ones do")
    func lastSeen() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let a = world.wire("a")
        world.subnet("10.0.0.0/24", on: a)
        world.vm("10.0.0.9", on: item, live: false)
        #expect(world.decide().action(item) == .link(to: a))
    }

    @Test("IPv6 addresses link as IPv4 ones do")
    func ipv6() {
        var world = World()
        let item = world.standard("vSwitch0", host: 1)
        let a = world.wire("a")
        world.subnet("2001:db8:1::/64", vlan: 30, on: a)
        world.vm("2001:db8:1::9", on: item, vlan: .tag(30))
        world.vm("2001:db8:2::9", on: item, vlan: .tag(30))
        #expect(world.decide().link(item)?.support == [Support(wire: a, strong: 0, weak: 1)])
    }

    @Test("a link of a switch that is no more keeps its wire and decides nothing")
    func vanishedSwitch() {
        var world = World()
        let own = world.wire("own", origin: .automatic)
        world.link(SwitchID("dvs-gone"), own, .automatic)
        world.unconfirmed("10.0.0.0/24", on: own)
        #expect(world.decide() == TopologyDecision())
    }
}
