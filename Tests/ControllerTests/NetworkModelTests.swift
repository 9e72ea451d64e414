import Addressing
import Controller
import Foundation
import IPAM
import Jobs
import Postgres
import Support
import Testing

/// Random sequences of changes against a naive model: after each, both are the same, the rules of storage hold, and what
/// is exported changes nothing when it is applied.
@Suite("The network and its model") struct NetworkModelTests {
    /// Sequences are longer with `WIRELOOM_MODEL_STEPS`.
    private static let steps = ProcessInfo.processInfo.environment["WIRELOOM_MODEL_STEPS"].flatMap { Int($0) } ?? 60

    @Test("after every step the database is as the model says", arguments: Plan.families, 1...4)
    func agree(family: IPAddress.Family, seed: Int) throws {
        var walk = try Walk(family, seed: UInt64(seed))
        for step in 1...Self.steps {
            let what = try walk.advance()
            let place: Comment = "seed \(seed), step \(step): \(what)"
            try #require(walk.agreed, place)
            try #require(try NetworkModel.lines(of: walk.sandbox) == walk.model.lines, place)
            let violations = try StorageRules.violations(in: walk.sandbox.database)
            try #require(violations == [], place)
            let file = try NetworkFile(yaml: walk.sandbox.networks.export())
            let rehearsal = NetworkService(
                database: walk.sandbox.database, actor: walk.sandbox.actor, rehearses: true)
            try #require(try rehearsal.apply(file, prune: true).changes.map(\.sentence) == [], place)
        }
        #expect(walk.done > Self.steps / 4, "only \(walk.done) of \(Self.steps) steps changed anything")
    }
}

/// One random sequence.
private struct Walk {
    let sandbox: Sandbox
    var model = NetworkModel()
    /// Whether the last step was refused, or not, by both.
    var agreed = true
    var done = 0
    private let plan: Plan
    private var generator: SplitMix
    private let owners = ["ann", "bob"]
    private var fresh = 0
    private let vcenter: SimulatedVCenter
    private var scenario: Scenario

    private static let switches = ["dvs-one", "dvs-two", "dvs-three"]
    private static let vlans = [1, 2]
    private var wires: [String] { model.wires.sorted() }

    init(_ family: IPAddress.Family, seed: UInt64) throws {
        plan = Plan(family: family)
        generator = SplitMix(state: seed)
        sandbox = try Sandbox()
        var scenario = Scenario(name: "acme")
        scenario.datacenters = [
            .init(
                "DC", clusters: [.init("C", hosts: [.init("esx-1")])],
                switches: Self.switches.map { name in
                    .init(
                        name, hosts: ["esx-1"],
                        portGroups: Self.vlans.map { .init("\(name)-\($0)", vlan: $0) })
                })
        ]
        self.scenario = scenario
        vcenter = try SimulatedVCenter(scenario)
        for _ in 0..<8 {
            if let adapter = fresh(of: plan) { add(adapter) }
        }
        try vcenter.become(self.scenario)
        try sandbox.onboard(vcenter, as: "acme")
        try sandbox.sync("acme")
        for item in Self.switches {
            let wire = String(item.dropFirst(4))
            try sandbox.networks.createWire(name: wire, site: nil)
            _ = try sandbox.networks.link(switch: item, account: "acme", host: nil, toWire: wire, native: .one)
            model.wires.insert(wire)
            model.links[item] = wire
        }
        // The wires that the first sync made for the switches go.
        try sandbox.sync("acme")
    }

    /// An adapter of a new VM with an address that no other one has.
    private mutating func fresh(of plan: Plan) -> NetworkModel.Adapter? {
        fresh += 1
        let adapter = NetworkModel.Adapter(
            name: "vm\(fresh)", ip: plan.ip(UInt128(pick(0..<256))), switch: pick(Self.switches),
            vlan: pick([1, 1, 2]),
            place: nil)
        return model.adapters.contains { $0.ip == adapter.ip } ? nil : adapter
    }

    private mutating func add(_ adapter: NetworkModel.Adapter) {
        model.appear(adapter)
        scenario[vm: adapter.name] = machine(adapter)
    }

    private func machine(_ adapter: NetworkModel.Adapter) -> Scenario.VM {
        .init(
            adapter.name, on: "esx-1", network: .distributed(adapter.switch, "\(adapter.switch)-\(adapter.vlan)"),
            addresses: [.init("\(adapter.ip)/\(plan.family == .v4 ? 24 : 120)")])
    }

    /// One step, after which the model knows the database's ids.
    mutating func advance() throws -> String {
        let before = model
        let what = try step()
        let rows = try sandbox.database.withConnection { connection in
            try connection.query("SELECT name, id FROM subnet").map { row in
                (try row.get(0, as: String.self), try row.get(1, as: Int64.self))
            }
        }
        model.settle(Dictionary(uniqueKeysWithValues: rows), since: before)
        return what
    }

