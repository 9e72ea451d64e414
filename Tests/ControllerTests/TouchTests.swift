import Addressing
import Controller
import Postgres
import SQL
import Support
import Testing

/// A sync places again only what it believes to be concerned: it must come to what placing everything comes to.
@Suite("What a sync places again", .serialized)
struct TouchTests {
    private func campus(_ sandbox: Sandbox, _ family: IPAddress.Family) throws {
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10)
        try sandbox.subnet("servers", on: "campus", family.text("10.20.0.0/24"), vlan: 20)
        try sandbox.subnet("apps", on: "campus", family.text("10.30.0.0/24"), vlan: 30)
    }

    private func vm(
        _ name: String, _ address: String, _ family: IPAddress.Family, on host: String = "esx-1",
        group: String = "servers"
    ) -> Scenario.VM {
        World.vm(name, .init(family.text(address)), on: host, group: group)
    }

    private func expectSettled(_ sandbox: Sandbox, after change: String) throws {
        let before = try sandbox.contents()
        try sandbox.database.transaction { connection in
            try connection.script(Queries.staging)
            try connection.execute(
                """
                INSERT INTO touched (account_id, owner, owner_id, device, ip)
                SELECT account_id, owner, owner_id, device, ip FROM nic_address
                """)
            for statement in [
                Queries.qualify, Queries.findContested, Queries.attach, Queries.decideHolders, Queries.releaseMoved,
                Queries.unholdReleased, Queries.dropPassedOn,
            ] { try connection.execute(statement) }
            try connection.execute(Queries.writeSyncIPs, nil as Int64?)
        }
        #expect(try sandbox.contents() == before, "after \(change)")
    }

    @Test("after each change upstream, placing everything again would change nothing", arguments: Plan.families)
    func changes(family: IPAddress.Family) throws {
        let sandbox = try Sandbox()
        try campus(sandbox, family)
        let scenario = World.scenario(
            "one",
            vms: [
                vm("a", "10.20.0.5/24", family), vm("b", "10.20.0.5/24", family), vm("c", "10.30.0.7/24", family),
                vm("d", "10.20.0.9/24", family, group: "apps"), vm("e", "10.99.0.1/24", family, on: "esx-2"),
            ], hosts: 2)
        let vcenter = try SimulatedVCenter(scenario)
        try sandbox.onboard(vcenter, as: "one")
        func sync(_ change: String) throws {
            try sandbox.sync("one", acceptReleases: true)
            try expectSettled(sandbox, after: change)
        }
        try sync("the first sync")

        var next = scenario
        next.datacenters[0].switches[0].portGroups[1].vlan = 30
        try vcenter.become(next)
        try sync("another VLAN of a port group")
        #expect(try sandbox.placements(of: "one").contains(family.text("c 10.30.0.7 -> apps")))

        next.datacenters[0].switches[0].portGroups[1].vlan = 20
        next[vm: "d"] = vm("d", "10.20.0.9/24", family)
        try vcenter.become(next)
        try sync("another port group of an adapter")
        #expect(try sandbox.placements(of: "one").contains(family.text("d 10.20.0.9 -> servers")))

        try vcenter.setPower(of: "a", .off)
        try sync("the holder of a contested address going off")
        #expect(try sandbox.placements(of: "one").contains(family.text("b 10.20.0.5 -> servers")))

        try vcenter.setGuest(of: "e", [.init([.init(family.text("10.20.0.10/24"))])])
        try sync("another address of an adapter")
        #expect(try sandbox.placements(of: "one").contains(family.text("e 10.20.0.10 -> servers")))

        try vcenter.remove("b")
        try sync("a VM gone")
        try sync("a VM gone for good")
        #expect(try sandbox.placements(of: "one").contains(family.text("a 10.20.0.5 -> servers")))
    }

    @Test(
        "a placement that is missing, holds nothing or is about a lost subnet is made good by the next sync",
        arguments: Plan.families)
    func repairs(family: IPAddress.Family) throws {
        let sandbox = try Sandbox()
        try campus(sandbox, family)
        let vcenter = try SimulatedVCenter(
            World.scenario(
                "one",
                vms: [
                    vm("a", "10.20.0.5/24", family), vm("b", "10.20.0.6/24", family),
                    vm("c", "10.30.0.7/24", family), vm("d", "10.20.0.8/24", family),
                ]))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        let expected = [
            "a 10.20.0.5 -> servers", "b 10.20.0.6 -> servers", "c 10.30.0.7 -> no_subnet", "d 10.20.0.8 -> servers",
        ].map(family.text)
        try sandbox.database.withConnection { connection in
            try connection.execute(family.text("DELETE FROM placement WHERE ip = '10.20.0.5'"))
            try connection.execute(family.text("DELETE FROM address WHERE ip = '10.20.0.6'"))
            // Of the subnet's placements, only the reason that tells of it is left.
            try connection.execute("DELETE FROM subnet WHERE name = 'apps'")
        }
        try sandbox.sync("one")
        #expect(try sandbox.placements(of: "one") == expected)
        try expectSettled(sandbox, after: "the repairs")
    }

    @Test("a subnet that one account's sync creates places another account's addresses on its wire")
    func elsewhere() throws {
        let sandbox = try Sandbox()
        let first = try SimulatedVCenter(World.scenario("one", vms: []))
        try sandbox.onboard(first, as: "one")
        try sandbox.sync("one")
        var scenario = World.scenario("two", vms: [World.vm("far", "10.10.0.200/24", group: "management")])
        scenario.datacenters[0].clusters[0].hosts[0].vmkernel = []
        let second = try SimulatedVCenter(scenario)
        try sandbox.onboard(second, as: "two")
        try sandbox.sync("two")
        let wire = try sandbox.column("SELECT w.name FROM wire w JOIN subnet s ON s.wire_id = w.id")
        try sandbox.database.withConnection { connection in
            try connection.execute(
                """
                UPDATE link SET origin = 'person', wire_id = (SELECT wire_id FROM subnet)
                WHERE account_id = (SELECT id FROM account WHERE name = 'two')
                """)
            try connection.execute("DELETE FROM subnet")
        }
        try sandbox.sync("two")
        #expect(try sandbox.placements(of: "two") == ["far 10.10.0.200 -> no_subnet"])
        #expect(wire.count == 1)
        try sandbox.sync("one")
        let subnet = try sandbox.column("SELECT name FROM subnet").first ?? ""
        #expect(try sandbox.placements(of: "two") == ["far 10.10.0.200 -> \(subnet)"])
        #expect(try sandbox.column("SELECT sync_ips FROM vm WHERE name = 'far'") == ["-"])
        try expectSettled(sandbox, after: "the other account's sync")
    }
}

extension IPAddress.Family {
    /// A text with IPv4 addresses in it, of /24 or no length, or the same with IPv6 ones, of /64.
    fileprivate func text(_ text: String) -> String {
        guard self == .v6 else { return text }
        return text.replacing(#/(\d+)\.(\d+)\.(\d+)\.(\d+)(\/24)?/#) { match in
            let (_, a, b, c, d, length) = match.output
            let address = "fd00:\(a):\(b):\(c)::\(d)"
            return (IPAddress(address)?.description ?? address) + (length == nil ? "" : "/64")
        }
    }
}
