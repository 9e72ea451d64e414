import Addressing
import Dispatch
import Foundation
import Locking
import Postgres
import SQL
import Support
import Testing

@testable import IPAM

/// Callers of one process who ask at the same time.
@Suite struct TogetherTests {
    // MARK: The coalescer

    @Test(
        "who comes while one is served is served with the others who come, in their order, and never more than allowed")
    func served() throws {
        let coalescer = Coalescer<String, Int, Int>(most: 3)
        let groups = Mutex<[[Int]]>([])
        let began = DispatchSemaphore(value: 0)
        let goes = DispatchSemaphore(value: 0)
        @Sendable func ask(_ number: Int) throws -> Int {
            try coalescer.ask(number, kind: "one") { numbers in
                groups.withLock { $0.append(numbers) }
                if numbers == [0] {
                    began.signal()
                    goes.wait()
                }
                return numbers.map { $0 * 10 }
            }
        }
        let answers = Mutex<[Int: Int]>([:])
        let group = DispatchGroup()
        func start(_ number: Int) {
            group.enter()
            Thread.detachNewThread {
                let answer = try? ask(number)
                answers.withLock { $0[number] = answer }
                group.leave()
            }
        }
        start(0)
        began.wait()
        for number in 1...5 { start(number) }
        let end = ContinuousClock.now + .seconds(30)
        while coalescer.waiting(for: "one") < 5, .now < end { Thread.sleep(forTimeInterval: 0.001) }
        goes.signal()
        group.wait()
        #expect(answers.withLock { $0 } == [0: 0, 1: 10, 2: 20, 3: 30, 4: 40, 5: 50])
        let sizes = groups.withLock { $0.map(\.count) }
        #expect(sizes.first == 1 && sizes.reduce(0, +) == 6 && sizes.max() == 3)
    }

    @Test("what one service fails of reaches each that it was for, and the next one is served")
    func failed() throws {
        struct Fault: Error {}
        let coalescer = Coalescer<Int, Int, Int>(most: 8)
        #expect(throws: Fault.self) { try coalescer.ask(1, kind: 1) { _ in throw Fault() } }
        #expect(try coalescer.ask(2, kind: 1) { $0 } == 2)
    }

    // MARK: The allocator

    @Test(
        "each of many is given an address of its own, under its own owner and until its own time",
        arguments: AllocationTests.families)
    func distinct(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(bits: 12, pools: [10...1000])
        let allocator = network.allocator
        let given = try together(32, times: 12) { caller, turn in
            let request = AllocationRequest(
                subnet: "net", owner: "\(caller)-\(turn)", expires: caller > 0 ? .after(.seconds(3600 * caller)) : nil)
            return try (request.owner, allocator.allocate(request).addresses[0])
        }
        #expect(Set(given.map(\.1)).count == 32 * 12)
        let stored = try network.column("SELECT host(ip) || ' ' || allocated_to FROM address WHERE state = 'held'")
        #expect(Set(stored) == Set(given.map { "\($0.1) \($0.0)" }))
        let ends = try network.column(
            """
            SELECT allocated_to FROM address WHERE state = 'held' AND split_part(allocated_to, '-', 1)::int
                <> coalesce(round(extract(epoch FROM allocated_until - allocated_at) / 3600), 0)
            """)
        #expect(ends == [])
        #expect(try network.violations() == [])
        // In rows of 32 the history would have as many transactions as addresses.
        let transactions = try network.column("SELECT count(DISTINCT transaction) FROM address_event")
        #expect((Int(transactions[0]) ?? .max) < 32 * 12)
    }

