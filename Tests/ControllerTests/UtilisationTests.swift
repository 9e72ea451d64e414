import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

/// How much of pools, subnets and wires is what (DESIGN.md 3.5).
@Suite("Utilisation") struct UtilisationTests {
    private func rows(_ listing: Listing, _ filters: [(any PostgresEncodable)?], _ sandbox: Sandbox) throws
        -> [JSONValue]
    {
        try sandbox.database.withConnection { try listing.rows(filters, in: $0) }
    }

    private func counts(_ row: JSONValue, _ fields: [String]) -> [Int?] { fields.map { row[$0].integer } }

    @Test("each address of a pool is counted once, and pools, subnets and wires add up", arguments: Plan.families)
    func counted(family: IPAddress.Family) throws {
        let plan = Plan(family: family)
        let sandbox = try Sandbox()
        let adapters = try SyntheticAdapters(sandbox)
        try sandbox.networks.createWire(name: "w", site: nil)
        try adapters.link("w", vlans: [3])
        try adapters.add("web", plan.ip(12), on: "w", vlan: 3)
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(
                name: "a", cidr: plan.cidr(bits: 6), vlan: VLANID(3) ?? .one, gateway: plan.ip(10),
                pools: [PoolRequest(plan.range(10, 19)), PoolRequest(plan.range(30, 33), role: .host)]), onWire: "w")
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(name: "b", cidr: plan.cidr(64, bits: 4), vlan: VLANID(3) ?? .one), onWire: "w")
        let given = try sandbox.allocator.allocate(AllocationRequest(subnet: "a", count: 2, owner: "ann")).addresses
        try sandbox.allocator.release([given[0]], ofSubnet: "a")
        try sandbox.networks.reserve(plan.range(18, 20), ofSubnet: "a", owner: "ann", note: nil, expires: nil)
        let subnets = try rows(.subnets, [nil, nil], sandbox)
        let a = try #require(subnets.first { $0["name"].text == "a" })
        let pool = ["size", "held", "reserved", "quarantined", "free"]
        // Of ten: web and an allocation, two reserved, one let go, and the gateway, which is nothing of these.
        #expect(a["pools"].elements.map { counts($0, pool) } == [[10, 2, 2, 1, 4], [4, 0, 0, 0, 4]])
        let usable = family == .v4 ? 62 : 63
        let fields = ["total", "free", "held", "reserved", "quarantined", "outside"]
        #expect(counts(a, fields) == [usable, 8, 2, 3, 1, usable - 14])
        let wire = try #require(try rows(.wires, ["w"], sandbox).first)
        #expect(
            counts(wire, fields)
                == fields.map { field in subnets.reduce(0) { $0 + ($1[field].integer ?? 0) } })
        let shown = try sandbox.networks.wireChain("w")
        #expect(counts(shown, fields) == counts(wire, fields))
        #expect(shown["subnets"].elements.map { counts($0, fields) } == subnets.map { counts($0, fields) })
    }

    @Test("a count above 2^53 is a text, in pools and wires, too")
    func large() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "w", site: nil)
        try sandbox.subnet("a", on: "w", "fd00::/64", vlan: 1, pools: ["fd00::1-fd00::ffff:ffff:ffff:fffe"])
        let subnet = try #require(try rows(.subnets, ["a", nil], sandbox).first)
        #expect(subnet["pools"].elements.first?["free"] == .string("18446744073709551614"))
        #expect(subnet["pools"].elements.first?["held"] == .int(0))
        #expect(try rows(.wires, ["w"], sandbox).first?["total"] == .string("18446744073709551615"))
        #expect(Utilisation(subnet).bar == "[..........]")
    }

    @Test(
        "a bar is ten cells, in proportion, and shows what there is some of",
        arguments: [
            ([100, 100, 0, 0, 0], "[##########]"), ([100, 0, 0, 0, 0], "[          ]"),
            ([100, 50, 20, 10, 20], "[#####==~..]"), ([254, 1, 0, 0, 100], "[#...      ]"),
            ([0, 0, 0, 0, 0], "[          ]"), ([1000, 996, 1, 1, 1], "[##########]"),
        ])
    func bar(counts: [Int], expected: String) {
        let fields = zip(["total", "held", "reserved", "quarantined", "free"], counts.map(JSONValue.int))
        #expect(Utilisation(.object(Dictionary(uniqueKeysWithValues: fields))).bar == expected)
    }
}
