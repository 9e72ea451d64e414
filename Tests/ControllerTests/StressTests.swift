import Addressing
import Controller
import Foundation
import IPAM
import Jobs
import Postgres
import Support
import Testing

/// Allocation by many processes at once, some of them killed, while syncs place and release (DESIGN.md 3.5, I1, I7, I10).
@Suite("Stress", .serialized)
struct StressTests {
    /// `WIRELOOM_STRESS` operations in all; 20,000 by default.
    private static let operations = ProcessInfo.processInfo.environment["WIRELOOM_STRESS"].flatMap { Int($0) } ?? 20_000

    @Test("I7: of four processes' allocations, releases and pool changes, with kills and syncs, none is lost or double")
    func everythingAtOnce() throws {
        let sandbox = try Sandbox()
        try sandbox.networks.createWire(name: "wire", site: nil)
        try subnet(sandbox, "up", "10.1.0.0/16", vlan: 20, "10.1.0.16-10.1.255.200", .stepUp)
        try subnet(sandbox, "down", "10.2.0.0/16", vlan: 30, "10.2.0.1-10.2.255.254", .stepDown)
        try subnet(sandbox, "random", "10.3.0.0/18", vlan: 40, "10.3.0.1-10.3.63.254", .random)
        try subnet(sandbox, "six", "fd00:1::/64", vlan: 50, "fd00:1::10-fd00:1::ffff:ffff:ffff", .stepUp)
        try subnet(sandbox, "small", "10.5.0.0/28", vlan: 60, "10.5.0.1-10.5.0.14", .stepUp)
        try sandbox.subnet("management", on: "wire", "10.10.0.0/24", vlan: 10)

        let vms = (0..<40).map { World.vm("vm-\($0)", .init(stringLiteral: "10.1.200.\($0 + 1)/16")) }
        let vcenter = try SimulatedVCenter(World.scenario("one", vms: vms))
        try sandbox.onboard(vcenter, as: "one")
        try sandbox.sync("one")
        #expect(try sandbox.column("SELECT w.name FROM link l JOIN wire w ON w.id = l.wire_id") == ["wire"])

        let share = Self.operations / 5
        var processes = try (0..<4).map { try StressProcess(sandbox.scratch.uri, "p\($0)", share) }
        for round in 0..<4 {
            // The fifth share is that of processes that do not live to its end.
            let victim = try StressProcess(sandbox.scratch.uri, "victim\(round)", share)
            for vm in 0..<10 {
                try vcenter.change(
                    World.vm(
                        "vm-\(vm)",
                        .init(stringLiteral: "10.1.\(round.isMultiple(of: 2) ? 201 : 200).\(vm + 1)/16")))
            }
            let job = try #require(try sandbox.sync("one", acceptReleases: true).first)
            #expect(job.error == nil)
            victim.kill()
        }
        for process in processes { process.wait() }
        for process in processes { #expect(process.problem == nil) }

        #expect(try StorageRules.violations(in: sandbox.database) == [])
        let known = Set(processes.flatMap(\.holdings))
        let stored = Set(
            try sandbox.column(
                """
                SELECT s.name || ' ' || host(a.ip) || ' ' || a.allocated_to FROM address a
                JOIN subnet s ON s.id = a.subnet_id WHERE a.allocated_to LIKE 'p%'
                """))
        #expect(known == stored)
        #expect(!known.isEmpty)
        processes.removeAll()
    }

    private func subnet(
        _ sandbox: Sandbox, _ name: String, _ cidr: String, vlan: Int, _ pool: String, _ policy: AllocationPolicy
    ) throws {
        _ = try sandbox.networks.createSubnet(
            SubnetRequest(
                name: name, cidr: CIDR(parsing: cidr), vlan: try #require(VLANID(vlan)),
                pools: [PoolRequest(try AddressRange(parsing: pool), policy: policy, quarantine: .milliseconds(5))]),
            onWire: "wire")
    }
}

/// A `stress` of its own.
final class StressProcess {
    private let process = Process()
    private let output: URL
    private let errors: URL

    init(_ uri: String, _ name: String, _ operations: Int) throws {
        output = FileManager.default.temporaryDirectory.appending(path: "stress-\(UUID().uuidString)")
        errors = output.appendingPathExtension("errors")
        for file in [output, errors] { _ = FileManager.default.createFile(atPath: file.path, contents: nil) }
        process.executableURL = BuiltProgram.url("stress")
        process.arguments = [uri, name, "\(UInt64.random(in: 0 ... .max))", "50", "15", "\(operations)"]
        process.standardOutput = try FileHandle(forWritingTo: output)
        process.standardError = try FileHandle(forWritingTo: errors)
        try process.run()
    }

    deinit {
        kill()
        for file in [output, errors] { try? FileManager.default.removeItem(at: file) }
    }

    func kill() {
        guard process.isRunning else { return }
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }

    func wait() { process.waitUntilExit() }

    /// What it found wrong, with the seed to do it again; `nil` for nothing.
    var problem: String? {
        process.terminationStatus == 0
            ? nil
            : "\(process.arguments?.dropFirst() ?? []): \((try? String(contentsOf: errors, encoding: .utf8)) ?? "")"
    }

    var holdings: [String] {
        ((try? String(contentsOf: output, encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }
}
