import Addressing
import Controller
import IPAM
import Inventory
import Jobs
import Postgres
import Support
import Testing

/// Rule 3.4: who has an address once its adapters changed, and what may not be written over.
@Suite("Passing on", .serialized)
struct PassingOnTests {
    private func world(_ vms: [Scenario.VM]) throws -> (Sandbox, SimulatedVCenter) {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10)
        try sandbox.subnet("servers", on: "campus", "10.20.0.0/24", vlan: 20)
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: vms))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        return (sandbox, vcenter)
    }

    /// `a` in `servers` and `b` in `apps` have one address, each its own.
    private func worldOfTwins() throws -> (Sandbox, SimulatedVCenter) {
        let (sandbox, vcenter) = try world([
            World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.5/24", group: "apps"),
        ])
        try sandbox.subnet("apps", on: "campus", "10.20.0.0/24", vlan: 30)
        return (sandbox, vcenter)
    }

    private func held(_ sandbox: Sandbox) throws -> [String] {
        try sandbox.column(
            """
            SELECT v.name || ' ' || s.name || ' ' || host(a.ip) FROM address a JOIN subnet s ON s.id = a.subnet_id
            JOIN vm v ON v.account_id = a.account_id AND v.id = a.owner_id AND a.owner = 'vm' ORDER BY 1
            """)
    }

    @Test("a VM that was registered anew is the same VM, with its addresses", arguments: [Scenario.VM.Power.on, .off])
    func registeredAnew(power: Scenario.VM.Power) throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.6/24")])
        let query = "SELECT id || ' ' || instance_uuid FROM vm WHERE name = 'a'"
        var vm = World.vm("a", "10.20.0.5/24")
        vm.power = power
        try vcenter.change(vm)
        try sandbox.sync("one")
        let before = try sandbox.column(query)
        let since = try sandbox.column("SELECT since FROM address WHERE ip = '10.20.0.5'")
        try vcenter.remove("a")
        if power == .off { vm.guest = [] }
        try vcenter.add(vm)
        for _ in 1...3 {
            let job = try #require(try sandbox.sync("one").first)
            #expect(job.error == nil)
            #expect(try held(sandbox) == ["a servers 10.20.0.5", "b servers 10.20.0.6"])
            #expect(
                try sandbox.placements(of: "one") == ["a 10.20.0.5 -> servers", "b 10.20.0.6 -> servers"])
            #expect(try sandbox.column("SELECT count(*) FROM vm") == ["2"])
        }
        #expect(try sandbox.column(query) != before)
        #expect(try sandbox.column("SELECT since FROM address WHERE ip = '10.20.0.5'") == since)
        #expect(try StorageRules.violations(in: sandbox.database) == [])
    }

    @Test("an adapter that moved to a subnet where another has its address keeps the old hold, until one claims that")
    func movedInVain() throws {
        let (sandbox, vcenter) = try worldOfTwins()
        #expect(try held(sandbox) == ["a servers 10.20.0.5", "b apps 10.20.0.5"])
        try vcenter.change(World.vm("a", "10.20.0.5/24", group: "apps"))
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["a servers 10.20.0.5", "b apps 10.20.0.5"])
        #expect(
            try sandbox.placements(of: "one") == ["a 10.20.0.5 -> held_by_other", "b 10.20.0.5 -> apps"])
        try vcenter.add(World.vm("c", "10.20.0.5/24"))
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["b apps 10.20.0.5", "c servers 10.20.0.5"])
    }

    @Test("what an adapter holds elsewhere than where it reported it is let go of when it reports another instead")
    func movedInVainAndGone() throws {
        let (sandbox, vcenter) = try worldOfTwins()
        try vcenter.change(World.vm("a", "10.20.0.5/24", group: "apps"))
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["a servers 10.20.0.5", "b apps 10.20.0.5"])
        try vcenter.change(World.vm("a", "10.20.0.6/24", group: "apps"))
        for _ in 1...2 { try sandbox.sync("one") }
        #expect(try held(sandbox) == ["a apps 10.20.0.6", "b apps 10.20.0.5"])
        #expect(try StorageRules.violations(in: sandbox.database) == [])
    }

    @Test("an address that is given for a VM just while a placement decides is that VM's, whatever the placement saw")
    func givenMeanwhile() throws {
        let (sandbox, vcenter) = try world([])
        let giver = try sandbox.database.connect()
        defer { giver.close() }
        try giver.script(
            """
            INSERT INTO vm_request (account_id, name, actor, request, instance_uuid)
                SELECT id, 'new', 'tester', '{}', 'the new one' FROM account;
            INSERT INTO allocation_key (caller, key, request, subnet_id, vm_request_id)
                SELECT 'tester', 'k', '{}', s.id, q.id FROM subnet s, vm_request q WHERE s.name = 'servers';
            BEGIN;
            INSERT INTO address (subnet_id, ip, state, allocated_to, allocated_at, key_id)
                SELECT subnet_id, '10.20.0.5', 'held', 'new', now(), id FROM allocation_key
            """)
        try vcenter.add(World.vm("a", "10.20.0.5/24"))
        nonisolated(unsafe) let unsafe = sandbox
        let sync = Beside { try unsafe.sync("one")[0].state }
        try waitUntil("the sync decides") {
            try !sandbox.column(
                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%contender%'"
            ).isEmpty
        }
        try giver.script("COMMIT")
        #expect(try sync.result() == .findings)
        #expect(try sandbox.placements(of: "one") == ["a 10.20.0.5 -> held_by_other"])
        #expect(
            try sandbox.column(
                "SELECT allocated_to || coalesce(' and ' || owner_id, '') FROM address WHERE ip = '10.20.0.5'") == [
                    "new"
                ])
    }

    @Test("two adapters with one address that swapped their port groups are two placements and nothing else")
    func swappedSubnets() throws {
        let (sandbox, vcenter) = try worldOfTwins()
        try vcenter.change(World.vm("a", "10.20.0.5/24", group: "apps"))
        try vcenter.change(World.vm("b", "10.20.0.5/24"))
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["a apps 10.20.0.5", "b servers 10.20.0.5"])
        #expect(try sandbox.column("SELECT count(*) FROM address WHERE state = 'quarantined'") == ["0"])
    }

    @Test("an allocation that is younger than the reading is not adopted by it, but by the next one")
    func youngAllocation() throws {
        let (sandbox, vcenter) = try world([World.vm("b", "10.20.0.6/24")])
        try sandbox.database.withConnection {
            try $0.script(
                """
                INSERT INTO address (subnet_id, ip, state, since, allocated_to, allocated_at)
                SELECT id, '10.20.0.5', 'held', now() + interval '1 hour', 'ci', now() FROM subnet WHERE name = 'servers'
                """)
        }
        try vcenter.add(World.vm("a", "10.20.0.5/24"))
        try sandbox.sync("one")
        #expect(
            try sandbox.placements(of: "one") == ["a 10.20.0.5 -> held_by_other", "b 10.20.0.6 -> servers"])
        #expect(try held(sandbox) == ["b servers 10.20.0.6"])
        try sandbox.database.withConnection {
            try $0.script("UPDATE address SET since = now() - interval '1 hour' WHERE ip = '10.20.0.5'")
        }
        try sandbox.sync("one")
        #expect(try held(sandbox) == ["a servers 10.20.0.5", "b servers 10.20.0.6"])
        #expect(try sandbox.column("SELECT allocated_to FROM address WHERE ip = '10.20.0.5'") == ["ci"])
    }

    @Test("what another account was given after the reading began stays, even against live evidence")
    func youngHold() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24")])
        try vcenter.setPower(of: "a", .off)
        try sandbox.sync("one")
        try sandbox.database.withConnection {
            try $0.script("UPDATE address SET since = now() + interval '1 hour' WHERE ip = '10.20.0.5'")
        }
        var scenario = World.scenario("two", vms: [World.vm("b", "10.20.0.5/24")])
        scenario.datacenters[0].clusters[0].hosts[0].vmkernel[0].ip = "10.10.0.99"
        let other = try SimulatedVCenter(scenario)
        try sandbox.onboard(other, as: "two")
        try sandbox.sync("two")
        #expect(try held(sandbox) == ["a servers 10.20.0.5"])
        #expect(try sandbox.placements(of: "two") == ["b 10.20.0.5 -> held_by_other"])
        try sandbox.database.withConnection {
            try $0.script("UPDATE address SET since = now() - interval '1 hour' WHERE ip = '10.20.0.5'")
        }
        try sandbox.sync("two")
        #expect(try held(sandbox) == ["b servers 10.20.0.5"])
    }

    @Test("a merge that collides with another one is done again; what it says is said once", arguments: [2, 3])
    func collision(times: Int) throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.99.0.5/24")])
        try vcenter.add(World.vm("b", "10.99.0.6/24"))
        // A sequence goes on through rollbacks: it counts the attempts.
        try sandbox.database.withConnection {
            try $0.script(
                """
                CREATE SEQUENCE attempt;
                CREATE FUNCTION collide() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF nextval('attempt') <= \(times) THEN
                        RAISE EXCEPTION 'collision' USING ERRCODE = 'deadlock_detected';
                    END IF;
                    RETURN NULL;
                END $$;
                CREATE TRIGGER collision AFTER INSERT ON vm FOR EACH STATEMENT EXECUTE FUNCTION collide()
                """)
        }
        let job = try #require(try sandbox.sync("one").first)
        #expect(job.errorCode == (times < 3 ? nil : "database_retryable"))
        #expect(try sandbox.column("SELECT name FROM vm ORDER BY 1") == (times < 3 ? ["a", "b"] : ["a"]))
        #expect(
            try sandbox.queue.events(job.id).filter { $0.code == "unplaced" }.count == (times < 3 ? 1 : 0))
    }

    @Test("a sync holds no address and no placement while it waits for the locks of subnets")
    func lockOrder() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24"), World.vm("b", "10.20.0.6/24")])
        try vcenter.change(World.vm("a", "10.20.0.7/24"))
        try sandbox.sync("one")
        // Now the first address of "a" is let go of, and "b" has another one as well.
        try vcenter.change(World.vm("b", "10.20.0.8/24"))
        let account = try sandbox.database.withConnection { try AccountTable.named("one", in: $0) }
        let job = try sandbox.accounts.queueSync(account, acceptReleases: false).id
        var configuration = Runner.Configuration(worker: "lock-order", width: 1)
        configuration.only = [job]
        let runner = Runner(
            sandbox.queue, handlers: [SyncHandler(database: sandbox.database, secrets: sandbox.secrets)], configuration)
        try sandbox.database.transaction { connection in
            for row in try connection.query("SELECT id FROM subnet ORDER BY id") {
                try AdvisoryLock.placement(subnet: row.get(0)).take(in: connection)
            }
            runner.start()
            let waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7002 AND NOT granted"
            let deadline = ContinuousClock.now + .seconds(120)
            while try sandbox.column(waits) == ["0"] { try #require(ContinuousClock.now < deadline) }
            try sandbox.database.transaction { other in
                for table in ["address", "placement"] {
                    #expect(throws: Never.self, "\(table)") {
                        try other.query("SELECT ip FROM \(table) ORDER BY ip FOR UPDATE NOWAIT")
                    }
                }
            }
        }
        let end = try runner.wait(for: [job]).first
        runner.stop()
        #expect(end?.error == nil)
        #expect(
            try held(sandbox) == ["a servers 10.20.0.7", "b servers 10.20.0.6", "b servers 10.20.0.8"])
    }

    @Test("an address is missed in successive readings only: one that says nothing ends the count")
    func notSuccessive() throws {
        let (sandbox, vcenter) = try world([World.vm("a", "10.20.0.5/24")])
        for _ in 1...2 {
            try vcenter.setGuest(of: "a", [.init(["10.20.0.6/24"])])
            try sandbox.sync("one")
            #expect(try held(sandbox) == ["a servers 10.20.0.5", "a servers 10.20.0.6"])
            try vcenter.setGuest(of: "a", [.init(["fe80::1/64"])])
            try sandbox.sync("one")
            #expect(try held(sandbox) == ["a servers 10.20.0.5", "a servers 10.20.0.6"])
        }
    }
}