    private mutating func pick<Elements: Collection>(_ elements: Elements) -> Elements.Element {
        elements[elements.index(elements.startIndex, offsetBy: Int(generator.next() % UInt64(elements.count)))]
    }

    /// Does both; a refusal by one alone is told.
    private mutating func both(_ mayBe: Bool, _ deed: () throws -> Void) throws {
        do {
            try deed()
            agreed = mayBe
            done += 1
        } catch is NetworkError {
            agreed = !mayBe
        }
    }

    private mutating func range(in cidr: CIDR) -> AddressRange {
        let size = UInt64(cidr.range.count)
        let first = generator.next() % size
        let last = min(first + generator.next() % max(1, size / 3), size - 1)
        guard let low = cidr.network.advanced(by: UInt128(first)), let high = cidr.network.advanced(by: UInt128(last)),
            let range = AddressRange(low, high)
        else { return cidr.range }
        return range
    }

    /// - Returns: what it tried.
    mutating func step() throws -> String {
        let networks = sandbox.networks
        let names = model.subnets.keys.sorted()
        guard let some = names.isEmpty ? nil : pick(names), let subnet = model.subnets[some], pick(0..<12) > 1 else {
            return try create()
        }
        switch pick(0..<25) {
        case 0:
            let force = pick([true, false])
            try both(model.delete(some, force: force)) { _ = try networks.deleteSubnet(some, force: force) }
            return "delete \(some), force \(force)"
        case 1, 2:
            let length = subnet.cidr.prefixLength + pick([-1, 0, 0, 1])
            let host = pick([subnet.cidr.network, subnet.cidr.last])
            guard let cidr = CIDR(containing: host, prefixLength: length) else { return "nothing" }
            let gateway = pick([subnet.gateway, nil, range(in: cidr).first])
            let vlan = pick([subnet.vlan, 1, 2])
            var edit = SubnetEdit()
            edit.cidr = cidr
            edit.vlan = VLANID(vlan)
            edit.gateway = .some(gateway)
            let change = edit
            try both(model.update(some, cidr: cidr, vlan: vlan, gateway: gateway)) {
                _ = try networks.updateSubnet(some, change)
            }
            return "update \(some): \(cidr) vlan \(vlan) gateway \(gateway.map(\.description) ?? "-")"
        case 3, 4:
            let length = subnet.cidr.prefixLength + pick([0, 1, 1, 2])
            try both(model.split(some, into: length)) {
                _ = try networks.splitSubnet(some, SubnetSplit(prefixLength: length))
            }
            return "split \(some) into /\(length)"
        case 5, 6:
            // Mostly such as belong together.
            let near = names.filter { name in
                guard let other = model.subnets[name] else { return false }
                return other.wire == subnet.wire && other.vlan == subnet.vlan && other.cidr != subnet.cidr
            }
            let others = near.isEmpty || pick([true, false, false]) ? [pick(names)] : Array(near.prefix(pick(1...3)))
            let into = pick([some, "merged\(fresh)"])
            fresh += 1
            try both(model.merge([some] + others, into: into)) {
                _ = try networks.mergeSubnets([some] + others, name: into)
            }
            return "merge \(some) and \(others) into \(into)"
        case 7:
            let wire = pick(wires)
            try both(model.move(some, to: wire)) { _ = try networks.moveSubnet(some, toWire: wire) }
            return "move \(some) to \(wire)"
        case 8, 9:
            let range = range(in: subnet.cidr)
            try both(model.addPool(range, to: some)) { try networks.addPools([PoolRequest(range)], toSubnet: some) }
            return "add the pool \(range) to \(some)"
        case 10:
            let range = range(in: subnet.cidr)
            try both(model.removePool(range, of: some)) { try networks.removePools(range, ofSubnet: some) }
            return "take \(range) out of the pools of \(some)"
        case 11:
            let range = range(in: subnet.cidr)
            let owner = pick(owners)
            try both(model.reserve(range, of: some, owner: owner)) {
                try networks.reserve(range, ofSubnet: some, owner: owner, note: nil, expires: nil)
            }
            return "reserve \(range) of \(some) for \(owner)"
        case 12:
            let range =
                pick([true, false]) ? subnet.reservations.first?.range ?? subnet.cidr.range : range(in: subnet.cidr)
            try both(model.unreserve(range, of: some)) { try networks.unreserve(range, ofSubnet: some) }
            return "end the reservation \(range) of \(some)"
        case 13:
            let records = subnet.records.keys.sorted()
            let ip = records.isEmpty ? subnet.cidr.network : pick(records)
            let allocator = sandbox.allocator
            try both(model.release(ip, of: some)) { try allocator.release([ip], ofSubnet: some) }
            return "release \(ip) of \(some)"
        case 14, 15: return try mergeWires()
        case 16, 23, 24:
            let networks = sandbox.networks
            try both(model.undo()) { _ = try networks.undoWires() }
            return "undo the last merge"
        case 17:
            let name = "wire\(fresh)"
            fresh += 1
            try both(model.createWire(name)) { try networks.createWire(name: name, site: nil) }
            return "create wire \(name)"
        case 18, 19: return try sync()
        default:
            return try allocate(some)
        }
    }

