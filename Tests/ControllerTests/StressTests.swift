import Addressing
import Controller
import Dispatch
import Foundation
import IPAM
import Jobs
import Postgres
import Support
import Testing

/// Allocation by many processes at once, some of them killed, while syncs place and release (DESIGN.md 3.5, I1, I7, I10).
@Suite("Stress", .serialized)
struct StressTests {
    private static let environment = ProcessInfo.processInfo.environment
    /// `WIRELOOM_STRESS` operations in all; 20,000 by default. Those of the killed come on top.
    private static let operations = environment["WIRELOOM_STRESS"].flatMap { Int($0) } ?? 20_000
    /// `WIRELOOM_SEED` does the same clients' choices again.
    private static let seed = environment["WIRELOOM_SEED"].flatMap { UInt64($0) } ?? .random(in: 0 ... .max / 2)

    private static let processes = 4
    private static let clients = 50
    /// Of each process, the victim included: five times eleven, and nine for the test and the syncs.
    private static let connections = 11
    private static let connectionsInAll = 64

    @Test("I7: of four processes' allocations, changes and splits, with kills and syncs, none is lost or double")
    func everythingAtOnce() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "wire", site: nil)
        try subnet(sandbox, "up", "10.1.0.0/16", vlan: 20, "10.1.0.16-10.1.255.200", .stepUp)
        try subnet(sandbox, "down", "10.2.0.0/16", vlan: 30, "10.2.0.1-10.2.255.254", .stepDown)
        // Near full: the clients ask for more than it has. Nobody has the edges of its halves, so that it can be split.
        try subnet(sandbox, "random", "10.3.0.0/23", vlan: 40, "10.3.0.20-10.3.0.250,10.3.1.5-10.3.1.60", .random)
        try subnet(sandbox, "six", "fd00:1::/64", vlan: 50, "fd00:1::10-fd00:1::ffff:ffff:ffff", .stepUp)
        try subnet(sandbox, "small", "10.5.0.0/28", vlan: 60, "10.5.0.1-10.5.0.14", .stepUp)
        try sandbox.subnet("management", on: "wire", "10.10.0.0/24", vlan: 10)

        var placements = Placements()
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: placements.vms))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        #expect(try sandbox.column("SELECT w.name FROM link l JOIN wire w ON w.id = l.wire_id") == ["wire"])

        let share = Self.operations / Self.processes
        let processes = try (0..<Self.processes).map { number in
            try StressProcess(
                sandbox.scratch.uri, "p\(number)", seed: Self.seed &+ UInt64(number), clients: Self.clients,
                connections: Self.connections, operations: share)
        }
        var rounds = 0
        var connections = 0
        while rounds < 6 || processes.contains(where: \.isRunning) {
            let victim = try StressProcess(
                sandbox.scratch.uri, "victim\(rounds)", seed: Self.seed &+ UInt64(100 + rounds), clients: Self.clients,
                connections: Self.connections, operations: share)
            for vm in placements.next() { try vcenter.change(vm) }
            let job = try #require(try sandbox.sync("one", acceptReleases: true).first)
            #expect(job.error == nil)
            connections = max(
                connections,
                try sandbox.column(
                    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
                ).compactMap { Int($0) }.first ?? 0)
            #expect(victim.isRunning || victim.problem == nil)
            victim.kill()
            rounds += 1
        }
        for process in processes {
            process.wait()
            #expect(process.problem == nil)
        }
        #expect(connections <= Self.connectionsInAll)

        try sandbox.database.withConnection { try SubnetTable.settle(nil, in: $0) }
        #expect(try StorageRules.violations(in: sandbox.database) == [])
        let known = Set(processes.flatMap(\.holdings))
        let stored = Set(
            try sandbox.column(
                """
                SELECT host(ip) || ' ' || allocated_to FROM address
                WHERE allocated_to LIKE 'p%' AND allocated_until IS NULL
                """))
        #expect(known == stored)
        #expect(!known.isEmpty)
        for (what, count) in [
            ("placed by a sync", "state = 'held' AND actor = 'sync' AND account_id IS NOT NULL"),
            ("placed where a client had it", "actor = 'sync' AND account_id IS NOT NULL AND allocated_to IS NOT NULL"),
            ("released by a sync", "state = 'quarantined' AND actor = 'sync'"),
            ("ended by itself", "state = 'quarantined' AND actor = 'expiry'"),
        ] {
            #expect(try sandbox.column("SELECT count(*) > 0 FROM address_event WHERE \(count)") == ["true"], "\(what)")
        }
        try exhaust(sandbox)
        print(
            "stress: \(Self.operations) operations, seed \(Self.seed), \(rounds) syncs and kills, at most \(connections) "
                + "connections: \(Self.tally(processes))")
    }

    /// When all is quiet, what is said to be free can be had, each once, and then no more.
    private func exhaust(_ sandbox: Sandbox) throws {
        let names = try sandbox.column(
            "SELECT name FROM subnet WHERE name IN ('small', 'random', 'random-2') ORDER BY 1")
        for name in names {
            // What the killed were given ends by itself.
            while try sandbox.column(
                """
                SELECT count(*) FROM address a JOIN subnet s ON s.id = a.subnet_id
                WHERE s.name = '\(name)' AND (a.state = 'quarantined' OR a.allocated_until IS NOT NULL)
                """) != ["0"]
            { try sandbox.database.withConnection { try SubnetTable.settle(nil, in: $0) } }
            let free = try sandbox.database.withConnection { connection in
                try SubnetUsage.read(SubnetTable.named(name, in: connection).id, in: connection).obtainable
            }
            var given: Set<IPAddress> = []
            do {
                while true {
                    given.formUnion(
                        try sandbox.allocator.allocate(AllocationRequest(subnet: name, owner: "rest")).addresses)
                }
            } catch let error as NetworkError where error.code == .exhausted {}
            #expect(given.count == Int(free), "\(name)")
        }
        #expect(try StorageRules.violations(in: sandbox.database) == [])
    }

    private static func tally(_ processes: [StressProcess]) -> String {
        var counts: [String: Int] = [:]
        for outcome in processes.flatMap(\.outcomes) { counts[outcome.name, default: 0] += outcome.count }
        return counts.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    private func subnet(
        _ sandbox: Sandbox, _ name: String, _ cidr: String, vlan: Int, _ pools: String, _ policy: AllocationPolicy
    ) throws {
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(
                name: name, cidr: CIDR(parsing: cidr), vlan: try #require(VLANID(vlan)),
                pools: pools.split(separator: ",").map {
                    PoolRequest(try AddressRange(parsing: String($0)), policy: policy, quarantine: .milliseconds(5))
                }),
            onWire: "wire")
    }
}

