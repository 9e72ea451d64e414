/// One question about the product's cost, answered by ratios: a file of its own, and a word in ``Benchmarks``.
///
/// Machines differ and are noisy, so nothing is compared across runs. A benchmark measures the product and a *floor*, what
/// it cannot cost less than, in turns in one run, and says how far apart they are.
protocol Benchmark: Sendable {
    /// What `make bench BENCH=…` calls it.
    var name: String { get }
    /// What it asks, in a line.
    var question: String { get }

    func run(in bench: Workshop) throws -> [Measurement]
}

/// All of them, in the order of the table.
enum Benchmarks {
    static let all: [any Benchmark] = [
        DecodeBenchmark(), MemoryBenchmark(), FirstSyncBenchmark(), UnchangedSyncBenchmark(), ManyAccountsBenchmark(),
        AllocationBenchmark(), TouchBenchmark(),
    ]
}

/// One line of the table.
struct Measurement: Codable {
    /// What was measured.
    var what: String
    /// The product's figure, with its unit.
    var value: String
    /// What it is compared with, with its figure.
    var floor: String
    /// The figure that the aim is about.
    var ratio: Double
    /// How the ratio is written: `%`, or nothing for a factor.
    var unit: String
    /// What it should be; empty where the figure only informs.
    var aim: String
    /// `nil` without an aim.
    var isReached: Bool?

    var shown: String { unit == "%" ? "\(tenths(ratio * 100)) %" : decimal(ratio) + unit }
    var verdict: String { isReached.map { $0 ? "yes" : "no" } ?? "-" }
    var line: String {
        "\(what): \(value), against \(floor): \(shown)" + (aim.isEmpty ? "" : "; aim \(aim): \(verdict)")
    }
}

struct BenchmarkError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Two places after the point.
func decimal(_ value: Double) -> String {
    let hundredths = Int((value * 100).rounded())
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
}

/// One place after the point, so that 74.6 of 75 % does not look like enough.
func tenths(_ value: Double) -> String { "\(Int((value * 10).rounded()) / 10).\(Int((value * 10).rounded()) % 10)" }

func seconds(_ value: Double) -> String { "\(decimal(value)) s" }
