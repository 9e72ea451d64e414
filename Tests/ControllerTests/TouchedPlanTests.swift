import Addressing
import Controller
import IPAM
import Postgres
import SQL
import Support
import Testing

/// A change of a subnet among 100,000 adapters.
@Suite struct TouchedPlanTests {
    @Test("a new subnet that concerns 10 of 100,000 adapters writes 10 placements and scans no table of adapters")
    func onlyWhatItMust() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "wire", site: nil)
        try sandbox.database.withConnection { try $0.script(ManyAdapters.script) }
        #expect(try sandbox.column("SELECT count(*) FROM nic_address") == ["100000"])
        let scans = """
            SELECT string_agg(relname || ' ' || seq_scan, ', ' ORDER BY relname) FROM pg_stat_user_tables
            WHERE relname IN ('nic', 'nic_address', 'placement', 'vm')
            """
        try sandbox.database.withConnection { try $0.script("SELECT pg_stat_force_next_flush()") }
        let before = try sandbox.column(scans)
        try sandbox.subnet("ten", on: "wire", ManyAdapters.apart, vlan: 20)
        try sandbox.database.withConnection { try $0.script("SELECT pg_stat_force_next_flush()") }
        // At once: what follows reads these tables itself.
        #expect(try sandbox.column(scans) == before)
        // The rows that this change wrote are those of its transaction: all others are of the script's.
        #expect(
            try sandbox.column(
                "SELECT count(*) FROM placement WHERE reason IS NULL AND ip <<= '\(ManyAdapters.apart)'") == ["10"])
        #expect(try sandbox.column("SELECT count(DISTINCT xmin::text) FROM placement") == ["2"])
        #expect(try sandbox.column("SELECT count(*) FROM address") == ["10"])
        let plan = try sandbox.database.withConnection { connection in
            try connection.script(Queries.staging)
            return try connection.query(
                "EXPLAIN " + Queries.touchPrefix.replacing("$1", with: "'\(ManyAdapters.apart)'")
            )
            .map { try $0.get(0, as: String.self) }.joined(separator: "\n")
        }
        #expect(!plan.contains("Seq Scan"), "\(plan)")
    }
}
