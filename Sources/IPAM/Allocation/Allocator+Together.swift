internal import Addressing
internal import Locking
internal import Postgres
internal import SQL

/// Callers of one process who ask a subnet for an address at the same time, served by one statement in one transaction.
extension Allocator {
    struct Kind: Hashable {
        let subnet: String
        let policy: AllocationPolicy?
        let actor: Actor
    }

    /// What each of them may say for itself.
    struct Wish {
        let owner: String
        let until: Timestamp?
    }

    typealias Together = Coalescer<Kind, Wish, Allocation?>
    /// As many are served at once; ``Queries/allocateUp`` is planned for it.
    static let mostTogether = 64

    /// `nil` where it must be looked for in another way: too few were found that nobody holds locked, or the pool gives at
    /// random, which is no faster together.
    func askTogether(_ request: AllocationRequest) throws -> Allocation? {
        let until = try request.expires.map { expires in
            try database.withConnection { try expires.moment(in: $0) }
        }
        var low: Frontier?
        let given = try together.ask(
            Wish(owner: request.owner, until: until),
            kind: Kind(subnet: request.subnet, policy: request.policy, actor: actor)
        ) { try serve($0, of: request, low: &low) }
        if let low {
            // Before somebody finds nothing and must wait for it. If that goes wrong, the next one does it.
            _ = try? database.withConnection {
                try extend(low.pool, by: Self.lowWater - Self.slack, downwards: low.isUpper, inAdvance: true, in: $0)
            }
        }
        return given
    }

    /// So few rows before a frontier call for more.
    private static let lowWater = 128

    /// - Parameter low: a frontier before which there are few rows left.
    private func serve(
        _ wishes: [Wish], of request: AllocationRequest, low: inout Frontier?
    ) throws -> [Allocation?] {
        try database.withConnection { connection in
            let subnet = try SubnetTable.named(request.subnet, in: connection)
            let pools = try self.pools(of: subnet, in: connection)
            var given: [Allocation] = []
            do {
                for pool in request.policy == .stepDown ? pools.reversed() : pools {
                    let policy = request.policy ?? pool.policy
                    guard policy != .random else { break }
                    for _ in 0..<3 where given.count < wishes.count {
                        let left = wishes.dropFirst(given.count)
                        let frontier = Frontier(pool: pool, isUpper: policy == .stepDown)
                        let picked = try pick(left, at: frontier, subnet, in: connection)
                        given += picked.given
                        if picked.isLow { low = frontier }
                        guard given.count < wishes.count,
                            try extend(pool, by: left.count, downwards: policy == .stepDown, in: connection)
                        else { break }
                    }
                }
            } catch let error as DatabaseError where error.code == .retryable || !given.isEmpty {
                // What some were given is theirs; the others look on alone, and meet the same error if it lasts.
            }
            return given + Array(repeating: nil, count: wishes.count - given.count)
        }
    }

    /// For the first of the wishes, as far as addresses were found.
    private func pick(
        _ wishes: ArraySlice<Wish>, at frontier: Frontier, _ subnet: SubnetRef, in connection: Connection
    ) throws -> (given: [Allocation], isLow: Bool) {
        // Who is alone is given the very first. Among many it cannot be said who was first.
        let start = wishes.count > 1 ? trails.start(of: frontier) : nil
        let rows = try connection.query(
            frontier.isUpper ? Self.fewDown : Self.fewUp, frontier.pool.id, wishes.count, wishes.map(\.owner),
            wishes.map(\.until), nil as Int64?, actor.name, actor.origin, 1, start)
        guard let row = rows.first else {
            guard start != nil else { return ([], false) }
            trails.forget(frontier)
            return try pick(wishes, at: frontier, subnet, in: connection)
        }
        var found: [(number: Int64, address: IPAddress)] = []
        for row in rows { found.append((try row.get(3), try row.get(0))) }
        found.sort { $0.number < $1.number }
        let last = found.last?.address
        if let last { trails.note(last, of: frontier, isWhole: start == nil) }

        let home: Int64 = try row.get(2)
        if try row.get(1) { endSomeQuarantines(of: home, atMost: 8 * wishes.count, in: connection) }
        let given = try found.map { try describe([$0.address], foundIn: home, subnet, in: connection) }
        guard let last, let end: IPAddress = try row.get(4) else { return (given, false) }
        return (given, AddressRange(min(last, end), max(last, end)).map { $0.count <= Self.lowWater } ?? false)
    }

    // Of a number that it does not know the planner assumes that it is a tenth of all rows, and would read the table.
    static let fewUp = Queries.allocateUp.replacing("LIMIT 4096", with: "LIMIT \(mostTogether)")
    static let fewDown = Queries.allocateDown.replacing("LIMIT 4096", with: "LIMIT \(mostTogether)")
}

/// One end of a pool's untouched part: addresses are given towards it.
struct Frontier: Hashable {
    let pool: Pool
    let isUpper: Bool
}

/// Where the last search of each frontier ended, for a moment.
///
/// In front of it lie the addresses just given, whose index entries every search from the beginning has to pass until
/// they are pruned, which an old snapshot anywhere may prevent for long. What comes free among them meanwhile is found by
/// the next search from the beginning.
final class Trails: Sendable {
    private struct Trail {
        var end: IPAddress
        let since: ContinuousClock.Instant
    }

    private static let age = Duration.milliseconds(100)
    private let trails = Mutex<[Frontier: Trail]>([:])

    /// - Returns: `nil` where the search has to begin at the beginning.
    func start(of frontier: Frontier, at now: ContinuousClock.Instant = .now) -> IPAddress? {
        trails.withLock { trails in
            trails[frontier].flatMap { now - $0.since < Self.age ? $0.end : nil }
        }
    }

    /// - Parameter isWhole: whether the search began at the beginning.
    func note(
        _ end: IPAddress, of frontier: Frontier, isWhole: Bool, at now: ContinuousClock.Instant = .now
    ) {
        trails.withLock { trails in
            guard isWhole else {
                trails[frontier]?.end = end
                return
            }
            // With them go those of pools that are no more.
            trails = trails.filter { now - $0.value.since < Self.age }
            trails[frontier] = Trail(end: end, since: now)
        }
    }

    func forget(_ frontier: Frontier) {
        trails.withLock { $0[frontier] = nil }
    }
}
