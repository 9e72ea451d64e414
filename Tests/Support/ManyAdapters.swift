/// An account of 100,000 VMs as a sync would have stored it, none of whose addresses has a subnet.
package enum ManyAdapters {
    /// The prefix of ten of them, apart from the others.
    package static let apart = "10.9.0.0/28"

    /// For an empty database with a wire: one port group of VLAN 20, on a switch that is on the first wire.
    package static let script = """
        INSERT INTO account (name, url, username, secret, secret_key_id, trust, kind, identity)
            VALUES ('one', 'https://one', 'u', '', 'k', 'insecure', 'vcenter', 'i');
        INSERT INTO host (account_id, id, name) SELECT id, 'host-1', 'esx-1' FROM account;
        INSERT INTO switch (account_id, id, kind, name) SELECT id, 'dvs-1', 'distributed', 'dvs' FROM account;
        INSERT INTO portgroup (account_id, id, switch_id, name, kind, vlan_mode, vlan_id)
            SELECT id, 'pg-1', 'dvs-1', 'servers', 'distributed', 'access', 20 FROM account;
        INSERT INTO link (account_id, switch_id, wire_id, origin)
            SELECT a.id, 'dvs-1', w.id, 'person' FROM account a, (SELECT min(id) AS id FROM wire) w;
        INSERT INTO vm (account_id, id, name, host_id) SELECT a.id, 'vm-' || i, 'vm-' || i, 'host-1'
            FROM account a, generate_series(0, 99999) i;
        INSERT INTO nic (account_id, owner, owner_id, device, network_kind, portgroup_id)
            SELECT a.id, 'vm', 'vm-' || i, '4000', 'distributed', 'pg-1' FROM account a, generate_series(0, 99999) i;
        INSERT INTO nic_address (account_id, owner, owner_id, device, ip, live)
            SELECT a.id, 'vm', 'vm-' || i, '4000',
                CASE WHEN i < 99990 THEN '10.0.0.0'::inet + i ELSE '10.9.0.1'::inet + (i - 99990) END, true
            FROM account a, generate_series(0, 99999) i;
        INSERT INTO placement (account_id, owner, owner_id, device, ip, reason)
            SELECT account_id, owner, owner_id, device, ip, 'no_subnet' FROM nic_address;
        ANALYZE
        """
}