/// Virtual machines that have three addresses in turn, so that each is let go of before it comes again: some just there
/// where the clients are given theirs, some where nobody is.
private struct Placements {
    private var turn = 0

    var vms: [Scenario.VM] {
        (0..<40).map { number in
            let host = 20 + number * 3 + turn % 3
            let address = number < 20 ? "10.1.0.\(host)/16" : "10.1.200.\(host)/16"
            return World.vm("vm-\(number)", .init(stringLiteral: address))
        }
    }

    /// Those that change, as they are then.
    mutating func next() -> [Scenario.VM] {
        turn += 1
        return vms.filter { Int($0.name.dropFirst(3)).map { $0.isMultiple(of: 2) } ?? false }
    }
}

/// A `stress` of its own.
final class StressProcess {
    private let process = Process()
    private let output: URL
    private let errors: URL

    init(_ uri: String, _ name: String, seed: UInt64, clients: Int, connections: Int, operations: Int) throws {
        output = FileManager.default.temporaryDirectory.appending(path: "stress-\(UUID().uuidString)")
        errors = output.appendingPathExtension("errors")
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.executableURL = BuiltProgram.url("stress")
        process.arguments = [uri, name, "\(seed)", "\(clients)", "\(connections)", "\(operations)"]
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    deinit {
        kill()
        for file in [output, errors] { try? FileManager.default.removeItem(at: file) }
    }

    var isRunning: Bool { process.isRunning }

    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func wait() { process.waitUntilExit() }

    private var said: String { (try? String(contentsOf: errors, encoding: .utf8)) ?? "" }

    /// What it found wrong, with the seed to do it again; `nil` for nothing.
    var problem: String? {
        process.terminationStatus == 0 ? nil : "\(process.arguments?.dropFirst() ?? []): \(said)"
    }

    var holdings: [String] {
        ((try? String(contentsOf: output, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    /// How often each thing came about.
    var outcomes: [(name: String, count: Int)] {
        said.split(whereSeparator: \.isNewline).last.map { line in
            line.split(separator: ",").compactMap { part in
                guard let space = part.lastIndex(of: " "), let count = Int(part[part.index(after: space)...]) else {
                    return nil
                }
                return (part[..<space].trimmingCharacters(in: .whitespaces), count)
            }
        } ?? []
    }
}
