import Foundation
import Support
import Testing

/// The demo's scenario through the command line, against what its own description expects.
@Suite("The demo", .serialized)
struct DemoTests {
    private struct Expected: Decodable {
        struct AccountEntry: Decodable { let name: String, site: String? }
        struct Wire: Decodable { let name: String, site: String? }
        struct Subnet: Decodable {
            let name: String, wire: String, cidr: String
            let vlan: Int
            let gateway: String?
            let pools: [String]
        }
        struct Configured: Decodable { let wires: [Wire], subnets: [Subnet] }
        struct CreatedSubnet: Decodable { let wire: String, cidr: String, vlan: Int, gateway: String? }
        struct Created: Decodable { let wires: [String], subnets: [CreatedSubnet] }
        struct Link: Decodable { let account: String, `switch`: String, host: String?, wire: String? }
        struct Placement: Decodable {
            let account: String, vm: String, ip: String, wire: String?, cidr: String?, reason: String?
        }
        struct HostEntry: Decodable {
            let account: String, host: String, device: String, ip: String, wire: String?, cidr: String?, reason: String?
        }
        let accounts: [AccountEntry]
        let configured: Configured
        let created: Created
        let links: [Link]
        let placements: [Placement]
        let hosts: [HostEntry]
    }

    private func expected() throws -> Expected {
        let folder = URL(fileURLWithPath: SimulatedVCenter.demoFile("paris")).deletingLastPathComponent()
        return try JSONDecoder().decode(
            Expected.self, from: Data(contentsOf: folder.appendingPathComponent("expected.json")))
    }

    @Test("every wire, link, subnet, placement and reason is as expected, and a second round changes nothing")
    func everything() throws {
        let expected = try expected()
        let tool = try CommandLineTool()
        for wire in expected.configured.wires {
            let site = wire.site.map { ["--site", $0] } ?? []
            #expect(try tool.start(["wire", "create", wire.name] + site).finish().status == 0)
        }
        for subnet in expected.configured.subnets {
            var words = ["subnet", "create", subnet.name, "--wire", subnet.wire, "--cidr", subnet.cidr]
            words += ["--vlan", String(subnet.vlan)] + (subnet.gateway.map { ["--gateway", $0] } ?? [])
            words += subnet.pools.flatMap { ["--pool", $0] }
            #expect(try tool.start(words).finish().status == 0, "\(subnet.name)")
        }
        var running: [SimulatedVCenter] = []
        for account in expected.accounts {
            let vcenter = try SimulatedVCenter.demo(account.name)
            running.append(vcenter)
            #expect(try tool.add(vcenter, as: account.name, site: account.site).status == 0, "\(account.name)")
        }
        for round in 1...2 {
            let result = try tool.run("sync", "--all", "--wait")
            #expect(result.status == 0, "\(result.errors)")
            try check(tool, expected, round: round)
        }
        try explains(tool)
        withExtendedLifetime(running) {}
    }

