import Addressing
import Controller
import IPAM

/// Networks made up from a seed, valid by themselves, out of few names and places so that any two have much in common.
struct RandomNetwork {
    var generator: SplitMix
    let plan: Plan

    init(seed: UInt64, _ family: IPAddress.Family) {
        generator = SplitMix(state: seed)
        plan = Plan(family: family)
    }

    mutating func state() -> NetworkState {
        var state = NetworkState()
        state.wires = ["w0", "w1", "w2"].map { .init(name: $0, site: pick([nil, "here", "there"])) }
        var names = ["a", "b", "c", "d", "e", "f"].shuffled(using: &generator)
        for block in UInt128(0)..<6 {
            guard let name = names.popLast(), pick([true, true, false]) else { continue }
            let bits = pick([4, 5, 6])
            let cidr = plan.cidr(block * 64, bits: bits)
            let base = cidr.network.bits - plan.ip(0).bits
            var subnet = NetworkState.Subnet(
                name: name, wire: pick(["w0", "w1", "w2"]), cidr: cidr, vlan: pick([.one, VLANID(2) ?? .one]),
                gateway: pick([nil, plan.ip(base + 1)]), dns: pick([[], [plan.ip(9, net: 7)]]),
                dnsSuffix: pick([nil, "example.com"]), description: pick([nil, "x: #y"]))
            if pick([true, false]) {
                subnet.pools.append(
                    PoolRequest(
                        plan.range(base + 2, base + pick([5, 6])), role: pick([.guest, .host]),
                        policy: pick(AllocationPolicy.allCases), quarantine: .seconds(pick([0, 60, 3600]))))
            }
            if pick([true, false]) { subnet.pools.append(PoolRequest(plan.range(base + 8, base + pick([12, 14])))) }
            if pick([true, false]) {
                subnet.reservations.append(
                    .init(
                        range: plan.range(base + 5, base + pick([5, 9])), owner: pick(["ann", "bob"]),
                        note: pick([nil, "n"])))
            }
            state.subnets.append(subnet)
        }
        return state
    }

    mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int(generator.next() % UInt64(elements.count))]
    }
}

/// Steele, Lea and Flood's generator: the same numbers for the same seed, everywhere.
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