    private mutating func mergeWires() throws -> String {
        let names = Array(wires.shuffled(using: &generator).prefix(pick([2, 2, 3])))
        let target = pick([names[0], names[0], pick(wires), "wire\(fresh)"])
        fresh += 1
        let before = model
        let networks = sandbox.networks
        var entry: Int64?
        try both(model.mergeWires(names, into: target)) { entry = try networks.mergeWires(names, into: target).entry }
        if let entry { model.recorded(entry, names, into: target, after: before) }
        return "merge the wires \(names) into \(target)"
    }

    /// Something changes upstream, and is synced for as long as it takes to be believed.
    private mutating func sync() throws -> String {
        let what: String
        let some = model.adapters.isEmpty ? nil : pick(model.adapters)
        switch (pick(0..<5), some) {
        case (0, let some?):
            let (item, vlan) = (pick(Self.switches), pick(Self.vlans))
            model.plug(some.name, into: item, vlan: vlan)
            what = "\(some.name) is plugged into VLAN \(vlan) of \(item)"
        case (1, let some?):
            let ip = plan.ip(UInt128(pick(0..<256)))
            guard !model.adapters.contains(where: { $0.ip == ip }) else { return "nothing" }
            model.readdress(some.name, ip)
            what = "\(some.name) has \(ip) now, and no more \(some.ip)"
        case (2, let some?):
            model.vanish(some.name)
            what = "\(some.name) is gone"
        case (3, _):
            guard let adapter = fresh(of: plan) else { return "nothing" }
            model.appear(adapter)
            what = "\(adapter.name) appears with \(adapter.ip) in VLAN \(adapter.vlan) of \(adapter.switch)"
        default: what = "nothing upstream"
        }
        scenario.vms = model.adapters.map(machine)
        try vcenter.become(scenario)
        for _ in 0..<2 {
            let jobs = try sandbox.sync("acme", acceptReleases: true)
            agreed = jobs.allSatisfy { $0.state == .succeeded || $0.state == .findings }
        }
        done += 1
        return "sync: \(what)"
    }

    private mutating func create() throws -> String {
        let bits = pick([3, 4, 5, 6, 7])
        var cidr = plan.cidr(UInt128(pick(0..<256)), bits: bits)
        var vlan = pick([1, 2])
        // Often one that another wire has, too, so that wires have something to unite.
        if let twin = model.subnets.values.map(\.name).sorted().randomElement(using: &generator), pick([true, false]) {
            cidr = model.subnets[twin]?.cidr ?? cidr
            vlan = model.subnets[twin]?.vlan ?? vlan
        }
        var subnet = NetworkModel.Subnet(
            name: pick(["a", "b", "c", "d"]) + String(fresh % 7), wire: pick(wires), vlan: vlan, cidr: cidr)
        fresh += 1
        subnet.gateway = pick([nil, cidr.usable.first])
        if let pool = cidr.usable.intersection(range(in: cidr)), pick([true, true, false]) { subnet.pools = [pool] }
        let request = SubnetRequest(
            name: subnet.name, cidr: cidr, vlan: VLANID(subnet.vlan) ?? .one, gateway: subnet.gateway,
            pools: subnet.pools.map { PoolRequest($0) })
        let networks = sandbox.networks
        try both(model.create(subnet)) { _ = try networks.createSubnet(request, onWire: subnet.wire) }
        return "create \(subnet.name) \(cidr) vlan \(subnet.vlan) on \(subnet.wire)"
    }

    private mutating func allocate(_ name: String) throws -> String {
        let count = pick([1, 1, 2, 5])
        let owner = pick(owners)
        // Not random, so that a seed tells the whole story.
        let policy = pick([nil, .stepDown] as [AllocationPolicy?])
        var given: [IPAddress]?
        do {
            given = try sandbox.allocator.allocate(
                AllocationRequest(subnet: name, count: count, policy: policy, owner: owner)
            ).addresses
            done += 1
        } catch let error as NetworkError where error.code == .exhausted {}
        agreed = model.allocated(given, count, of: name, owner: owner)
        return "allocate \(count) of \(name), \(policy?.rawValue ?? "the pool's way"): \(given ?? [])"
    }
}
