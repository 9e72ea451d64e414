import Addressing
import Controller
import Foundation
import IPAM
import Inventory
import Jobs
import Support
import Testing
import VSphere

/// One vCenter with two hosts, a template, and a campus whose subnets have pools: VMs are made there.
final class MachineWorld {
    let sandbox: Sandbox
    let vcenter: SimulatedVCenter

    /// - Parameter pools: of the subnet `servers`, 10.20.0.0/24.
    init(_ scenario: Scenario = MachineWorld.scenario("one"), servers: String = "10.20.0.128-10.20.0.191") throws {
        sandbox = try Sandbox()
        vcenter = try SimulatedVCenter(scenario)
        try sandbox.networks.createWire(name: "campus", site: nil)
        try sandbox.subnet("management", on: "campus", "10.10.0.0/24", vlan: 10)
        try subnet("servers", "10.20.0.0/24", vlan: 20, pool: servers)
        try subnet("apps", "10.30.0.0/24", vlan: 30, pool: "10.30.0.128-10.30.0.191")
        try subnet("servers-v6", "2001:db8:20::/64", vlan: 20, pool: "2001:db8:20::100-2001:db8:20::1ff")
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        _ = try sandbox.networks.link(
            switch: "vSwitch1", account: "one", host: "esx-2", toWire: "campus", native: .one)
        try sandbox.sync("one")
    }

    private func subnet(_ name: String, _ cidr: String, vlan: Int, pool: String) throws {
        let prefix = try CIDR(parsing: cidr)
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(
                name: name, cidr: prefix, vlan: VLANID(vlan) ?? .one, gateway: prefix.network.advanced(by: 1),
                dns: [try IPAddress(parsing: prefix.network.family == .v4 ? "10.10.0.53" : "2001:db8::53")],
                dnsSuffix: "example.com",
                pools: [PoolRequest(try AddressRange(parsing: pool), quarantine: .seconds(60))]),
            onWire: "campus")
    }

    /// Two hosts on one distributed switch; the second has a standard one as well.
    static func scenario(_ name: String) -> Scenario {
        var scenario = World.scenario(name, vms: [], hosts: 2)
        scenario.version = "8.0.2"
        scenario.datacenters[0].clusters[0].hosts[1].pnics = [.init("vmnic0"), .init("vmnic1")]
        scenario.datacenters[0].clusters[0].hosts[1].switches = [
            .init(
                "vSwitch1", pnics: ["vmnic1"], portGroups: [.init("apps-standard", vlan: 30), .init("lab", vlan: 40)])
        ]
        var one = World.vm("template", group: "apps")
        one.template = true
        one.guestID = "ubuntu64Guest"
        one.snapshots = [.init("golden")]
        var two = one
        two.name = "template-2"
        two.adapters.append(.init(.distributed("dvs", "apps")))
        var windows = one
        windows.name = "template-windows"
        windows.guestID = "windows2019srv_64Guest"
        var bare = one
        bare.name = "template-bare"
        bare.tools = .notInstalled
        var odd = one
        odd.name = "template-odd"
        odd.guestID = "otherGuest64"
        odd.coresPerSocket = 2
        scenario.vms = [
            one, two, windows, bare, odd, World.vm("web-0", "10.20.0.10/24"),
            World.vm("web-9", "10.20.0.11/24", on: "esx-2"),
        ]
        return scenario
    }

    var machines: VMService {
        VMService(database: sandbox.database, secrets: sandbox.secrets, actor: sandbox.actor)
    }

    func request(_ name: String, _ subnets: String..., template: String = "template") -> VMRequest {
        VMRequest(
            name: name, account: "one", template: template,
            adapters: subnets.map { $0.split(separator: ",").map(String.init) })
    }

    /// Makes VMs and returns their jobs, by id.
    @discardableResult
    func create(_ requests: VMRequest..., key: String? = nil, userData: String? = nil) throws -> [JobRow] {
        let orders = try requests.flatMap { request in
            try machines.create(request, names: [request.name], key: key, userData: userData.map { Secret($0) })
        }
        return try run(orders.map(\.job))
    }

    @discardableResult
    func delete(_ name: String, force: Bool = false) throws -> JobRow {
        try run([machines.delete(name, force: force).job])[0]
    }

    func run(_ ids: [JobID]) throws -> [JobRow] {
        let runner = runner(ids)
        runner.start()
        defer { runner.stop() }
        return try runner.wait(for: ids, every: .milliseconds(50)).sorted { $0.id < $1.id }
    }

    func runner(_ ids: [JobID], secrets: SecretBox? = nil) -> Runner {
        var configuration = Runner.Configuration(worker: "test-\(UUID().uuidString)", width: 8)
        configuration.only = ids
        configuration.poll = .milliseconds(100)
        configuration.patience = .milliseconds(200)
        return Runner(
            sandbox.queue,
            handlers: VMHandlers(database: sandbox.database, secrets: secrets ?? sandbox.secrets, pace: Self.hurried)
                .all,
            configuration)
    }

    static var hurried: VMPace {
        var pace = VMPace()
        pace.first = .milliseconds(20)
        pace.otherAddress = .milliseconds(300)
        pace.settle = .milliseconds(500)
        return pace
    }

    /// Who has which address of a subnet that is not free, as `ip state owner`.
    func addresses(_ subnet: String = "servers") throws -> [String] {
        try sandbox.column(
            """
            SELECT host(a.ip) || ' ' || a.state || coalesce(' ' || v.name, ' ' || a.allocated_to, '')
            FROM address a JOIN subnet s ON s.id = a.subnet_id
            LEFT JOIN vm v ON v.account_id = a.account_id AND a.owner = 'vm' AND v.id = a.owner_id
            WHERE s.name = '\(subnet)' AND a.state <> 'free' AND (a.state <> 'quarantined' OR a.until > now()) ORDER BY a.ip
            """)
    }

    /// The names of the VMs that the vCenter has, without templates.
    func machinesThere() throws -> [String] {
        try vcenter.objects().vms.keys.filter { !$0.hasPrefix("template") }.sorted()
    }
}
