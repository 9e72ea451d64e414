import Foundation
import Support

/// Twenty small vCenters at once, beside the same one after the other.
struct ManyAccountsBenchmark: Benchmark {
    let name = "many-accounts"
    let question = "how much faster are 20 vCenters synced at once than one after the other?"
    private let accounts = 20
    private let workers = 8
    private let rounds = 3

    func run(in bench: Workshop) throws -> [Measurement] {
        var vcenters: [SimulatedVCenter] = []
        defer { vcenters.forEach { $0.stop() } }
        for number in 0..<accounts {
            var scenario = Scenario(name: "small-\(number)")
            var generator = Scenario.Generator(hosts: 2, vms: 50, portGroups: 4)
            generator.network = "10.\(100 + number).0.0"
            generator.management = "10.\(100 + number).252.0"
            scenario.generate = [generator]
            vcenters.append(try SimulatedVCenter(scenario))
        }
        let near = try compare(vcenters, in: bench, "servers that answer at once")
        for vcenter in vcenters { try vcenter.inject(.delay(milliseconds: 50), count: 0) }
        let far = try compare(vcenters, in: bench, "servers 50 ms away")
        return [near, far]
    }

    private func compare(_ vcenters: [SimulatedVCenter], in bench: Workshop, _ where: String) throws -> Measurement {
        var together = Double.infinity
        var inTurn = Double.infinity
        for _ in 0..<rounds {
            inTurn = min(inTurn, try sync(vcenters, workers: 1, in: bench))
            together = min(together, try sync(vcenters, workers: workers, in: bench))
        }
        return Measurement(
            what: "\(accounts) vCenters of 50 VMs, \(workers) workers, \(`where`)", value: seconds(together),
            floor: "1 worker, \(seconds(inTurn))", ratio: inTurn / together, unit: " times as fast", aim: "")
    }

    /// First syncs, into an empty database.
    private func sync(_ vcenters: [SimulatedVCenter], workers: Int, in bench: Workshop) throws -> Double {
        let installation = try bench.installation()
        defer { installation.close() }
        for (number, vcenter) in vcenters.enumerated() { try installation.add(vcenter, as: "small-\(number)") }
        try installation.settle()
        let wall = try installation.run(["sync", "--all", "--wait", "--workers", "\(workers)"]).wall
        let (placed, unplaced) = try installation.placements()
        guard placed + unplaced == accounts * 52 else {
            throw BenchmarkError("of \(accounts * 52) addresses, only \(placed + unplaced) are known")
        }
        return wall
    }
}
