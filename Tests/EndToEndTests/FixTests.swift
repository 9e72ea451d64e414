import Foundation
import Postgres
import Support
import Testing

/// Each reason's printed command, run as a person would (DESIGN.md 3.4).
@Suite("Fixes", .serialized)
struct FixTests {
    @Test("each command that changes something, run by a shell, places its address and costs nobody else the place")
    func changing() throws {
        let world = try FixWorld()
        var used: [String: Set<String>] = [:]
        for _ in 0..<40 {
            guard let one = try world.unplaced().first(where: { !$0.isShown }) else { break }
            let before = try world.placed()
            let line = try #require(one.fix.first)
            let result = try world.shell(line)
            #expect(result.status == 0, "\(line): \(result.errors)")
            let after = try world.placed()
            #expect(before.subtracting(after) == [], "\(line) took places away")
            try #require(
                after.contains { $0.hasPrefix("\(one.account) \(one.name) \(one.ip) ") },
                "\(one.reason) of \(one.ip): \(line): \(result.output)")
            used[one.reason, default: []].insert(line)
        }
        let link: Set = ["wireloom wire link \(try world.namesake()) depot-a --host p3 --account paris"]
        #expect(
            used == [
                "no_link": link,
                "other_wire": [
                    "wireloom wire link vSwitch9 far --host p1 --account paris",
                    "wireloom wire link core rack-c --host t2 --account tokyo",
                    "wireloom wire link core rack-c --host t3 --account tokyo",
                ],
                "vlan_mismatch": [
                    "wireloom subnet update lonely --vlan 40",
                    "wireloom wire link vSwitch9 'it'\\''s campus' --host p2 --account paris --native-vlan 90",
                ],
                "no_subnet": [
                    "wireloom subnet create 'it'\\''s campus:10.20.1.0/24:20' --wire 'it'\\''s campus' --cidr "
                        + "10.20.1.0/24 --vlan 20",
                    "wireloom subnet create 'it'\\''s campus:10.60.0.0/22:10' --wire 'it'\\''s campus' --cidr "
                        + "10.60.0.0/22 --vlan 10",
                    "wireloom subnet create 'it'\\''s campus:10.15.0.0/25:15' --wire 'it'\\''s campus' --cidr "
                        + "10.15.0.0/25 --vlan 15",
                    "wireloom subnet create 'it'\\''s campus:2001:db8:20::/64:20' --wire 'it'\\''s campus' --cidr "
                        + "2001:db8:20::/64 --vlan 20",
                ],
            ])
        #expect(
            Set(try world.unplaced().map { "\($0.name) \($0.reason)" }) == [
                "tenant-1 unmapped", "probe-1 ambiguous", "web-2-copy held_by_other", "app-2 vlan_mismatch",
                "backup-1 other_wire", "legacy-1 other_wire",
            ])
    }

    @Test("the commands that only show tell the true reason, and nothing that costs others their places is offered")
    func showing() throws {
        let world = try FixWorld()
        let before = try world.placed()
        for (name, words) in [
            ("tenant-1", ["unplaced: unmapped", "no VLAN that could be matched"]),
            ("probe-1", ["unplaced: ambiguous", "test-42 (VLAN 42) and test-43 (VLAN 43)"]),
            (
                "app-2",
                ["servers (VLAN 20), while port group apps has VLAN 30", "connect it to one of VLAN 20"]
            ),
            ("backup-1", ["subnet depot-a of wire depot-a", "port group has another VLAN"]),
            ("legacy-1", ["subnet legacy of wire depot-b", "Rather the adapter is on the wrong network"]),
        ] {
            let one = try world.unplaced(name)
            #expect(one.fix == ["wireloom explain ip \(one.ip)"])
            let shown = try world.shell(one.fix[0])
            #expect(shown.status == 0)
            let told = shown.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            for word in words { #expect(told.contains(word), "\(shown.output)") }
        }
        let copy = try world.unplaced("web-2-copy")
        let found = try world.shell(try #require(copy.fix.first))
        #expect(copy.message.contains("held by VM web-2 (paris)") && found.output.contains("web-2"))
        #expect(try world.placed() == before)
    }

    @Test("of a tie only the tied wires are named, and a switch of an ambiguous name is called by its id")
    func tie() throws {
        let world = try FixWorld()
        let stock = try world.unplaced("stock-1")
        #expect(stock.message.contains("the evidence for depot-a and depot-b is equal"))
        #expect(stock.fix.count == 2)
        #expect(stock.fix.allSatisfy { !$0.contains("wire link core ") && $0.hasSuffix(" --host p3 --account paris") })
    }

    @Test("a fix shows what each command would do, whom it would cost the place, and does the chosen one")
    func choose() throws {
        let world = try FixWorld()
        let one = try world.unplaced("lone-1")
        let shown = try world.tool.run("fix", one.ip)
        #expect(shown.status == 0, "\(shown.errors)")
        #expect(shown.output.contains("1  $ \(one.fix[0])\ndry run: "), "\(shown.output)")
        #expect(shown.output.contains("newly placed:\n  lone-1 10.41.0.5 -> lonely"), "\(shown.output)")
        #expect(try world.unplaced("lone-1").reason == one.reason, "a rehearsal changed it")
        #expect(try world.tool.run("fix", one.ip, "--choose", "2").status == 65)
        let done = try world.tool.run("fix", one.ip, "--choose", "1")
        #expect(done.status == 0, "\(done.errors)")
        #expect(try !world.unplaced().contains { $0.ip == one.ip })
        let costly = try world.tool.run("subnet", "update", "servers", "--vlan", "29", "--dry-run")
        #expect(costly.status == 2)
        #expect(
            costly.output.contains(
                """
                no longer placed (2):
                  web-1 10.20.0.11: vlan_mismatch
                  web-2 10.20.0.12: vlan_mismatch
                """), "\(costly.output)")
        let deleted = try world.tool.run("subnet", "delete", "servers", "--force", "--dry-run")
        #expect(deleted.output.contains("no longer placed (3):\n  router-2 10.20.0.60: "), "\(deleted.output)")
        let explained = try world.tool.run("fix", "10.20.0.52")
        #expect(explained.output.contains("only shows; it changes nothing"))
    }

    @Test("a fix is done in the database that it was asked of, not in the environment's")
    func otherDatabase() throws {
        let world = try FixWorld()
        let one = try world.unplaced("lone-1")
        let elsewhere = try ScratchDatabase(migrated: false)
        defer { elsewhere.close() }
        let uri = try #require(world.tool.scratch?.uri)
        for words in [[], ["--choose", "1"]] {
            let result = try world.tool.start(
                ["fix", one.ip, "--database-url", uri] + words, environment: ["WIRELOOM_DATABASE_URL": elsewhere.uri]
            ).finish()
            #expect(result.status == 0, "\(result.errors)")
            #expect(!result.output.contains("refused"), "\(result.output)")
        }
        #expect(try !world.unplaced().contains { $0.ip == one.ip })
        let schema: Int = try elsewhere.database.withConnection {
            try $0.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").one().get(0)
        }
        #expect(schema == 0, "the other database was touched")
    }

    @Test("a fix for what is placed, or for a command that is not there, is refused")
    func refused() throws {
        let tool = try CommandLineTool()
        #expect(try tool.run("fix", "10.0.0.1").status == 65)
        #expect(try tool.run("fix", "10.0.0.01").status == 65)
    }
}
