import Addressing
import Controller
import IPAM
import Postgres
import SQL
import Support
import Testing

/// A change of a subnet among 100,000 adapters.
@Suite struct TouchedPlanTests {
    @Test("a new subnet that concerns 8 of 100,000 adapters writes 8 placements and scans no table of adapters")
    func onlyWhatItMust() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "wire", site: nil)
        try sandbox.database.withConnection { try $0.script(Self.world) }
        #expect(try sandbox.column("SELECT count(*) FROM nic_address") == ["100000"])
        let scans = """
            SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables
            WHERE relname IN ('nic', 'nic_address', 'placement', 'vm')
            """
        try sandbox.database.withConnection { try $0.script("SELECT pg_stat_force_next_flush()") }
        let before = try sandbox.column(scans)
        try sandbox.subnet("ten", on: "wire", "10.0.99.0/29", vlan: 20)
        try sandbox.database.withConnection { try $0.script("SELECT pg_stat_force_next_flush()") }
        // The rows that this change wrote are those of its transaction: all others are of the script's.
        #expect(
            try sandbox.column(
                "SELECT count(*) FROM placement WHERE reason IS NULL AND ip <<= '10.0.99.0/29'") == ["8"])
        #expect(try sandbox.column("SELECT count(DISTINCT xmin::text) FROM placement") == ["2"])
        #expect(try sandbox.column("SELECT count(*) FROM address") == ["8"])
        #expect(try sandbox.column(scans) == before)
        let plan = try sandbox.database.withConnection { connection in
            try connection.script(Queries.staging)
            return try connection.query("EXPLAIN " + Queries.touchPrefix.replacing("$1", with: "'10.0.99.0/29'"))
                .map { try $0.get(0, as: String.self) }.joined(separator: "\n")
        }
        #expect(!plan.contains("Seq Scan"), "\(plan)")
    }

    /// 100,000 VMs of one account on one port group of VLAN 20, none of them in a subnet.
    private static let world = """
        INSERT INTO account (name, url, username, secret, secret_key_id, trust, kind, identity)
            VALUES ('one', 'https://one', 'u', '', 'k', 'insecure', 'vcenter', 'i');
        INSERT INTO host (account_id, id, name) SELECT id, 'host-1', 'esx-1' FROM account;
        INSERT INTO switch (account_id, id, kind, name) SELECT id, 'dvs-1', 'distributed', 'dvs' FROM account;
        INSERT INTO portgroup (account_id, id, switch_id, name, kind, vlan_mode, vlan_id)
            SELECT id, 'pg-1', 'dvs-1', 'servers', 'distributed', 'access', 20 FROM account;
        INSERT INTO link (account_id, switch_id, wire_id, origin)
            SELECT a.id, 'dvs-1', w.id, 'person' FROM account a, wire w;
        INSERT INTO vm (account_id, id, name, host_id) SELECT a.id, 'vm-' || i, 'vm-' || i, 'host-1'
            FROM account a, generate_series(0, 99999) i;
        INSERT INTO nic (account_id, owner, owner_id, device, network_kind, portgroup_id)
            SELECT a.id, 'vm', 'vm-' || i, '4000', 'distributed', 'pg-1' FROM account a, generate_series(0, 99999) i;
        INSERT INTO nic_address (account_id, owner, owner_id, device, ip, live)
            SELECT a.id, 'vm', 'vm-' || i, '4000', '10.0.0.0'::inet + i, true FROM account a, generate_series(0, 99999) i;
        INSERT INTO placement (account_id, owner, owner_id, device, ip, reason)
            SELECT account_id, owner, owner_id, device, ip, 'no_subnet' FROM nic_address;
        ANALYZE
        """
}
