import Controller
import Inventory
import Jobs
import Postgres
import Support
import Testing

@Suite("Hints of the physical network", .serialized)
struct NetworkHintTests {
    private func world() throws -> (Sandbox, [SimulatedVCenter]) {
        let sandbox = try Sandbox()
        let vcenters = try ["paris", "lyon"].map { name in
            let vcenter = try SimulatedVCenter.demo(name)
            try sandbox.onboard(vcenter, as: name)
            return vcenter
        }
        return (sandbox, vcenters)
    }

    private func neighbours(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.column(
            """
            SELECT DISTINCT a.name || ' ' || n.protocol || ' ' || n.switch FROM physical_neighbour n
            JOIN account a ON a.id = n.account_id ORDER BY 1
            """)
    }

    @Test("they are read at the first sync, again after an hour, and never where the account says so")
    func hourly() throws {
        let (sandbox, vcenters) = try world()
        try sandbox.sync("lyon")
        #expect(try neighbours(sandbox).contains("lyon cdp sw-campus-2"))
        try sandbox.database.withConnection { try $0.script("DELETE FROM physical_neighbour") }
        try sandbox.sync("lyon")
        #expect(try neighbours(sandbox) == [])
        try sandbox.database.withConnection { try $0.script("UPDATE hint_reading SET at = at - interval '1 hour'") }
        try sandbox.sync("lyon")
        #expect(try neighbours(sandbox).contains("lyon cdp sw-campus-2"))

        var change = AccountChange()
        change.networkHints = false
        let paris = try sandbox.database.withConnection { try AccountTable.named("paris", in: $0) }
        try sandbox.accounts.update(paris, change, password: nil)
        try sandbox.sync("paris")
        #expect(
            try sandbox.column("SELECT a.name FROM hint_reading r JOIN account a ON a.id = r.account_id") == ["lyon"])
        withExtendedLifetime(vcenters) {}
    }

    @Test("a server that cannot answer them fails no sync")
    func unanswered() throws {
        let (sandbox, vcenters) = try world()
        try vcenters[1].inject(.status(503), method: "QueryNetworkHint")
        let job = try #require(try sandbox.sync("lyon").first)
        #expect(job.error == nil)
        #expect(try sandbox.queue.events(job.id).contains { $0.code == "no_hints" })
        #expect(try sandbox.column("SELECT count(*) FROM host") == ["2"])
    }

    @Test("hosts of two wires that are plugged into one physical switch speak for one network")
    func suggested() throws {
        let (sandbox, vcenters) = try world()
        try sandbox.sync("paris", "lyon")
        let all = try neighbours(sandbox)
        try sandbox.database.withConnection {
            try $0.script("UPDATE physical_neighbour SET switch = 'sw-one'")
        }
        let evidence = try sandbox.networks.suggestions().flatMap(\.evidence)
        #expect(evidence.contains("hosts of both are plugged into switch sw-one"), "\(all) \(evidence)")
        withExtendedLifetime(vcenters) {}
    }
}
