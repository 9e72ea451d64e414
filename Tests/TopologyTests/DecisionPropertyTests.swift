import Addressing
import Testing

@testable import Topology

/// What holds for every snapshot, over seeded random worlds.
@Suite struct DecisionPropertyTests {
    static let seeds = UInt64(0)..<6

    private func forEachWorld(_ block: UInt64, _ body: (Snapshot, UInt64) -> Void) {
        for seed in (block * 40)..<(block * 40 + 40) { body(RandomWorld.snapshot(seed: seed), seed) }
    }

    @Test("the decision does not depend on the order of any input", arguments: seeds)
    func orderIndependence(block: UInt64) {
        forEachWorld(block) { snapshot, seed in
            let decision = decide(snapshot)
            var random = SeededGenerator(seed: seed ^ 0xABCD)
            for _ in 0..<3 {
                #expect(decide(snapshot.shuffled(using: &random)) == decision, "seed \(seed)")
            }
        }
    }

    @Test("deciding again on what a decision made keeps every link, subnet and wire", arguments: seeds)
    func idempotence(block: UInt64) {
        forEachWorld(block) { snapshot, seed in
            let after = snapshot.applying(decide(snapshot))
            let again = decide(after)
            for link in again.links {
                switch link.action {
                case .keep: break
                case .leaveUnlinked(let candidates):
                    #expect(candidates.count != 1, "seed \(seed)")
                case .link, .createWire: Issue.record("seed \(seed): \(link.switch) is decided anew: \(link.action)")
                }
            }
            #expect(again.subnetChanges == [], "seed \(seed)")
            #expect(again.wiresToRemove == [], "seed \(seed)")
        }
    }

    @Test("support is what a walk over all evidence and all subnets counts", arguments: seeds)
    func supportAgainstNaiveModel(block: UInt64) {
        forEachWorld(block) { snapshot, seed in
            for link in decide(snapshot).links {
                #expect(
                    Set(link.support) == NaiveSupport(snapshot).support(link.switch, link.host), "seed \(seed)")
            }
        }
    }

    @Test("no subnets of one wire and VLAN overlap, and every held address stays in one", arguments: seeds)
    func subnetInvariants(block: UInt64) {
        forEachWorld(block) { snapshot, seed in
            let decision = decide(snapshot)
            let after = snapshot.applying(decision)
            let subnets = after.unconfirmedSubnets.map(\.subnet)
            for (index, one) in subnets.enumerated() {
                for other in subnets[..<index] where one.wire == other.wire && one.vlan == other.vlan {
                    #expect(!one.cidr.overlaps(other.cidr), "seed \(seed): \(one.cidr) and \(other.cidr)")
                }
            }
            for old in snapshot.unconfirmedSubnets where !decision.wiresToRemove.contains(old.subnet.wire) {
                guard let held = old.held else { continue }
                let isStillHeld = subnets.contains {
                    $0.wire == old.subnet.wire && $0.vlan == old.subnet.vlan && $0.cidr.contains(held.first)
                        && $0.cidr.contains(held.last)
                }
                #expect(isStillHeld, "seed \(seed): \(held) of \(old.subnet.cidr)")
            }
        }
    }

    @Test("every host address on an untouched automatic wire lands in a subnet of its VLAN", arguments: seeds)
    func everyHostAddressLands(block: UInt64) {
        forEachWorld(block) { snapshot, seed in
            let after = snapshot.applying(decide(snapshot))
            let directory = Directory(after)
            for item in after.hostAddresses where item.portGroupVLAN != .unmatchable {
                guard let scope = directory.scope(of: item.switch, host: item.host), let link = directory.links[scope],
                    let wire = directory.wires[link.wire], wire.origin == .automatic, !wire.touched
                else { continue }
                let lands = after.unconfirmedSubnets.contains {
                    $0.subnet.wire == wire.id && $0.subnet.cidr.contains(item.address)
                        && item.portGroupVLAN.matches($0.subnet.vlan, native: link.nativeVLAN)
                }
                #expect(lands, "seed \(seed): \(item.address) of \(item.switch)")
            }
        }
    }

    @Test("what a person made is in no decision", arguments: seeds)
    func personsWork(block: UInt64) {
        forEachWorld(block) { snapshot, seed in
            let decision = decide(snapshot)
            let persons = Set(snapshot.wires.filter { $0.origin == .person || $0.touched }.map(\.id))
            #expect(persons.isDisjoint(with: decision.wiresToRemove), "seed \(seed)")
            for link in snapshot.links where link.origin == .person {
                let decided = decision.links.first { $0.switch == link.switch && $0.host == link.host }
                #expect(decided?.action == .keep(link.wire), "seed \(seed)")
            }
            let untouchable = Set(
                snapshot.unconfirmedSubnets.filter { persons.contains($0.subnet.wire) }.map(\.subnet.id))
            for change in decision.subnetChanges {
                switch change {
                case .create(let wire, _): #expect(!persons.contains(wire), "seed \(seed)")
                case .remove(let id), .update(let id, _, _, _): #expect(!untouchable.contains(id), "seed \(seed)")
                }
            }
        }
    }

    @Test("ten thousand addresses against five hundred subnets are counted exactly")
    func large() {
        var world = World()
        let item = world.distributed("DS", hosts: 1...1)
        let wires = (0..<250).map { world.wire("wire-\($0)") }
        for (index, wire) in wires.enumerated() {
            world.subnet("10.\(index).0.0/17", vlan: 10, on: wire)
            world.subnet("10.\(index).128.0/18", vlan: 20, on: wire)
        }
        for number in 0..<10_000 {
            let net = number < 5_100 ? 7 : number % 250
            world.vm(
                "10.\(net).\(number % 128).\(number / 128)", on: item,
                vlan: number % 2 == 0 ? .tag(10) : .trunk([0...4094]))
        }
        let decision = world.decide()
        #expect(decision.action(item) == .link(to: wires[7]))
        #expect(decision.link(item)?.support.reduce(0) { $0 + $1.weak } == 10_000)
    }
}