    private func explains(_ tool: CommandLineTool) throws {
        /// What a terminal shows, no wider than it, as one line.
        func told(_ words: String...) throws -> String {
            let result = try tool.start(words).finish()
            #expect(result.status == 0, "\(result.errors)")
            for line in result.output.split(separator: "\n") {
                #expect(line.count <= 80 || line.contains("$ "), "\(line)")
            }
            return result.output.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        }
        let copy = try told("explain", "vm", "web-2-copy")
        #expect(copy.contains("-> switch dvs-core -> wire campus "), "\(copy)")
        #expect(
            copy.contains("10.20.0.12: held_by_other: The address 10.20.0.12 is held by VM web-2 (paris)."), "\(copy)")
        let core = try told("explain", "switch", "dvs-core", "--account", "paris")
        #expect(core.contains("is on wire campus, native VLAN 1 why: wire campus has the most evidence"), "\(core)")
        #expect(core.contains("10.10.0.11 of host paris-1.example.com, in subnet campus-management"), "\(core)")
        #expect(
            core.contains("wire tokyo-core: ") && core.contains("no candidate, because it is of site tokyo"), "\(core)")
        let tie = try told("explain", "switch", "vSwitch2", "--account", "lyon")
        #expect(tie.contains("the evidence for depot-a and depot-b is equal; a tie is never guessed"), "\(tie)")
        for wire in ["depot-a", "depot-b"] {
            #expect(
                tie.contains("wire \(wire): 1 VM address: tied 10.50.0.10 of VM stock-1, in subnet \(wire)"), "\(tie)")
            #expect(
                tie.contains("$ wireloom wire link vSwitch2 \(wire) --host lyon-2.example.com --account lyon"), "\(tie)"
            )
        }
        let unlinked = try tool.run("wire", "unlink", "vSwitch2", "--account", "lyon")
        #expect(unlinked.status == 65 && unlinked.errors.contains("is on no wire: there is nothing to take away"))
        let original = try tool.run("explain", "vm", "web-2", "--account", "paris")
        #expect(original.output.contains("10.20.0.12: placed in subnet "), "\(original.output)")
        #expect(try tool.run("explain", "vm", "nobody").status == 65)
        let wire = try tool.run("explain", "wire", "campus")
        #expect(wire.output.contains("distributed switch dvs-core"), "\(wire.output)")
        #expect(wire.output.contains("why: linked by evidence"))
        let list = try tool.run("vm", "list")
        #expect(list.output.split(separator: "\n").allSatisfy { $0.count <= 80 })
        #expect(list.output.contains("10.20.0.12") && !list.output.contains("10.20.0.…"), "\(list.output)")
    }

    private func check(_ tool: CommandLineTool, _ expected: Expected, round: Int) throws {
        let wires = try tool.json("wire", "list").compactMap { $0["name"] as? String }
        #expect(Set(wires) == Set(expected.configured.wires.map(\.name) + expected.created.wires))

        let subnets = try tool.json("subnet", "list").filter { $0["confirmed"] as? Bool == false }.map {
            "\($0["wire"] ?? "") \($0["cidr"] ?? "") \($0["vlan_id"] ?? "") \($0["gateway"] as? String ?? "-")"
        }
        #expect(
            subnets.sorted()
                == expected.created.subnets.map { "\($0.wire) \($0.cidr) \($0.vlan) \($0.gateway ?? "-")" }.sorted())

        let links = try tool.json("switch", "list").map {
            "\($0["account"] ?? "") \($0["name"] ?? "") \($0["host"] as? String ?? "-") \($0["wire"] as? String ?? "-")"
        }
        #expect(
            links.sorted()
                == expected.links.map { "\($0.account) \($0.switch) \($0.host ?? "-") \($0.wire ?? "-")" }.sorted())

        let cidrs = Dictionary(
            try tool.json("subnet", "list").compactMap { row in
                (row["name"] as? String).map { ($0, "\(row["wire"] ?? "") \(row["cidr"] ?? "")") }
            }, uniquingKeysWith: { first, _ in first })
        func outcomes(_ row: [String: Any], _ addresses: [[String: Any]]) -> [String] {
            let name = "\(row["account"] ?? "") \(row["name"] ?? "")"
            let unplaced = (row["unplaced"] as? [[String: Any]] ?? []).map {
                "\(name) \($0["ip"] ?? "") \($0["reason"] ?? "")"
            }
            let placed = addresses.filter { $0["state"] as? String == "held" }.map {
                "\(name) \($0["ip"] ?? "") \(cidrs[$0["subnet"] as? String ?? ""] ?? "?")"
            }
            return placed + unplaced
        }
        let machines = try tool.json("vm", "list")
        let seen = machines.flatMap { row in
            outcomes(row, (row["nics"] as? [[String: Any]] ?? []).flatMap { $0["addresses"] as? [[String: Any]] ?? [] })
        }
        #expect(
            seen.sorted()
                == expected.placements.map {
                    "\($0.account) \($0.vm) \($0.ip) \($0.reason ?? "\($0.wire ?? "") \($0.cidr ?? "")")"
                }.sorted())
        let hosts = try tool.json("host", "list").flatMap { outcomes($0, $0["addresses"] as? [[String: Any]] ?? []) }
        #expect(
            hosts.sorted()
                == expected.hosts.map {
                    "\($0.account) \($0.host) \($0.ip) \($0.reason ?? "\($0.wire ?? "") \($0.cidr ?? "")")"
                }.sorted())

        let reasons = Set(
            machines.flatMap { ($0["unplaced"] as? [[String: Any]] ?? []).compactMap { $0["reason"] as? String } })
        #expect(
            reasons == [
                "unmapped", "no_link", "ambiguous", "held_by_other", "vlan_mismatch", "other_wire", "no_subnet",
            ])
        for row in machines {
            let unplaced = (row["unplaced"] as? [[String: Any]] ?? []).compactMap { $0["ip"] as? String }
            #expect(row["sync_ips"] as? String == (unplaced.isEmpty ? nil : unplaced.sorted().joined(separator: ",")))
        }
    }
}
