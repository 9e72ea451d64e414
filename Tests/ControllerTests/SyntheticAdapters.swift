import Addressing
import Postgres

/// Adapters of VMs as a sync would have stored them, without a vCenter: one account with one host, a distributed switch a
/// wire, and on each a port group a VLAN.
struct SyntheticAdapters {
    let sandbox: Sandbox

    init(_ sandbox: Sandbox) throws {
        self.sandbox = sandbox
        try sql(
            """
            INSERT INTO account (name, url, username, secret, secret_key_id, trust, kind, identity)
            VALUES ('acme', 'https://acme.invalid', 'u', '', '', 'insecure', 'vcenter', 'acme');
            INSERT INTO host (account_id, id, name) SELECT id, 'host-1', 'esx-1' FROM account
            """)
    }

    /// A switch `dvs-NAME` that is linked to the wire by a sync, with a port group of each VLAN.
    func link(_ wire: String, vlans: [Int], origin: String = "automatic") throws {
        try sql(
            """
            INSERT INTO switch (account_id, id, kind, name) SELECT id, 'dvs-\(wire)', 'distributed', 'dvs-\(wire)' FROM account;
            INSERT INTO switch_host (account_id, switch_id, host_id) SELECT id, 'dvs-\(wire)', 'host-1' FROM account;
            INSERT INTO portgroup (account_id, id, switch_id, name, kind, vlan_mode, vlan_id)
            SELECT a.id, '\(wire)-' || v, 'dvs-\(wire)', 'vlan ' || v, 'distributed', 'access', v
            FROM account a, unnest('{\(vlans.map(String.init).joined(separator: ","))}'::int[]) v;
            INSERT INTO link (account_id, switch_id, wire_id, origin)
            SELECT a.id, 'dvs-\(wire)', w.id, '\(origin)' FROM account a, wire w WHERE w.name = '\(wire)'
            """)
    }

    /// A VM of one adapter with one address, live, where the wire's switch has the VLAN; not placed yet.
    func add(_ name: String, _ ip: IPAddress, on wire: String, vlan: Int, live: Bool = true) throws {
        try sql(
            """
            INSERT INTO vm (account_id, id, name, instance_uuid, host_id, power_state)
            SELECT id, 'vm-\(name)', '\(name)', '\(name)', 'host-1', 'poweredOn' FROM account;
            INSERT INTO nic (account_id, owner, owner_id, device, mac, network_kind, portgroup_id)
            SELECT id, 'vm', 'vm-\(name)', '4000', NULL, 'distributed', '\(wire)-\(vlan)' FROM account;
            INSERT INTO nic_address (account_id, owner, owner_id, device, ip, live, live_since)
            SELECT id, 'vm', 'vm-\(name)', '4000', '\(ip)', \(live), now() FROM account;
            INSERT INTO placement (account_id, owner, owner_id, device, ip, reason)
            SELECT id, 'vm', 'vm-\(name)', '4000', '\(ip)', 'no_subnet' FROM account
            """)
    }

    private func sql(_ text: String) throws { try sandbox.database.withConnection { try $0.script(text) } }
}

/// Host numbers as addresses of one family.
struct Plan: Sendable {
    let family: IPAddress.Family

    /// 10.N.0.H or fd00:N::H.
    func ip(_ host: UInt128, net: UInt128 = 0) -> IPAddress {
        switch family {
        case .v4: IPAddress(family: .v4, bits: 10 << 24 + net << 16 + host)
        case .v6: IPAddress(family: .v6, bits: 0xfd00 << 112 + net << 96 + host)
        }
    }

    /// 2^bits addresses.
    func cidr(_ host: UInt128 = 0, bits: Int, net: UInt128 = 0) -> CIDR {
        guard let cidr = CIDR(containing: ip(host, net: net), prefixLength: family.bitWidth - bits) else {
            fatalError("no such prefix")
        }
        return cidr
    }

    func range(_ first: UInt128, _ last: UInt128, net: UInt128 = 0) -> AddressRange {
        guard let range = AddressRange(ip(first, net: net), ip(last, net: net)) else { fatalError("a falling range") }
        return range
    }

    static let families: [IPAddress.Family] = [.v4, .v6]
}
