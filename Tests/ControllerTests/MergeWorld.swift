import Addressing
import Controller
import IPAM
import Postgres
import Support

/// Wires that nobody has on a switch, and what merging them does to addresses.
///
/// Tests write and read IPv4 addresses; in a world of IPv6 each is fd00:: and its 32 bits, as a prefix 96 bits longer, and
/// what the world answers is told in IPv4 again.
final class MergeWorld {
    let sandbox: Sandbox
    let family: IPAddress.Family

    init(_ wires: String..., family: IPAddress.Family = .v4) throws {
        sandbox = try Sandbox()
        self.family = family
        for wire in wires { try sandbox.networks.createWire(name: wire, site: nil) }
    }

    private static let prefix: UInt128 = 0xfd00 << 112

    /// A text with the world's addresses for those of the test.
    func mine(_ text: String) -> String {
        guard family == .v6 else { return text }
        return text.replacing(#/(\d{1,3}(?:\.\d{1,3}){3})(?:/(\d{1,2}))?/#) { match in
            guard let address = IPAddress(String(match.output.1)) else { return String(match.output.0) }
            let mapped = IPAddress(family: .v6, bits: Self.prefix | address.bits)
            return "\(mapped)" + (match.output.2.flatMap { Int($0) }.map { "/\($0 + 96)" } ?? "")
        }
    }

    /// A text with the test's addresses for those of the world.
    func yours(_ text: String) -> String {
        guard family == .v6 else { return text }
        return text.replacing(#/(fd00::[0-9a-f:]+[0-9a-f])(?:/(\d{1,3}))?/#) { match in
            guard let address = IPAddress(String(match.output.1)) else { return String(match.output.0) }
            let mapped = IPAddress(family: .v4, bits: address.bits & UInt128(UInt32.max))
            return "\(mapped)" + (match.output.2.flatMap { Int($0) }.map { "/\($0 - 96)" } ?? "")
        }
    }

    func ip(_ text: String) throws -> IPAddress { try IPAddress(parsing: mine(text)) }

    func range(_ text: String) throws -> AddressRange { try AddressRange(parsing: mine(text)) }

    func subnet(
        _ name: String, on wire: String, _ cidr: String, vlan: Int = 20, gateway: String? = nil, dns: [String] = [],
        pools: [String] = [], role: PoolRequest.Role = .guest
    ) throws {
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(
                name: name, cidr: CIDR(parsing: mine(cidr)), vlan: VLANID(vlan) ?? .one,
                gateway: gateway.map(ip), dns: dns.map(ip),
                pools: pools.map { PoolRequest(try range($0), role: role) }),
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
        try yours(
            sandbox.allocator.allocate(
                AllocationRequest(subnet: subnet, address: address.map(ip), owner: owner, key: key)
            ).addresses[0].description)
    }

    func release(_ subnet: String, _ address: String) throws {
        try sandbox.allocator.release([ip(address)], ofSubnet: subnet)
    }

    func reserve(_ subnet: String, _ range: String, owner: String = "me") throws {
        try sandbox.networks.reserve(
            self.range(range), ofSubnet: subnet, owner: owner, note: nil, expires: nil)
    }

    @discardableResult
    func merge(_ wires: String..., into: String, dryRun: Bool = false) throws -> WireChange {
        try sandbox.networks.mergeWires(wires, into: into, dryRun: dryRun)
    }

    /// The sentence of a refusal; what it left is as it was.
    func refusal(_ body: () throws -> Void) throws -> String {
        let before = try state()
        var sentence = ""
        do { try body() } catch { sentence = yours("\(error)") }
        let same = try state() == before
        return same ? sentence : "refused, but something changed: \(sentence)"
    }

    func sql(_ text: String) throws { try sandbox.database.withConnection { try $0.script(mine(text)) } }

    func column(_ sql: String) throws -> [String] { try sandbox.column(mine(sql)).map(yours) }

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
            FROM address a JOIN subnet s ON s.id = a.subnet_id WHERE a.state <> 'free'
            """
        ).sorted()
    }
}
