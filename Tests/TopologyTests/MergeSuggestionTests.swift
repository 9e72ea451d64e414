import Addressing
import Testing
import Topology

@Suite("Suggesting merges")
struct MergeSuggestionTests {
    private typealias Snapshot = SuggestionSnapshot

    private func wire(_ id: Int64, site: String? = nil, persons: Bool = false, switches: Int = 1) -> Snapshot.Wire {
        .init(id: .init(id), name: "w\(id)", site: site, isPersons: persons, switches: switches)
    }

    private func subnet(
        _ wire: Int64, _ cidr: String, vlan: Int = 10, gateway: String? = nil, confirmed: Bool = false
    ) throws -> Snapshot.Subnet {
        .init(
            wire: .init(wire), cidr: try CIDR(parsing: cidr), vlan: VLANID(vlan) ?? .one,
            gateway: try gateway.map { try IPAddress(parsing: $0) }, isConfirmed: confirmed)
    }

    private func snapshot(_ wires: [Snapshot.Wire], _ subnets: [Snapshot.Subnet] = []) -> Snapshot {
        var snapshot = Snapshot()
        snapshot.wires = wires
        snapshot.subnets = subnets
        return snapshot
    }

    private let pair = WirePair(.init(1), .init(2))

    @Test("one CIDR, VLAN and gateway is evidence; another VLAN is none; without a gateway it is too little")
    func subnets() throws {
        func suggest(_ one: Snapshot.Subnet, _ other: Snapshot.Subnet) -> [MergeSuggestion] {
            suggestMerges(snapshot([wire(1), wire(2)], [one, other]))
        }
        let found = suggest(
            try subnet(1, "10.0.0.0/24", gateway: "10.0.0.1"), try subnet(2, "10.0.0.0/24", gateway: "10.0.0.1"))
        #expect(found.map(\.pair) == [pair])
        #expect(found.map(\.score) == [30])
        #expect(found.map(\.evidence) == [["both have 10.0.0.0/24 on VLAN 10 with gateway 10.0.0.1"]])
        #expect(suggest(try subnet(1, "10.0.0.0/24"), try subnet(2, "10.0.0.0/24")) == [])
        #expect(
            suggest(
                try subnet(1, "10.0.0.0/24", gateway: "10.0.0.1"),
                try subnet(2, "10.0.0.0/24", vlan: 11, gateway: "10.0.0.1")) == [])
    }

    @Test("gateways that differ, a clash of subnets, two holders, another site or a rejection rule it out")
    func ruledOut() throws {
        let shared = [
            try subnet(1, "10.0.0.0/24", gateway: "10.0.0.1"), try subnet(2, "10.0.0.0/24", gateway: "10.0.0.1"),
        ]
        #expect(suggestMerges(snapshot([wire(1), wire(2)], shared)).count == 1)
        #expect(suggestMerges(snapshot([wire(1, site: "paris"), wire(2)], shared)).count == 1)
        #expect(suggestMerges(snapshot([wire(1, site: "paris"), wire(2, site: "tokyo")], shared)) == [])
        let gateways = [
            try subnet(1, "10.1.0.0/24", gateway: "10.1.0.1"), try subnet(2, "10.1.0.0/24", gateway: "10.1.0.254"),
        ]
        #expect(suggestMerges(snapshot([wire(1), wire(2)], shared + gateways)) == [])
        let overlapping = [
            try subnet(1, "10.2.0.0/16", confirmed: true), try subnet(2, "10.2.1.0/24", confirmed: true),
        ]
        #expect(suggestMerges(snapshot([wire(1), wire(2)], shared + overlapping)) == [])
        var held = snapshot([wire(1), wire(2)], shared)
        held.conflicts = [pair]
        #expect(suggestMerges(held) == [])
        var rejected = snapshot([wire(1), wire(2)], shared)
        rejected.rejected = [pair]
        #expect(suggestMerges(rejected) == [])
    }

    @Test("evidence of several kinds adds up, the weightiest is told first, and the best pair comes first")
    func order() throws {
        var all = snapshot(
            [wire(1), wire(2), wire(3)],
            [
                try subnet(1, "10.0.0.0/24", gateway: "10.0.0.1"), try subnet(2, "10.0.0.0/24", gateway: "10.0.0.1"),
                try subnet(3, "10.0.0.0/24", gateway: "10.0.0.1"),
            ])
        all.keptAddresses = [.init(pair, "web-1 with 10.0.0.5"), .init(pair, "web-1 with 10.0.0.5")]
        all.physicalSwitches = [.init(pair, "switch rack-7")]
        all.observedNetworks = [.init(WirePair(.init(1), .init(3)), "10.0.0.0/24 on VLAN 10")]
        let found = suggestMerges(all)
        #expect(found.map(\.score) == [95, 50, 30])
        #expect(found.first?.pair == pair)
        #expect(
            found.first?.evidence == [
                "had one address on hosts of both: web-1 with 10.0.0.5",
                "both have 10.0.0.0/24 on VLAN 10 with gateway 10.0.0.1",
                "hosts of both are plugged into switch rack-7",
            ])
        all.subnets.reverse()
        all.wires.reverse()
        #expect(suggestMerges(all) == found)
    }

    @Test("a person's wire takes the other in, else the one with more switches, else the older")
    func target() throws {
        let shared = [
            try subnet(1, "10.0.0.0/24", gateway: "10.0.0.1"), try subnet(2, "10.0.0.0/24", gateway: "10.0.0.1"),
        ]
        func target(_ one: Snapshot.Wire, _ other: Snapshot.Wire) -> Int64? {
            suggestMerges(snapshot([one, other], shared)).first?.target.rawValue
        }
        #expect(target(wire(1), wire(2)) == 1)
        #expect(target(wire(1), wire(2, switches: 2)) == 2)
        #expect(target(wire(1, persons: true), wire(2, switches: 2)) == 1)
    }
}
