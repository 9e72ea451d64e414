import Foundation

// `bench [NAME…]`: every benchmark, or those named; `bench --child WHAT FILE` is how a benchmark runs itself apart.
let benchmarks = Benchmarks.all
let words = CommandLine.arguments.dropFirst()
do {
    if words.first == "--child" {
        try MemoryBenchmark.child(Array(words.dropFirst()))
        exit(0)
    }
    if let unknown = words.first(where: { word in !benchmarks.contains { $0.name == word } }) {
        throw BenchmarkError("there is no benchmark \(unknown), only \(benchmarks.map(\.name).joined(separator: ", "))")
    }
    let bench = try Workshop()
    defer { bench.close() }
    var report = try Report(machine: bench.machine)
    for benchmark in benchmarks where words.isEmpty || words.contains(benchmark.name) {
        note("\(benchmark.name): \(benchmark.question)")
        let measurements = try benchmark.run(in: bench)
        report.replace(benchmark.name, by: measurements)
        for measurement in measurements { note("  \(measurement.line)") }
    }
    try report.write()
    print(report.table)
} catch {
    note("bench: \(error)")
    exit(1)
}

func note(_ text: String) {
    FileHandle.standardError.write(Data((text + "\n").utf8))
}
