import Addressing
import Controller
import IPAM
import Inventory
import Postgres
import Support
import Testing

/// What bad input for subnets gets: one clear sentence, and no change.
@Suite("Bad subnets") struct BadSubnetTests {
    struct Bench: Sendable {
        let networks: NetworkService
        let allocator: Allocator
        let plan: Plan
    }

    struct Case: CustomTestStringConvertible, Sendable {
        let what: String
        let words: String
        let deed: @Sendable (Bench) throws -> Void

        var testDescription: String { what }

        init(_ what: String, _ words: String, _ deed: @escaping @Sendable (Bench) throws -> Void) {
            self.what = what
            self.words = words
            self.deed = deed
        }
    }

    private static func create(
        _ networks: NetworkService, _ cidr: CIDR, named name: String = "new", gateway: IPAddress? = nil,
        pools: [AddressRange] = []
    ) throws {
        _ = try networks.createSubnet(
            SubnetRequest(name: name, cidr: cidr, vlan: .one, gateway: gateway, pools: pools.map { PoolRequest($0) }),
            onWire: "w")
    }

    static let cases: [Case] = [
        Case("everything", "is every address there is") {
            try create($0.networks, CIDR(parsing: $0.plan.family == .v4 ? "0.0.0.0/0" : "::/0"))
        },
        Case("a gateway outside", "is not in") {
            try create($0.networks, $0.plan.cidr(bits: 8, net: 1), gateway: $0.plan.ip(5))
        },
        Case("a gateway that is the network", "network or broadcast address") {
            try create($0.networks, $0.plan.cidr(bits: 8, net: 1), gateway: $0.plan.ip(0, net: 1))
        },
        Case("a pool outside", "is not inside") {
            try create($0.networks, $0.plan.cidr(bits: 8, net: 1), pools: [$0.plan.range(1, 2)])
        },
        Case("a pool of the network address", "has the network or broadcast address") {
            try create($0.networks, $0.plan.cidr(bits: 8, net: 1), pools: [$0.plan.range(0, 2, net: 1)])
        },
        Case("pools that overlap", "overlap") {
            try create(
                $0.networks, $0.plan.cidr(bits: 8, net: 1),
                pools: [$0.plan.range(1, 9, net: 1), $0.plan.range(9, 12, net: 1)])
        },
        Case("a pool over another", "overlaps its pool") {
            try $0.networks.addPools([PoolRequest($0.plan.range(15, 30))], toSubnet: "net")
        },
        Case("a second pool that is bad", "is not inside") {
            try $0.networks.addPools(
                [PoolRequest($0.plan.range(30, 40)), PoolRequest($0.plan.range(1, 2, net: 1))], toSubnet: "net")
        },
        Case("a pool that is not there", "no pool of subnet net") {
            try $0.networks.removePools($0.plan.range(100, 101), ofSubnet: "net")
        },
        Case("an overlap", "overlaps net") { try create($0.networks, $0.plan.cidr(64, bits: 6)) },
        Case("the same name", "there is a subnet \"net\" already") {
            try create($0.networks, $0.plan.cidr(bits: 8, net: 1), named: "net")
        },
        Case("a name of 300 letters", "longer than 100") {
            try create($0.networks, $0.plan.cidr(bits: 8, net: 1), named: String(repeating: "x", count: 300))
        },
        Case("a control character", "has a control character") {
            try create($0.networks, $0.plan.cidr(bits: 8, net: 1), named: "a\u{7}b")
        },
        Case("a part's name with a control character", "has a control character") {
            _ = try $0.networks.splitSubnet(
                "net", SubnetSplit(prefixLength: $0.plan.family.bitWidth - 7, names: ["a\n", "b"]))
        },
        Case("an empty name", "is empty") { _ = try $0.networks.mergeSubnets(["net", "near"], name: "") },
        Case("a split at the edge", "longer than its own") {
            _ = try $0.networks.splitSubnet("net", SubnetSplit(prefixLength: $0.plan.family.bitWidth - 8))
        },
        Case("a split beyond the edge", "longer than its own") {
            _ = try $0.networks.splitSubnet("net", SubnetSplit(prefixLength: $0.plan.family.bitWidth + 1))
        },
        Case("a split of nothing", "there is no subnet \"999999\"") {
            _ = try $0.networks.splitSubnet("999999", SubnetSplit(prefixLength: 25))
        },
        Case("a merge with itself", "cannot be merged with itself") {
            _ = try $0.networks.mergeSubnets(["net", "net"], name: nil)
        },
        Case("a merge of one", "two subnets or more") { _ = try $0.networks.mergeSubnets(["net"], name: nil) },
        Case("a merge over a gap", "is in none of them") {
            _ = try $0.networks.mergeSubnets(["net", "far"], name: nil)
        },
        Case("a merge of unlike gateways", "the gateways differ") {
            _ = try $0.networks.mergeSubnets(["net", "near"], name: nil)
        },
        Case("a move to nowhere", "there is no wire \"nowhere\"") {
            _ = try $0.networks.moveSubnet("net", toWire: "nowhere")
        },
        Case("an update of nothing", "there is no subnet \"12345678901234567890\"") {
            _ = try $0.networks.updateSubnet("12345678901234567890", SubnetEdit())
        },
        Case("a reservation outside", "is not inside") {
            try $0.networks.reserve($0.plan.range(1, 2, net: 1), ofSubnet: "net", owner: "a", note: nil, expires: nil)
        },
        Case("a reservation for nobody", "the owner must be") {
            try $0.networks.reserve($0.plan.range(1, 2), ofSubnet: "net", owner: "", note: nil, expires: nil)
        },
        Case("a reservation that is not there", "is not reserved") {
            try $0.networks.unreserve($0.plan.range(200, 200), ofSubnet: "net")
        },
        Case("a batch larger than the pool", "free of the 50 asked for") {
            _ = try $0.allocator.allocate(AllocationRequest(subnet: "net", count: 50, owner: "a"))
        },
    ]

    @Test("one sentence and no change", arguments: Plan.families, cases)
    func refused(family: IPAddress.Family, bad: Case) throws {
        let plan = Plan(family: family)
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "w", site: nil)
        for (name, cidr, gateway, pools) in [
            ("net", plan.cidr(bits: 8), plan.ip(1), [plan.range(10, 20)]),
            ("near", plan.cidr(256, bits: 8), plan.ip(257), []), ("far", plan.cidr(1024, bits: 8), nil, []),
        ] {
            try Self.create(sandbox.networks, cidr, named: name, gateway: gateway, pools: pools)
        }
        let before = try sandbox.contents()
        var sentence = ""
        do {
            try bad.deed(Bench(networks: sandbox.networks, allocator: sandbox.allocator, plan: plan))
            Issue.record("it was done")
        } catch let error as NetworkError {
            sentence = error.detail
        } catch let error as InventoryError {
            sentence = error.detail
        }
        #expect(sentence.contains(bad.words), "\(sentence)")
        #expect(!sentence.contains("\n"))
        // An allocator that looks for the last ones extends the pool: rows of free addresses, and nothing else.
        if !bad.what.contains("batch") { #expect(try sandbox.contents() == before) }
        #expect(try StorageRules.violations(in: sandbox.database) == [])
    }
}
