import Addressing
import Controller
import Foundation
import IPAM
import Jobs
import Support
import Testing

/// The demo's four accounts, two of them on one wire, synced in every order and at once: what comes of it is one thing.
@Suite("Order", .serialized)
struct OrderTests {
    private struct Demo: Decodable {
        struct Account: Decodable { let name: String, site: String? }
        struct Wire: Decodable { let name: String, site: String? }
        struct Subnet: Decodable {
            let name: String, wire: String, cidr: String
            let vlan: Int
            let gateway: String?
            let pools: [String]
        }
        struct Configured: Decodable { let wires: [Wire], subnets: [Subnet] }
        let accounts: [Account]
        let configured: Configured
    }

    /// The configured networks, and the accounts, not synced yet.
    private func onboarded() throws -> (sandbox: Sandbox, accounts: [String], vcenters: [SimulatedVCenter]) {
        let demo = try JSONDecoder().decode(
            Demo.self, from: Data(contentsOf: URL(fileURLWithPath: SimulatedVCenter.demoFile("expected"))))
        let sandbox = try Sandbox()
        for wire in demo.configured.wires { try sandbox.networks.createWire(name: wire.name, site: wire.site) }
        for subnet in demo.configured.subnets {
            _ = try sandbox.networks.createSubnet(
                SubnetRequest(
                    name: subnet.name, cidr: CIDR(parsing: subnet.cidr), vlan: #require(VLANID(subnet.vlan)),
                    gateway: subnet.gateway.map { try IPAddress(parsing: $0) }, dns: [],
                    pools: subnet.pools.map { PoolRequest(try AddressRange(parsing: $0)) }),
                onWire: subnet.wire)
        }
        let vcenters = try demo.accounts.map { account in
            let vcenter = try SimulatedVCenter.demo(account.name)
            try sandbox.onboard(vcenter, as: account.name, site: account.site)
            return vcenter
        }
        return (sandbox, demo.accounts.map(\.name), vcenters)
    }

    @Test(
        "the accounts synced one after another in any order, or all at once, have the same wires, links and placements")
    func anyOrder() throws {
        let (base, accounts, vcenters) = try onboarded()
        func outcome(_ rounds: [[String]]) throws -> Set<String> {
            let sandbox = try Sandbox(copyOf: base)
            for round in rounds {
                for job in try sandbox.sync(round) { #expect([.succeeded, .findings].contains(job.state)) }
            }
            return Set(try sandbox.structure())
        }
        let expected = try outcome(accounts.map { [$0] })
        #expect(expected.count > 100)
        for order in orders(accounts).dropFirst() {
            #expect(try outcome(order.map { [$0] }).symmetricDifference(expected) == [], "\(order)")
        }
        for number in 1...6 {
            #expect(try outcome([accounts]).symmetricDifference(expected) == [], "at once, \(number)")
        }
        #expect(try outcome([accounts, accounts]).symmetricDifference(expected) == [], "and once more")
        withExtendedLifetime(vcenters) {}
    }

    /// Each account at each place, and each before and after each other.
    private func orders(_ items: [String]) -> [[String]] {
        let turned = items.indices.map { Array(items[$0...] + items[..<$0]) }
        return turned + turned.map { $0.reversed() }
    }
}

extension Sandbox {
    /// Wires, subnets, links with their evidence, and placements with their reasons, by names alone. Of several
    /// reporters of one address it says that they are, and how many have it, not which.
    func structure() throws -> [String] {
        try column(
            """
            SELECT concat_ws(' ', 'wire', w.name, w.site, w.origin, w.touched) FROM wire w
            UNION ALL
            SELECT concat_ws(' ', 'subnet', w.name, s.name, s.cidr, s.vlan_id, host(s.gateway), s.confirmed)
            FROM subnet s JOIN wire w ON w.id = s.wire_id
            UNION ALL
            SELECT concat_ws(' ', 'link', a.name, l.switch_id, l.host_id, w.name, l.native_vlan, l.origin)
            FROM link l JOIN account a ON a.id = l.account_id JOIN wire w ON w.id = l.wire_id
            UNION ALL
            SELECT concat_ws(' ', 'support', a.name, l.switch_id, l.host_id, w.name, l.strong, l.weak, l.excluded)
            FROM link_support l JOIN account a ON a.id = l.account_id JOIN wire w ON w.id = l.wire_id
            UNION ALL
            SELECT concat_ws(' ', 'address', host(d.ip), s.name, d.state) FROM address d JOIN subnet s ON s.id = d.subnet_id
            UNION ALL
            SELECT concat_ws(' ', 'placement', a.name, p.owner, p.owner_id, p.device, host(p.ip), s.name,
                CASE WHEN r.claims > 1 THEN 'one of ' || r.claims || ', ' || r.placed || ' placed' ELSE p.reason END,
                (SELECT string_agg(x.name, ',' ORDER BY x.name) FROM subnet x WHERE x.id = ANY (p.subnets)))
            FROM placement p JOIN account a ON a.id = p.account_id LEFT JOIN subnet s ON s.id = p.subnet_id
            LEFT JOIN LATERAL (
                SELECT count(*) AS claims, count(*) FILTER (WHERE o.reason IS NULL) AS placed
                FROM placement o WHERE o.subnet_id = p.subnet_id AND o.ip = p.ip) r ON true
            """)
    }
}
