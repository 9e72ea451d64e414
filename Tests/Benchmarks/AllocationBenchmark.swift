import Addressing
import Foundation
import IPAM
import Locking
import Postgres

/// Allocations through the library beside a bare INSERT of pgbench on the same server.
///
/// Each line has a /16 of its own, so that none pays for another's dead rows. The floor writes one row of one table with
/// one index, durably; an allocation finds a free address, takes it, and writes its history.
struct AllocationBenchmark: Benchmark {
    let name = "allocation"
    let question = "how near is an allocation to a bare INSERT, near the beginning of a /16 and deep in it?"
    private let rounds = 2
    /// Seconds of one measurement of the floor; the library does about as much work.
    private let seconds = 3

    private struct Case {
        var clients: Int
        /// Addresses held in front of the free ones.
        var held = 0
        /// Addresses quarantined in front of the free ones.
        var quarantined = 0
        /// Whether a transaction with an old snapshot is open all the while.
        var besideOpenTransaction = false

        var title: String {
            var words = ["\(clients) client\(clients == 1 ? "" : "s")"]
            if held > 0 || quarantined == 0 { words.append("\(held) held") }
            if quarantined > 0 { words.append("\(quarantined) quarantined in front") }
            if besideOpenTransaction { words.append("a transaction open elsewhere") }
            return words.joined(separator: ", ")
        }
    }

    func run(in bench: Workshop) throws -> [Measurement] {
        let installation = try bench.installation()
        defer { installation.close() }
        try installation.run(["wire", "create", "campus"])
        let database = Database(
            DatabaseConfiguration(uri: installation.uri, applicationName: "bench", maxConnections: 33))
        defer { database.close() }
        try database.withConnection { try $0.script("CREATE TABLE bare (id bigserial PRIMARY KEY, a text, b inet)") }

        var cases = [0, 10_000, 40_000].flatMap { held in [1, 8, 32].map { Case(clients: $0, held: held) } }
        cases.append(Case(clients: 32, held: 10_000, besideOpenTransaction: true))
        cases.append(Case(clients: 32, quarantined: 40_000))

        var measurements: [Measurement] = []
        var atThirtyTwo: [Double] = []
        for (number, one) in cases.enumerated() {
            let (rate, floor) = try measure(one, subnet: number, database, installation)
            let ratio = rate / floor
            if one.clients == 32, !one.besideOpenTransaction, one.quarantined == 0 { atThirtyTwo.append(ratio) }
            let hasAim = one.clients == 32
            measurements.append(
                Measurement(
                    what: "allocations, \(one.title)", value: "\(Int(rate)) a second",
                    floor: "INSERTs, \(Int(floor)) a second", ratio: ratio, unit: "%", aim: hasAim ? "≥ 50 %" : "",
                    isReached: hasAim ? ratio >= 0.5 : nil))
        }
        let (least, most) = (atThirtyTwo.min() ?? 0, atThirtyTwo.max() ?? 1)
        measurements.append(
            Measurement(
                what: "the depth that is worst, 32 clients", value: "\(tenths(least * 100)) % of its floor",
                floor: "the best depth, \(tenths(most * 100)) %", ratio: least / most, unit: "%", aim: "≥ 80 %",
                isReached: least / most >= 0.8))
        return measurements
    }

    private func measure(
        _ one: Case, subnet number: Int, _ database: Database, _ installation: Installation
    ) throws -> (rate: Double, floor: Double) {
        let subnet = "net-\(number)"
        try installation.run([
            "subnet", "create", subnet, "--wire", "campus", "--cidr", "10.\(number).0.0/16", "--vlan",
            "\(100 + number)",
            "--pool", "10.\(number).0.1-10.\(number).255.254",
        ])
        let allocator = Allocator(database: database, actor: Actor(name: "bench"))
        try fill(subnet, one.held, allocator)
        let quarantined = try fill(subnet, one.quarantined, allocator)
        for batch in quarantined { try allocator.release(batch, ofSubnet: subnet) }
        try installation.settle()

        let bystander = one.besideOpenTransaction ? try database.connect() : nil
        defer { bystander?.close() }
        try bystander?.script("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM address")

        var best = (rate: 0.0, floor: 0.0)
        for _ in 0..<rounds {
            let floor = try insertions(one.clients, installation)
            // As much work as the floor did in its time at most, and never more than the subnet has.
            let count = min(Int(floor) * seconds / 2, (65_000 - one.held - one.quarantined) / rounds / 2)
            best.floor = max(best.floor, floor)
            best.rate = max(best.rate, try allocations(count, one.clients, subnet, allocator))
        }
        return best
    }

    @discardableResult
    private func fill(_ subnet: String, _ count: Int, _ allocator: Allocator) throws -> [[IPAddress]] {
        var left = count
        var batches: [[IPAddress]] = []
        while left > 0 {
            let batch = min(left, 4000)
            batches.append(
                try allocator.allocate(AllocationRequest(subnet: subnet, count: batch, owner: "before")).addresses)
            left -= batch
        }
        return batches
    }

    /// Of this many allocations by that many clients, how many a second.
    private func allocations(_ count: Int, _ clients: Int, _ subnet: String, _ allocator: Allocator) throws -> Double {
        let left = Mutex(count)
        let problem = Mutex<(any Error)?>(nil)
        let group = DispatchGroup()
        let start = ContinuousClock.now
        for client in 0..<clients {
            group.enter()
            Thread {
                let request = AllocationRequest(subnet: subnet, owner: "client \(client)")
                while left.withLock({
                    $0 -= 1
                    return $0 >= 0
                }) {
                    do { _ = try allocator.allocate(request) } catch {
                        problem.withLock { $0 = error }
                        break
                    }
                }
                group.leave()
            }.start()
        }
        group.wait()
        if let error = problem.withLock({ $0.map { "\($0)" } }) { throw BenchmarkError(error) }
        return Double(count) / (ContinuousClock.now - start).inSeconds
    }

    /// How many bare INSERTs a second pgbench does.
    private func insertions(_ clients: Int, _ installation: Installation) throws -> Double {
        let folder = "/usr/lib/postgresql"
        let versions = ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { Int($0) }
        guard let version = versions.max() else { throw BenchmarkError("there is no pgbench under \(folder)") }
        let script = FileManager.default.temporaryDirectory.appendingPathComponent("bare-\(UUID().uuidString).sql")
        defer { try? FileManager.default.removeItem(at: script) }
        try Data("INSERT INTO bare (a, b) VALUES ('client', '10.0.0.1');\n".utf8).write(to: script)
        let result = try Program(
            "\(folder)/\(version)/bin/pgbench",
            [
                "-n", "-M", "prepared", "-c", "\(clients)", "-j", "2", "-T", "\(seconds)", "-f", script.path,
                installation.uri,
            ]
        ).run()
        let line = result.output.split(separator: "\n").first { $0.hasPrefix("tps = ") }
        guard let rate = line.flatMap({ Double($0.dropFirst(6).prefix { $0 != " " }) }) else {
            throw BenchmarkError("pgbench did not say how fast it was")
        }
        return rate
    }
}
