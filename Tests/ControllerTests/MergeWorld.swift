import Addressing
import Controller
import IPAM
import Postgres
import Support

/// Two wires that nobody has on a switch, and what merging them does to addresses.
final class MergeWorld {
    let sandbox: Sandbox

    init(_ wires: String...) throws {
        sandbox = try Sandbox()
        for wire in wires { try sandbox.networks.createWire(name: wire, site: nil) }
    }

    func subnet(
        _ name: String, on wire: String, _ cidr: String, vlan: Int = 20, gateway: String? = nil, dns: [String] = [],
        pools: [String] = [], role: PoolRequest.Role = .guest
    ) throws {
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(
                name: name, cidr: CIDR(parsing: cidr), vlan: VLANID(vlan) ?? .one,
                gateway: gateway.map { try IPAddress(parsing: $0) }, dns: dns.map { try IPAddress(parsing: $0) },
                pools: pools.map { PoolRequest(try AddressRange(parsing: $0), role: role) }),
            onWire: wire)
    }

    /// A subnet as a sync leaves it.
    func unconfirmed(_ name: String, on wire: String, _ cidr: String, vlan: Int = 20) throws {
        try sql(
            """
            INSERT INTO subnet (name, wire_id, cidr, vlan_id, confirmed)
            SELECT '\(name)', id, '\(cidr)', \(vlan), false FROM wire WHERE name = '\(wire)'
            """)
    }

    @discardableResult
    func allocate(_ subnet: String, _ address: String? = nil, owner: String = "me", key: String? = nil) throws -> String
    {
        try sandbox.allocator.allocate(
            AllocationRequest(
                subnet: subnet, address: address.map { try IPAddress(parsing: $0) }, owner: owner, key: key)
        ).addresses[0].description
    }

    func release(_ subnet: String, _ address: String) throws {
        try sandbox.allocator.release([IPAddress(parsing: address)], ofSubnet: subnet)
    }

    func reserve(_ subnet: String, _ range: String, owner: String = "me") throws {
        try sandbox.networks.reserve(
            AddressRange(parsing: range), ofSubnet: subnet, owner: owner, note: nil, expires: nil)
    }

    @discardableResult
    func merge(_ wires: String..., into: String, dryRun: Bool = false) throws -> WireChange {
        try sandbox.networks.mergeWires(wires, into: into, dryRun: dryRun)
    }

    /// The sentence of a refusal; what it left is as it was.
    func refusal(_ body: () throws -> Void) throws -> String {
        let before = try state()
        var sentence = ""
        do { try body() } catch { sentence = "\(error)" }
        let same = try state() == before
        return same ? sentence : "refused, but something changed: \(sentence)"
    }

    func sql(_ text: String) throws { try sandbox.database.withConnection { try $0.script(text) } }

    func column(_ sql: String) throws -> [String] { try sandbox.column(sql) }

    func violations() throws -> [String] { try StorageRules.violations(in: sandbox.database) }

    /// Everything that a merge can change, without what only time or order tells apart.
    func state() throws -> [String] {
        try ["wire", "subnet", "pool", "extent", "reservation", "link", "link_support", "wire_rejection"].flatMap {
            table in
            try column("SELECT '\(table) ' || to_jsonb(t)::text FROM \(table) t ORDER BY to_jsonb(t)::text")
        } + column("SELECT (to_jsonb(a) - 'since')::text FROM address a ORDER BY subnet_id, ip")
            + column("SELECT to_jsonb(p)::text FROM placement p ORDER BY 1")
            + column("SELECT id || ' ' || subnet_id || request::text FROM allocation_key ORDER BY id")
            + column("SELECT account_id || id || coalesce(sync_ips, '-') FROM vm ORDER BY 1")
    }

    /// `wire: subnet cidr`, sorted.
    func subnets() throws -> [String] {
        try column(
            """
            SELECT w.name || ': ' || s.name || ' ' || s.cidr || CASE WHEN s.confirmed THEN '' ELSE '?' END
            FROM subnet s JOIN wire w ON w.id = s.wire_id ORDER BY 1
            """)
    }

    /// `subnet ip state allocated_to`, sorted, without free ones.
    func addresses() throws -> [String] {
        try column(
            """
            SELECT s.name || ' ' || host(a.ip) || ' ' || a.state || coalesce(' ' || a.allocated_to, '')
            FROM address a JOIN subnet s ON s.id = a.subnet_id WHERE a.state <> 'free' ORDER BY 1
            """)
    }
}
