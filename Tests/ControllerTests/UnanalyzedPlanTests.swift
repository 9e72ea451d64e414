import Controller
import Inventory
import Postgres
import SQL
import Support
import Testing

/// A second reading of an account of whose first one the planner was never told.
@Suite struct UnanalyzedPlanTests {
    private static let count = 2000

    @Test("no statement of the merge meets each row with each, though the planner takes the account for empty")
    func linear() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "wire", site: nil)
        try sandbox.database.withConnection { connection in
            // As after the first sync, before the server has looked at what it wrote.
            try connection.script(
                """
                ALTER TABLE vm SET (autovacuum_enabled = off);
                ALTER TABLE nic SET (autovacuum_enabled = off);
                ALTER TABLE nic_address SET (autovacuum_enabled = off);
                ANALYZE
                """)
            try connection.script(
                ManyAdapters.script.replacing("99999)", with: "\(Self.count - 1))").replacing(";\nANALYZE", with: ""))
            try connection.script("UPDATE vm SET instance_uuid = md5(id)::uuid::text")
            try connection.script(Queries.staging)
            try connection.script(
                """
                INSERT INTO stage_host (id, name, maintenance, gateways, network_known, keep)
                    SELECT id, name, maintenance, gateways, true, '{}' FROM host;
                INSERT INTO stage_switch (id, kind, name, keep) SELECT id, kind, name, '{}' FROM switch;
                INSERT INTO stage_portgroup (id, switch_id, name, kind, vlan_mode, vlan_id, uplink, vlan_known)
                    SELECT id, switch_id, name, kind, vlan_mode, vlan_id, uplink, true FROM portgroup;
                INSERT INTO stage_vm
                    (id, name, instance_uuid, host_id, template, adapters_known, guest_known, quiet, keep)
                    SELECT id, name, instance_uuid, host_id, template, true, true, false, '{}' FROM vm;
                INSERT INTO stage_nic
                    (owner, owner_id, device, network_kind, portgroup_id, host_id, services, management)
                    SELECT owner, owner_id, device, network_kind, portgroup_id, 'host-1', services, management FROM nic;
                INSERT INTO stage_nic_address (owner, owner_id, device, ip, live)
                    SELECT owner, owner_id, device, ip, live FROM nic_address;
                CREATE INDEX ON stage_vm (id);
                CREATE INDEX ON stage_nic (owner_id, device);
                CREATE INDEX ON stage_nic_address (owner_id, device);
                ANALYZE stage_vm (id), stage_nic (owner_id, device), stage_nic_address (owner_id, device);
                """)
            let account: Int64 = try connection.query("SELECT id FROM account")[0].get(0)
            for text in InventoryMerge.statements + [Queries.keepNewer, Queries.releaseMissed] {
                let name = Queries.all.first { $0.text == text }?.name ?? text
                let statement = text.replacing("$1::bigint", with: "$1").replacing("$1", with: "\(account)::bigint")
                let plan = try connection.query("EXPLAIN (ANALYZE, TIMING off) " + statement)
                    .map { try $0.get(0, as: String.self) }
                #expect(rowsVisited(plan) < 40 * Self.count, "\(name):\n\(plan.joined(separator: "\n"))")
            }
        }
    }

    @Test("a sync that wrote much tells the planner of it, and one that wrote little leaves that to the server")
    func analyzed() throws {
        let sandbox = try Sandbox()
        func isKnown() throws -> [String] {
            try sandbox.column("SELECT reltuples >= 0 FROM pg_class WHERE oid = 'nic_address'::regclass")
        }
        try sandbox.database.withConnection { InventoryMerge.analyze(afterWriting: 999, in: $0) }
        #expect(try isKnown() == ["false"])
        try sandbox.database.withConnection { InventoryMerge.analyze(afterWriting: 1000, in: $0) }
        #expect(try isKnown() == ["true"])
    }

    /// Each node's rows, passed on or removed by its filters, as often as it ran.
    private func rowsVisited(_ plan: [String]) -> Int {
        var loops = 1
        var sum = 0
        for line in plan {
            if let match = line.firstMatch(of: /actual rows=(\d+) loops=(\d+)/) {
                loops = Int(match.2) ?? 1
                sum += (Int(match.1) ?? 0) * loops
            } else if let match = line.firstMatch(of: /Rows Removed by [A-Za-z ]+: (\d+)/) {
                sum += (Int(match.1) ?? 0) * loops
            }
        }
        return sum
    }
}
