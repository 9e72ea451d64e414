import Addressing
import Controller
import Dispatch
import Foundation
import IPAM
import Locking
import Postgres

/// Many clients of an allocator in one process, doing at random what clients do, each sure of what it holds.
///
///     stress URI PROCESS SEED CLIENTS CONNECTIONS OPERATIONS
///
/// Ends with 0 when every answer was right; else with 1 and what was wrong on standard error. What it holds at the end
/// is on standard output, a line each: address, owner. The outcomes and their counts are on standard error.
@main
struct Stress {
    static func main() {
        let arguments = CommandLine.arguments
        guard arguments.count == 7, let seed = UInt64(arguments[3]), let clients = Int(arguments[4]),
            let connections = Int(arguments[5]), let operations = Int(arguments[6])
        else {
            fail("usage: stress URI PROCESS SEED CLIENTS CONNECTIONS OPERATIONS")
        }
        let database = Database(
            DatabaseConfiguration(
                uri: arguments[1], applicationName: "stress", maxConnections: connections,
                acquireTimeout: .seconds(300)))
        let allocator = Allocator(database: database, actor: Actor(name: arguments[2], origin: "stress"))
        let budget = Mutex(operations)
        let tally = Mutex(Tally())
        let group = DispatchGroup()
        for number in 0..<clients {
            group.enter()
            let thread = Thread {
                var client = Client(
                    name: "\(arguments[2])-\(number)", database: database, allocator: allocator,
                    random: Random(state: seed &* 1_000_003 &+ UInt64(number)))
                while budget.withLock({
                    $0 -= 1; return $0 >= 0
                }), tally.withLock({ $0.problem == nil }) {
                    do {
                        let outcome = try client.act()
                        tally.withLock { $0.outcomes[outcome, default: 0] += 1 }
                    } catch {
                        tally.withLock { $0.problem = $0.problem ?? "\(client.name): \(String(reflecting: error))" }
                    }
                }
                let held = client.held
                tally.withLock { $0.held += held }
                group.leave()
            }
            thread.stackSize = 1 << 20
            thread.start()
        }
        group.wait()
        tally.withLock { tally in
            if let problem = tally.problem { fail(problem) }
            for holding in tally.held { print("\(holding.address) \(holding.owner)") }
            let counts = tally.outcomes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }
            FileHandle.standardError.write(Data("\(counts.joined(separator: ", "))\n".utf8))
        }
        database.close()
    }

    static func fail(_ message: String) -> Never {
        FileHandle.standardError.write(Data("stress: \(message)\n".utf8))
        exit(1)
    }
}

private struct Tally {
    var outcomes: [String: Int] = [:]
    var problem: String?
    var held: [Holding] = []
}

/// SplitMix64: the same seed does the same again.
struct Random: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
