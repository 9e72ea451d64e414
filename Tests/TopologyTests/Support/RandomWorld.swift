import Addressing

@testable import Topology

/// SplitMix64: the same worlds on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Small worlds in a small address space, so that everything meets everything.
struct RandomWorld {
    private var random: SeededGenerator
    private var world = World()

    static func snapshot(seed: UInt64) -> Snapshot {
        var maker = RandomWorld(random: SeededGenerator(seed: seed))
        maker.make()
        return maker.world.snapshot
    }

    private init(random: SeededGenerator) { self.random = random }

    private mutating func pick<T>(_ items: [T]) -> T { items[Int.random(in: 0..<items.count, using: &random)] }

    private mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &random) < percent }

    private mutating func portGroup() -> PortGroupVLAN {
        pick([.untagged, .untagged, .tag(1), .tag(10), .tag(20), .trunk([0...4094]), .trunk([5...15]), .unmatchable])
    }

    private mutating func address() -> String {
        let last = Int.random(in: 1..<60, using: &random)
        return chance(15) ? "2001:db8::\(last)" : "10.0.\(Int.random(in: 0..<4, using: &random)).\(last)"
    }

    private mutating func make() {
        world.snapshot.site = pick([nil, "east"])
        var switches: [(id: SwitchID, hosts: ClosedRange<Int>)] = []
        for host in 1...3 {
            switches.append((world.standard("vSwitch0", host: host, datacenter: pick([nil, "A", "B"])), host...host))
        }
        for number in 0..<Int.random(in: 0...3, using: &random) {
            let id = world.distributed(
                pick(["DS", "DX"]), hosts: 1...3, id: "dvs-\(number)", datacenter: pick(["A", "B"]))
            switches.append((id, 1...3))
        }
        var persons: [WireID] = []
        for number in 0..<Int.random(in: 0...4, using: &random) {
            persons.append(world.wire("wire-\(number)", site: pick([nil, nil, "east", "west"])))
        }
        for wire in persons {
            for vlan in [1, 10, 20] where chance(60) {
                world.subnet(
                    pick(["10.0.0.0/24", "10.0.1.0/24", "10.0.0.0/22", "2001:db8::/64"]), vlan: vlan, on: wire)
            }
        }
        for item in switches {
            if chance(25), !persons.isEmpty {
                world.link(item.id, pick(persons), native: pick([1, 10]), pick([.person, .automatic]))
            } else if chance(50) {
                automaticWire(for: item.id)
            }
            if item.hosts.count > 1, !persons.isEmpty, chance(40) {
                world.link(item.id, pick(persons), host: pick(Array(item.hosts)), .person)
            }
        }
        if chance(20) { world.wire("orphan", origin: .automatic) }
        addresses(on: switches)
    }

    private mutating func automaticWire(for item: SwitchID) {
        let wire = world.wire(
            "auto-\(item)", origin: .automatic, touched: chance(20), linksElsewhere: chance(15) ? 1 : 0)
        world.link(item, wire, .automatic)
        for vlan in [1, 10, 20] {
            let layouts = [[], ["10.0.0.0/22"], ["10.0.0.0/24", "10.0.1.0/24"], ["10.0.0.0/25", "10.0.0.128/25"]]
            for cidr in pick(layouts) {
                let first = CIDR(cidr)!.network.advanced(by: UInt128.random(in: 1..<60, using: &random))!
                let last = first.advanced(by: UInt128.random(in: 0..<60, using: &random))!
                world.unconfirmed(
                    cidr, vlan: vlan, gateway: pick([nil, "10.0.0.1"]), on: wire,
                    held: chance(40) ? "\(first)-\(last)" : nil)
            }
        }
    }

    private mutating func addresses(on switches: [(id: SwitchID, hosts: ClosedRange<Int>)]) {
        for _ in 0..<Int.random(in: 0...40, using: &random) {
            let item = pick(switches)
            let host = pick(Array(item.hosts))
            let text = address()
            let vlan = portGroup()
            let mac =
                chance(30)
                ? world.management(text, on: item.id, host: host, vlan: vlan)
                : world.vm(text, on: item.id, host: host, vlan: vlan, live: chance(70))
            if chance(15), let subnet = world.snapshot.confirmedSubnets.randomElement(using: &random) {
                world.holder(
                    text, in: subnet.id, mac: chance(50) ? mac : MACAddress(bits: 0xFFFF),
                    on: chance(30) ? item.id : nil, host: host)
            }
            if chance(30) {
                let length = chance(10) ? "" : text.contains(":") ? "/64" : pick(["/24", "/24", "/25", "/22"])
                world.vmkernel(
                    text + length, on: item.id, host: host, vlan: vlan, gateways: [pick(["10.0.0.1", "10.0.1.1"])])
            }
        }
    }
}