/// The definition of support, written down without an index.
private struct NaiveSupport {
    let snapshot: Snapshot

    init(_ snapshot: Snapshot) { self.snapshot = snapshot }

    /// The host pin that an adapter belongs to, or `nil` for the switch's own link.
    private func pin(_ item: SwitchID, _ host: HostID) -> HostID? {
        snapshot.links.contains { $0.switch == item && $0.host == host } ? host : nil
    }

    func support(_ item: SwitchID, _ host: HostID?) -> Set<Support> {
        let link = snapshot.links.first { $0.switch == item && $0.host == host }
        var result: Set<Support> = []
        for wire in snapshot.wires {
            let isPersons = link?.origin == .person && link?.wire == wire.id
            guard wire.site == nil || wire.site == snapshot.site || isPersons else { continue }
            var strong: Set<IPAddress> = []
            var weak: Set<IPAddress> = []
            var contested: Set<IPAddress> = []
            for evidence in snapshot.evidence where evidence.switch == item && pin(item, evidence.host) == host {
                for subnet in snapshot.confirmedSubnets
                where subnet.wire == wire.id && subnet.cidr.contains(evidence.address)
                    && evidence.portGroupVLAN.matches(subnet.vlan, native: link?.nativeVLAN ?? .one)
                {
                    let isConflict = snapshot.holders.contains { holder in
                        holder.subnet == subnet.id && holder.address == evidence.address && holder.mac != evidence.mac
                            && !(holder.switch == item && holder.host.map { pin(item, $0) == host } == true)
                    }
                    if isConflict {
                        if evidence.live { contested.insert(evidence.address) }
                    } else if evidence.strength == .strong {
                        strong.insert(evidence.address)
                    } else {
                        weak.insert(evidence.address)
                    }
                }
            }
            guard !(strong.isEmpty && weak.isEmpty && contested.isEmpty) else { continue }
            result.insert(
                Support(
                    wire: wire.id, strong: strong.subtracting(contested).count, weak: weak.subtracting(contested).count,
                    contested: contested.sorted()))
        }
        return result
    }
}
