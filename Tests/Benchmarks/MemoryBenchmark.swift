import Foundation
import Support
import VSphere

/// The memory that decoding takes, in a process of its own: this program, started as its own child.
struct MemoryBenchmark: Benchmark {
    let name = "memory"
    let question = "how much memory does the decoding of an answer of 10,000 VMs take?"
    private static let limit = 64.0

    func run(in bench: Workshop) throws -> [Measurement] {
        let answer = try bench.recording().page
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(UUID().uuidString).xml")
        try Data(answer).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        let told = try Program("/proc/self/exe", ["--child", "decode", file.path]).run().output
            .split(separator: " ").compactMap { Double($0.filter(\.isNumber)) }
        guard told.count == 2 else { throw BenchmarkError("the decoding process told nothing") }
        let growth = (told[1] - told[0]) / 1_000_000
        return [
            Measurement(
                what: "decoding \(answer.count / 1_000_000) MB, peak", value: "\(decimal(growth)) MB more",
                floor: "the process that only holds the answer", ratio: growth, unit: " MB", aim: "< 64 MB",
                isReached: growth < Self.limit)
        ]
    }

    /// Says the peak before and after decoding a file, in bytes.
    static func child(_ words: [String]) throws {
        guard words.count == 2, words[0] == "decode", let data = FileHandle(forReadingAtPath: words[1]) else {
            throw BenchmarkError("--child decode FILE")
        }
        // Into the array by pieces, so that the peak is not that of reading the file.
        let size = Int(try data.seekToEnd())
        try data.seek(toOffset: 0)
        let answer = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
            while count < size {
                let got = read(data.fileDescriptor, buffer.baseAddress?.advanced(by: count), min(1 << 16, size - count))
                guard got > 0 else { return }
                count += got
            }
        }
        let before = peakMemory(of: "self") ?? 0
        _ = try DecodingCost.decode(answer)
        print(before, peakMemory(of: "self") ?? 0)
    }
}
