import Postgres
import Support

/// A subnet that ten of 100,000 adapters get their place in, beside one that concerns none.
struct TouchBenchmark: Benchmark {
    let name = "touch"
    let question = "how long does a change of a subnet take among 100,000 adapters?"
    private let rounds = 5

    func run(in bench: Workshop) throws -> [Measurement] {
        let installation = try bench.installation()
        defer { installation.close() }
        try installation.run(["wire", "create", "campus"])
        try installation.database.withConnection { try $0.script(ManyAdapters.script) }
        try installation.settle()
        var ten = Double.infinity
        var none = Double.infinity
        for _ in 0..<rounds {
            none = min(none, try create("10.200.0.0/28", placing: 0, in: installation))
            ten = min(ten, try create(ManyAdapters.apart, placing: 10, in: installation))
        }
        return [
            Measurement(
                what: "a subnet that places 10 of 100,000 adapters", value: seconds(ten),
                floor: "one that places none, \(seconds(none))", ratio: ten / none, unit: "", aim: "< 1 s",
                isReached: ten < 1)
        ]
    }

    /// The whole command, with the start of its process; then the subnet goes again.
    private func create(_ cidr: String, placing count: Int, in installation: Installation) throws -> Double {
        let wall = try installation.run(["subnet", "create", "new", "--wire", "campus", "--cidr", cidr, "--vlan", "20"])
            .wall
        let placed = try installation.placements().placed
        guard placed == count else { throw BenchmarkError("\(cidr) placed \(placed) adapters, not \(count)") }
        try installation.run(["subnet", "delete", "new", "--force"])
        return wall
    }
}
