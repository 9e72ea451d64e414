import Addressing
import Controller
import IPAM
import Postgres

struct Holding: Sendable {
    let subnet: String
    let address: IPAddress
    let owner: String
}

/// One caller: remembers what it was given, and takes any answer that contradicts that for a fault.
struct Client {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    let name: String
    let allocator: Allocator
    let networks: NetworkService
    var random: Random
    var held: [Holding] = []
    private var count = 0

    /// A client holds so few that all of them together fit into every subnet but the small one.
    static let most = 12
    static let subnets = ["up", "down", "random", "six", "small"]

    init(name: String, database: Database, random: Random) {
        self.name = name
        self.random = random
        let actor = Actor(name: name, origin: "stress")
        allocator = Allocator(database: database, actor: actor)
        networks = NetworkService(database: database, actor: actor)
    }

    /// - Returns: what became of it, in a word.
    mutating func act() throws -> String {
        do {
            switch Int.random(in: 0..<1000, using: &random) {
            case 0..<430 where held.count < Self.most: return try allocate(1)
            case 430..<520 where held.count < Self.most - 4: return try allocate(Int.random(in: 2...4, using: &random))
            case 520..<560 where held.count < Self.most: return try allocateTwice()
            case 560..<990: return try release()
            case 990..<994: return try reserve()
            case 994..<998: return try changePool()
            default: return try stealSomething()
            }
        } catch let error as NetworkError where error.code == .busy {
            return "busy"
        }
    }

    private mutating func owner() -> String {
        count += 1
        return "\(name)-\(count)"
    }

    private mutating func allocate(_ number: Int) throws -> String {
        let subnet = Self.subnets.randomElement(using: &random)!
        let owner = owner()
        do {
            let given = try allocator.allocate(AllocationRequest(subnet: subnet, count: number, owner: owner))
            guard given.addresses.count == number, Set(given.addresses).count == number else {
                throw Fault(description: "asked \(subnet) for \(number), got \(given.addresses)")
            }
            held += given.addresses.map { Holding(subnet: subnet, address: $0, owner: owner) }
            return number == 1 ? "allocated" : "batch"
        } catch let error as NetworkError where error.code == .exhausted && subnet == "small" {
            return "exhausted"
        }
    }

    private mutating func allocateTwice() throws -> String {
        let subnet = Self.subnets.dropLast().randomElement(using: &random)!
        let owner = owner()
        let request = AllocationRequest(subnet: subnet, owner: owner, key: owner)
        let first = try allocator.allocate(request).addresses
        let second = try allocator.allocate(request).addresses
        guard first == second else { throw Fault(description: "key \(owner): \(first), then \(second)") }
        held += first.map { Holding(subnet: subnet, address: $0, owner: owner) }
        return "with key"
    }

    private mutating func release() throws -> String {
        guard !held.isEmpty else { return "nothing to release" }
        let one = held.remove(at: Int.random(in: held.indices, using: &random))
        try allocator.release([one.address], ofSubnet: one.subnet, owner: one.owner)
        return "released"
    }

    /// Addresses of another client must not be had, nor let go of.
    private mutating func stealSomething() throws -> String {
        guard let one = held.randomElement(using: &random) else { return "nothing to guard" }
        do {
            _ = try allocator.allocate(
                AllocationRequest(subnet: one.subnet, address: one.address, owner: "thief"))
            throw Fault(description: "\(one.address) was given to two")
        } catch let error as NetworkError where error.code == .held {}
        do {
            try allocator.release([one.address], ofSubnet: one.subnet, owner: "thief")
            throw Fault(description: "\(one.address) was released by another")
        } catch let error as NetworkError where error.code == .held {}
        return "guarded"
    }

    /// Takes a little range that nobody has out of the game, and gives back the last one.
    private mutating func reserve() throws -> String {
        let (subnet, range) = littleRange()
        do {
            try networks.unreserve(range, ofSubnet: subnet)
            return "unreserved"
        } catch let error as NetworkError where error.code == .notHeld {
            do {
                try networks.reserve(range, ofSubnet: subnet, owner: "stress", note: nil, expires: nil)
                return "reserved"
            } catch let error as NetworkError where error.code == .held || error.code == .overlap {
                return "not reserved"
            }
        } catch let error as NetworkError where error.code == .invalid {
            return "not reserved"
        }
    }

    private mutating func changePool() throws -> String {
        let (subnet, range) = littleRange()
        do {
            try networks.removePools(range, ofSubnet: subnet)
            return "pool smaller"
        } catch let error as NetworkError where error.code == .notFound {
            do {
                try networks.addPools([PoolRequest(range, quarantine: .milliseconds(5))], toSubnet: subnet)
                return "pool larger"
            } catch let error as NetworkError where error.code == .overlap {
                return "pool there"
            }
        }
    }

    /// One of 64 ranges of 16 near the beginning of a great subnet, where the frontier is.
    private mutating func littleRange() -> (String, AddressRange) {
        let subnet = ["up", "six"].randomElement(using: &random)!
        let base = subnet == "up" ? IPAddress("10.1.0.0")! : IPAddress("fd00:1::")!
        let offset = UInt128.random(in: 1..<64, using: &random) * 16
        return (subnet, AddressRange(base.advanced(by: offset)!, base.advanced(by: offset + 15)!)!)
    }
}
