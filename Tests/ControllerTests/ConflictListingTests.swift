import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

/// `doctor addresses`: what nobody noticed yet.
@Suite("Latent conflicts") struct ConflictListingTests {
    private func conflicts(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.database.withConnection { try Listing.conflicts.rows([], in: $0) }.map {
            "\($0["kind"].text ?? "") \($0["ip"].text ?? "") \($0["name"].text ?? "")"
        }
    }

    @Test("two reporters of one address are told although neither has a place; on two networks they are none")
    func unplacedTwice() throws {
        let sandbox = try Sandbox()
        let adapters = try SyntheticAdapters(sandbox)
        for wire in ["v", "w"] {
            try sandbox.networks.createWire(name: wire, site: nil)
            try adapters.link(wire, vlans: [1, 2])
        }
        let plan = Plan(family: .v4)
        try adapters.add("a", plan.ip(5), on: "w", vlan: 1)
        try adapters.add("b", plan.ip(5), on: "w", vlan: 1)
        try adapters.add("other-vlan", plan.ip(5), on: "w", vlan: 2)
        try adapters.add("other-wire", plan.ip(5), on: "v", vlan: 1)
        #expect(try conflicts(sandbox) == ["two_reporters 10.0.0.5 a, b"])
        // With a subnet for it, one of them holds it, and the other is told as before.
        try sandbox.subnet("s", on: "w", "10.0.0.0/24", vlan: 1)
        #expect(try conflicts(sandbox) == ["two_reporters 10.0.0.5 b"])
    }

    @Test("an address of a pool that an adapter without a place reports is told, with the subnet")
    func inPool() throws {
        let sandbox = try Sandbox()
        let adapters = try SyntheticAdapters(sandbox)
        try sandbox.networks.createWire(name: "w", site: nil)
        try adapters.link("w", vlans: [1, 2])
        let plan = Plan(family: .v6)
        try adapters.add("lost", plan.ip(15), on: "w", vlan: 2)
        try adapters.add("beside", plan.ip(25), on: "w", vlan: 2)
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(name: "s", cidr: plan.cidr(bits: 8), vlan: .one, pools: [PoolRequest(plan.range(10, 20))]),
            onWire: "w")
        #expect(try conflicts(sandbox) == ["in_pool \(plan.ip(15)) lost"])
    }

    @Test("an explained address is told of itself alone")
    func explained() throws {
        let sandbox = try Sandbox()
        let adapters = try SyntheticAdapters(sandbox)
        try sandbox.networks.createWire(name: "w", site: nil)
        try adapters.link("w", vlans: [1])
        let plan = Plan(family: .v4)
        for host in UInt128(1)...3 { try adapters.add("vm\(host)", plan.ip(host), on: "w", vlan: 1) }
        let lines = try sandbox.database.withConnection { try Explanation.address(plan.ip(2), in: $0) }
        #expect(lines.contains { $0.hasPrefix("vm2: This IP address belongs to no IP subnet") })
        #expect(lines.contains("  $ wireloom subnet create w:10.0.0.0/24:1 --wire w --cidr 10.0.0.0/24 --vlan 1"))
        #expect(!lines.contains { $0.contains("vm1") || $0.contains("vm3") })
    }
}
