import Foundation
import Support

/// The first sync of 10,000 VMs, beside curl that only downloads what the sync reads.
struct FirstSyncBenchmark: Benchmark {
    let name = "first-sync"
    let question = "how long does the first sync of 10,000 VMs take?"
    private let rounds = 3

    func run(in bench: Workshop) throws -> [Measurement] {
        let recording = try bench.recording()
        let vcenter = try SimulatedVCenter(Workshop.large)
        defer { vcenter.stop() }
        var download = Double.infinity
        var best: SyncCost?
        for _ in 0..<rounds {
            download = min(download, try recording.replay(to: vcenter))
            let installation = try LargeInstallation(vcenter, in: bench)
            defer { installation.close() }
            let cost = try installation.sync()
            if cost.wall < best?.wall ?? .infinity { best = cost }
        }
        guard let best else { return [] }
        let limit = 1.5 * download + 5
        return [
            Measurement(
                what: "first sync, wall clock", value: seconds(best.wall),
                floor: "curl to /dev/null, \(seconds(download))", ratio: best.wall / download, unit: "",
                aim: "≤ 1.5 + 5 s (\(seconds(limit)))", isReached: best.wall <= limit),
            Measurement(
                what: "first sync, CPU of PostgreSQL", value: seconds(best.serverCPU),
                floor: "of wireloom, \(seconds(best.programCPU))", ratio: best.serverCPU / best.programCPU, unit: "",
                aim: ""),
            Measurement(
                what: "first sync, peak memory of wireloom", value: "\(best.peakMemory / 1_000_000) MB",
                floor: "wireloom status, \(best.idleMemory / 1_000_000) MB",
                ratio: Double(best.peakMemory) / Double(best.idleMemory), unit: "", aim: ""),
        ]
    }
}

/// A sync that finds nothing changed, beside the first one.
struct UnchangedSyncBenchmark: Benchmark {
    let name = "unchanged-sync"
    let question = "what does a sync of 10,000 VMs cost when nothing has changed?"
    private let rounds = 3

    func run(in bench: Workshop) throws -> [Measurement] {
        let vcenter = try SimulatedVCenter(Workshop.large)
        defer { vcenter.stop() }
        var first: [SyncCost] = []
        var again: [SyncCost] = []
        for _ in 0..<rounds {
            let installation = try LargeInstallation(vcenter, in: bench)
            defer { installation.close() }
            first.append(try installation.sync())
            for _ in 0..<2 { again.append(try installation.sync()) }
        }
        guard let one = first.min(by: { $0.cpu < $1.cpu }), let two = again.min(by: { $0.cpu < $1.cpu }) else {
            return []
        }
        func line(_ what: String, _ value: Double, _ floor: Double, aim: String = "") -> Measurement {
            Measurement(
                what: "sync without change, \(what)", value: seconds(value), floor: "the first sync, \(seconds(floor))",
                ratio: value / floor, unit: "%", aim: aim, isReached: aim.isEmpty ? nil : value / floor < 0.3)
        }
        return [
            line("CPU of wireloom and PostgreSQL", two.cpu, one.cpu, aim: "< 30 %"),
            line("CPU of wireloom", two.programCPU, one.programCPU),
            line("CPU of PostgreSQL", two.serverCPU, one.serverCPU),
            line("wall clock", again.map(\.wall).min() ?? 0, first.map(\.wall).min() ?? 0),
        ]
    }
}

/// What one sync took.
struct SyncCost {
    var wall: Double
    var programCPU: Double
    var serverCPU: Double
    var peakMemory: Int
    var idleMemory: Int

    var cpu: Double { programCPU + serverCPU }
}

/// An installation that knows the networks of the large vCenter and has it onboarded.
private struct LargeInstallation {
    private let installation: Installation
    private let bench: Workshop

    init(_ vcenter: SimulatedVCenter, in bench: Workshop) throws {
        self.bench = bench
        installation = try bench.installation()
        try installation.configureNetworks(portGroups: 20)
        try installation.add(vcenter, as: "large")
        try installation.settle()
    }

    func close() { installation.close() }

    func sync() throws -> SyncCost {
        let idle = try installation.run(["status"]).peakMemory
        let before = bench.serverCost.cpu
        let result = try installation.run(["sync", "--all", "--wait"])
        let cost = SyncCost(
            wall: result.wall, programCPU: result.cpu, serverCPU: bench.serverCost.cpu - before,
            peakMemory: result.peakMemory, idleMemory: idle)
        let (placed, unplaced) = try installation.placements()
        guard placed == 10_100, unplaced == 0 else {
            throw BenchmarkError("of 10,100 addresses, \(placed) are placed and \(unplaced) are not")
        }
        try installation.settle()
        return cost
    }
}