    @Test(
        "as many as there are addresses are given one, also across pools, and the others are told that there are no more",
        arguments: AllocationTests.families, AllocationPolicy.allCases)
    func last(family: IPAddress.Family, policy: AllocationPolicy) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19, 30...33], policy: policy)
        let allocator = network.allocator
        let outcomes = try together(20, times: 1) { caller, _ in
            do {
                return try allocator.allocate(AllocationRequest(subnet: "net", owner: "\(caller)")).addresses.first
            } catch let error as NetworkError where error.code == .exhausted { return nil }
        }
        #expect(Set(outcomes.compactMap(\.self)).count == 14)
        #expect(outcomes.count(where: { $0 == nil }) == 6)
        #expect(try network.violations() == [])
    }

    @Test("an address that comes free in front is found again, whoever asks")
    func front() throws {
        let network = try Network()
        try network.subnet(bits: 12, pools: [10...1000], quarantine: .zero)
        let allocator = network.allocator
        _ = try together(8, times: 10) { caller, _ in
            try allocator.allocate(AllocationRequest(subnet: "net", owner: "\(caller)")).addresses
        }
        try network.release(17)
        try network.due()
        try network.settle()
        #expect(try allocator.allocate(AllocationRequest(subnet: "net", owner: "late")).addresses == [network.ip(17)])
    }

    @Test("a search begins where the last one ended for a moment, counted from the last that began at the beginning")
    func trails() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        let pool = try network.change { try PoolTable.pools(of: $0.id, in: $1)[0] }
        let (frontier, other) = (Frontier(pool: pool, isUpper: false), Frontier(pool: pool, isUpper: true))
        let trails = Trails()
        let now = ContinuousClock.now
        #expect(trails.start(of: frontier, at: now) == nil)
        // What did not begin at the beginning says nothing of it.
        trails.note(network.ip(11), of: frontier, isWhole: false, at: now)
        #expect(trails.start(of: frontier, at: now) == nil)
        trails.note(network.ip(12), of: frontier, isWhole: true, at: now)
        trails.note(network.ip(14), of: frontier, isWhole: false, at: now + .milliseconds(90))
        #expect(trails.start(of: frontier, at: now + .milliseconds(99)) == network.ip(14))
        #expect(trails.start(of: other, at: now) == nil)
        #expect(trails.start(of: frontier, at: now + .milliseconds(100)) == nil)
        trails.note(network.ip(15), of: frontier, isWhole: true, at: now)
        trails.forget(frontier)
        #expect(trails.start(of: frontier, at: now) == nil)
    }

    // MARK: The statements

    @Test("neither allocating nor extending reads the table of addresses, whichever way it is planned")
    func plans() throws {
        let network = try Network()
        try network.subnet(bits: 16, pools: [10...60_000])
        for _ in 0..<4 { try network.allocate(AllocationRequest.largestBatch) }
        let pool = try network.change { try PoolTable.pools(of: $0.id, in: $1)[0].id }
        try network.database.withConnection { connection in
            // Many free ones: what a planner cannot know the number of, it takes for a tenth of them.
            for _ in 0..<20 { try connection.execute(Queries.extendPool, pool, 256, false) }
            try connection.script("ANALYZE")
            for (text, types, values) in [
                (Queries.extendPool, "bigint, bigint, boolean", "\(pool), 256, false"),
                (
                    Allocator.fewUp, "bigint, int, text[], timestamptz[], bigint, text, text, int, inet",
                    "\(pool), 7, '{a}', '{NULL}', NULL, 'me', NULL, 1, NULL"
                ),
                (
                    Allocator.fewDown, "bigint, int, text[], timestamptz[], bigint, text, text, int, inet",
                    "\(pool), 7, '{a}', '{NULL}', NULL, 'me', NULL, 1, NULL"
                ),
            ] {
                try connection.script("PREPARE it (\(types)) AS \(text)")
                for mode in ["force_custom_plan", "force_generic_plan"] {
                    try connection.script("SET plan_cache_mode = \(mode)")
                    let plan = try connection.query("EXPLAIN EXECUTE it (\(values))").map {
                        try $0.get(0, as: String.self)
                    }.joined(separator: "\n")
                    #expect(!plan.contains("Seq Scan on address"), "\(mode):\n\(plan)")
                }
                try connection.script("RESET plan_cache_mode; DEALLOCATE it")
            }
        }
    }

    @Test("the planner is told of no fewer rows than the largest batch has")
    func limits() {
        for text in [Queries.allocateUp, Queries.allocateDown] {
            #expect(text.contains("LIMIT \(AllocationRequest.largestBatch)\n"))
        }
        for text in [Allocator.fewUp, Allocator.fewDown] {
            #expect(text.contains("LIMIT \(Allocator.mostTogether)\n"))
        }
    }

    @Test("an error of the one who serves is each one's, in the words that it would have alone")
    func refused() throws {
        let network = try Network()
        let allocator = network.allocator
        let told = try together(8, times: 1) { _, _ in
            do {
                _ = try allocator.allocate(AllocationRequest(subnet: "nowhere", owner: "me"))
                return "given"
            } catch { return "\(error)" }
        }
        #expect(Set(told) == ["there is no subnet \"nowhere\"; see: wireloom subnet list"])
    }

    /// What all callers were answered, each on a thread of its own.
    private func together<T: Sendable>(
        _ callers: Int, times: Int, _ ask: @escaping @Sendable (_ caller: Int, _ turn: Int) throws -> T
    ) throws -> [T] {
        let answers = Mutex<[T]>([])
        let problem = Mutex<(any Error)?>(nil)
        let group = DispatchGroup()
        for caller in 0..<callers {
            group.enter()
            Thread.detachNewThread {
                do {
                    for turn in 0..<times {
                        let answer = try ask(caller, turn)
                        answers.withLock { $0.append(answer) }
                    }
                } catch { problem.withLock { $0 = error } }
                group.leave()
            }
        }
        group.wait()
        if let error = problem.withLock({ $0 }) { throw error }
        return answers.withLock { $0 }
    }
}
