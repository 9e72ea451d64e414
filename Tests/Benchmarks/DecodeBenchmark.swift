import VSphere

/// Decoding an answer of 10,000 VMs, beside libxml2 with callbacks that do nothing over the same bytes.
struct DecodeBenchmark: Benchmark {
    let name = "decode"
    let question = "how fast is an answer of 10,000 VMs decoded?"
    private let rounds = 15

    func run(in bench: Workshop) throws -> [Measurement] {
        let answer = try bench.recording().page
        var walk = Double.infinity
        var decode = Double.infinity
        var records = 0
        for _ in 0..<rounds {
            walk = min(walk, cpuTime { _ = DecodingCost.walk(answer) })
            decode = min(decode, try cpuTime { records = try DecodingCost.decode(answer).records })
        }
        guard records >= 10_000 else { throw BenchmarkError("only \(records) records were decoded") }
        let megabytes = Double(answer.count) / 1_000_000
        func speed(_ seconds: Double) -> String { "\(Int(megabytes / seconds)) MB per CPU second" }
        let ratio = walk / decode
        return [
            Measurement(
                what: "decoding \(Int(megabytes)) MB", value: speed(decode),
                floor: "no-op libxml2 pass, \(speed(walk))",
                ratio: ratio, unit: "%", aim: "≥ 75 %", isReached: ratio >= 0.75)
        ]
    }
}