extension Snapshot {
    func shuffled(using random: inout SeededGenerator) -> Snapshot {
        var result = self
        result.switches.shuffle(using: &random)
        for index in result.switches.indices {
            if case .distributed(var hosts) = result.switches[index].kind {
                hosts.shuffle(using: &random)
                result.switches[index].kind = .distributed(hosts)
            }
        }
        result.links.shuffle(using: &random)
        result.wires.shuffle(using: &random)
        result.confirmedSubnets.shuffle(using: &random)
        result.unconfirmedSubnets.shuffle(using: &random)
        result.evidence.shuffle(using: &random)
        result.holders.shuffle(using: &random)
        result.hostAddresses.shuffle(using: &random)
        return result
    }

    /// What a controller makes of a decision: the snapshot that the next sync would read.
    func applying(_ decision: TopologyDecision) -> Snapshot {
        var result = self
        var nextWire = (wires.map(\.id.rawValue).max() ?? 0) + 1000
        var nextSubnet = (unconfirmedSubnets.map(\.subnet.id.rawValue).max() ?? 0) + 10_000
        func add(_ new: NewSubnet, on wire: WireID) {
            nextSubnet += 1
            let subnet = Subnet(
                id: SubnetID(nextSubnet), wire: wire, cidr: new.cidr, vlan: new.vlan, name: "net-\(nextSubnet)")
            result.unconfirmedSubnets.append(UnconfirmedSubnet(subnet: subnet, gateway: new.gateway))
        }
        for link in decision.links {
            let target: WireID
            switch link.action {
            case .keep, .leaveUnlinked: continue
            case .link(let wire): target = wire
            case .createWire(let new):
                nextWire += 1
                target = WireID(nextWire)
                let name = new.names.first { name in !result.wires.contains { $0.name == name } }
                result.wires.append(
                    Wire(id: target, name: name ?? "taken", site: new.site, origin: .automatic))
                for subnet in new.subnets { add(subnet, on: target) }
            }
            result.links.removeAll { $0.switch == link.switch && $0.host == link.host }
            result.links.append(
                Link(
                    switch: link.switch, host: link.host, wire: target, nativeVLAN: link.nativeVLAN, origin: .automatic)
            )
        }
        for change in decision.subnetChanges {
            switch change {
            case .create(let wire, let new): add(new, on: wire)
            case .remove(let id): result.unconfirmedSubnets.removeAll { $0.subnet.id == id }
            case .update(let id, let cidr, let gateway, let absorbed):
                let held = result.unconfirmedSubnets.filter { absorbed.contains($0.subnet.id) || $0.subnet.id == id }
                    .compactMap(\.held)
                result.unconfirmedSubnets.removeAll { absorbed.contains($0.subnet.id) }
                guard let index = result.unconfirmedSubnets.firstIndex(where: { $0.subnet.id == id }) else { continue }
                result.unconfirmedSubnets[index].subnet.cidr = cidr
                result.unconfirmedSubnets[index].gateway = gateway
                if let first = held.map(\.first).min(), let last = held.map(\.last).max() {
                    result.unconfirmedSubnets[index].held = AddressRange(first, last)
                }
            }
        }
        result.wires.removeAll { decision.wiresToRemove.contains($0.id) }
        result.unconfirmedSubnets.removeAll { decision.wiresToRemove.contains($0.subnet.wire) }
        return result
    }
}
