import Addressing
import Controller
import IPAM
import Postgres
import Support
import Testing

/// What direct SQL cannot break, because the schema refuses it, and what it can, because refusing it would be paid for by
/// every allocation: that is found by the rules of storage.
@Suite("Direct SQL") struct DirectSQLTests {
    private let sandbox: Sandbox
    private let plan = Plan(family: .v4)

    /// Two wires with switches; `net` on the first with adapter, allocation, reservation and gateway, `beside` on its
    /// other VLAN, `there` on the second wire.
    init() throws {
        sandbox = try Sandbox()
        let adapters = try SyntheticAdapters(sandbox)
        for wire in ["one", "two"] {
            try sandbox.networks.createWire(name: wire, site: nil)
            try adapters.link(wire, vlans: [5, 6])
        }
        try adapters.add("web", plan.ip(150), on: "one", vlan: 5)
        for (name, wire, vlan) in [("net", "one", 5), ("beside", "one", 6), ("there", "two", 5)] {
            _ = try sandbox.networks.createSubnet(
                SubnetRequest(
                    name: name, cidr: plan.cidr(bits: 10), vlan: #require(VLANID(vlan)), gateway: plan.ip(1),
                    pools: [PoolRequest(plan.range(10, 600))]), onWire: wire)
        }
        _ = try sandbox.allocator.allocate(AllocationRequest(subnet: "net", count: 3, owner: "me", key: "k"))
        try sandbox.allocator.release([plan.ip(11)], ofSubnet: "net")
        try sandbox.networks.reserve(
            plan.range(100, 109), ofSubnet: "net", owner: "me", note: nil, expires: nil)
    }

    private func run(_ sql: String) throws { try sandbox.database.withConnection { try $0.script(sql) } }

    private static let net = "(SELECT id FROM subnet WHERE name = 'net')"

    @Test(
        "what breaks an invariant is refused",
        arguments: [
            (
                "I1", "address_held_once",
                "INSERT INTO address (subnet_id, ip, state, allocated_to, allocated_at) SELECT subnet_id, ip, 'held', 'you', now() FROM address WHERE state = 'held' LIMIT 1"
            ),
            (
                "I1", "address_held_once",
                "UPDATE address SET ip = '10.0.0.10' WHERE subnet_id = \(net) AND ip = '10.0.0.12'"
            ),
            (
                "I2", "subnet_disjoint",
                "INSERT INTO subnet (name, wire_id, cidr, vlan_id, confirmed) SELECT 'sly', wire_id, '10.0.0.0/16', 5, true FROM subnet WHERE name = 'net'"
            ),
            (
                "I2", "subnet_disjoint",
                "INSERT INTO subnet (name, wire_id, cidr, vlan_id, confirmed) SELECT 'far', wire_id, '10.9.0.0/16', 5, true FROM subnet WHERE name = 'net'; UPDATE subnet SET cidr = '10.0.0.0/8' WHERE name = 'far'"
            ),
            ("I2", "subnet_disjoint", "UPDATE subnet SET vlan_id = 5 WHERE name = 'beside'"),
            (
                "I2", "subnet_disjoint",
                "UPDATE subnet SET wire_id = (SELECT id FROM wire WHERE name = 'one') WHERE name = 'there'"
            ),
            ("I3", "address", "DELETE FROM nic WHERE owner_id = 'vm-web'"),
            (
                "I7", "address_held_by_someone",
                "UPDATE address SET allocated_to = NULL, allocated_at = NULL, key_id = NULL WHERE allocated_to = 'me'"
            ),
            (
                "I7", "address_held_by_someone",
                "UPDATE address SET state = 'held', until = NULL WHERE state = 'quarantined'"
            ),
            ("I7", "address_quarantine_ends", "UPDATE address SET until = NULL WHERE state = 'quarantined'"),
            ("I7", "address_nic_whole", "UPDATE address SET device = NULL WHERE account_id IS NOT NULL"),
            ("I7", "address", "DELETE FROM allocation_key"),
            ("I10", "address_in_subnet", "UPDATE address SET ip = '10.9.9.9' WHERE ip = '10.0.0.12'"),
            ("I10", "address_in_subnet", "UPDATE subnet SET cidr = '10.0.0.0/30' WHERE name = 'net'"),
            (
                "I10", "address_free_in_pool",
                "INSERT INTO address (subnet_id, ip, state) SELECT id, '10.0.3.1', 'free' FROM subnet WHERE name = 'net'"
            ),
            ("I10", "pool_disjoint", "UPDATE pool SET subnet_id = \(net)"),
            (
                "I10", "extent_disjoint",
                "INSERT INTO extent (pool_id, first, last) SELECT pool_id, first + 1, last FROM extent"
            ),
        ] as [(String, String, String)])
    func refused(invariant: String, constraint: String, sql: String) throws {
        let error = #expect(throws: DatabaseError.self, "\(invariant)") { try run("BEGIN; \(sql); COMMIT") }
        #expect(error?.code == .conflict)
        #expect(error?.constraint?.contains(constraint) == true, "\(error?.constraint ?? "none")")
        #expect(try StorageRules.violations(in: sandbox.database) == [])
    }

    @Test(
        "what the schema lets pass is found",
        arguments: [
            ("I3", "UPDATE placement SET subnet_id = (SELECT id FROM subnet WHERE name = 'beside')"),
            ("I3", "UPDATE placement SET subnet_id = (SELECT id FROM subnet WHERE name = 'there')"),
            ("I3", "UPDATE link SET wire_id = (SELECT id FROM wire WHERE name = 'two')"),
            ("I3", "UPDATE portgroup SET vlan_id = 6"),
            ("I3", "DELETE FROM address WHERE owner_id = 'vm-web'"),
            ("I10", "DELETE FROM address WHERE subnet_id = \(net) AND ip = '10.0.0.20'"),
            ("I10", "DELETE FROM address WHERE subnet_id = \(net) AND state = 'quarantined'"),
            (
                "I10",
                "INSERT INTO address (subnet_id, ip, state) SELECT id, '10.0.0.105', 'free' FROM subnet WHERE name = 'net'"
            ),
            (
                "I10",
                "UPDATE extent SET first = first + 5 WHERE pool_id IN (SELECT id FROM pool WHERE subnet_id = \(net))"
            ),
            (
                "I10",
                "UPDATE extent SET first = first - 5 WHERE pool_id IN (SELECT id FROM pool WHERE subnet_id = \(net))"
            ),
            ("I10", "UPDATE pool SET last = last - 5, size = size - 5"),
            ("I10", "DELETE FROM reservation"),
            ("I10", "UPDATE subnet SET gateway = '10.0.0.20' WHERE name = 'net'"),
        ] as [(String, String)])
    func found(invariant: String, sql: String) throws {
        #expect(try StorageRules.violations(in: sandbox.database) == [])
        try run(sql)
        let violations = try StorageRules.violations(in: sandbox.database)
        #expect(violations.contains { $0.hasPrefix(invariant) }, "\(violations)")
    }
}
