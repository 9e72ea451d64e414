import Addressing
import Controller
import IPAM
import Postgres

struct Holding: Sendable {
    /// As the allocation told it; it may be split or merged since.
    let subnet: String
    /// The network that it was asked of.
    let network: String
    let address: IPAddress
    let owner: String
}

/// One caller: remembers what it was given, and takes any answer that contradicts that for a fault. So is every error that
/// is not expected of just this call: a deadlock, an exhausted subnet that cannot be, a subnet that is nowhere.
struct Client {
    struct Fault: Error, CustomStringConvertible {
        let description: String
    }

    let name: String
    let database: Database
    let allocator: Allocator
    let networks: NetworkService
    /// A client that will be killed: all that it is given ends by itself soon, and it remembers nothing.
    let isVictim: Bool
    var random: Random
    var held: [Holding] = []
    private var count = 0

    /// A client holds so few that all of them together fit into every great network.
    static let most = 12
    static let great = ["up", "down", "six"]
    /// Those that can be full.
    static let scarce = ["random", "small"]
    static let splits = ["down", "random"]

    /// - Parameter allocator: of its process: clients share it, so that some are served together.
    init(name: String, database: Database, allocator: Allocator, random: Random) {
        self.name = name
        self.database = database
        self.random = random
        isVictim = name.hasPrefix("victim")
        self.allocator = allocator
        networks = NetworkService(database: database, actor: Actor(name: name, origin: "stress"))
    }

    /// - Returns: what became of it, in a word.
    mutating func act() throws -> String {
        do {
            switch Int.random(in: 0..<1000, using: &random) {
            // These are alone in the network, one after another: more of them would be all there is.
            case 0..<2: return try reserve()
            case 2..<4: return try changePool()
            case 4..<6: return try splitOrMerge()
            case 6..<8: return try settle()
            case 8..<50: return try allocateForAWhile()
            case 50..<60 where !held.isEmpty: return try guardOne()
            case 60..<140 where held.count < Self.most - 4:
                return try allocate(Int.random(in: 2...4, using: &random))
            case 140..<180 where held.count < Self.most - 4:
                return try allocateTwice(Int.random(in: 1...4, using: &random))
            case 180..<560 where held.count < Self.most: return try allocate(1)
            default: return try held.isEmpty ? allocate(1) : release()
            }
        } catch let error as NetworkError where error.code == .busy {
            return "busy"
        }
    }

    private mutating func owner() -> String {
        count += 1
        return "\(name)-\(count)"
    }

    private mutating func network() -> String { (Self.great + Self.scarce).randomElement(using: &random)! }

    private func request(_ network: String, _ number: Int, _ owner: String, key: String? = nil) -> AllocationRequest {
        AllocationRequest(
            subnet: network, count: number, owner: owner, key: key, expires: isVictim ? .after(.seconds(1)) : nil)
    }

    private mutating func take(_ given: Allocation, _ network: String, _ number: Int, _ owner: String) throws {
        guard given.addresses.count == number, Set(given.addresses).count == number else {
            throw Fault(description: "asked \(network) for \(number), got \(given.addresses)")
        }
        guard given.subnet.cidr.contains(given.addresses[0]) else {
            throw Fault(description: "\(given.addresses) are not in \(given.subnet.title)")
        }
        if isVictim { return }
        held += given.addresses.map {
            Holding(subnet: given.subnet.name, network: network, address: $0, owner: owner)
        }
    }

    /// Exhausted may be only what can be, and with counts that say so.
    private func exhausted(_ error: NetworkError, _ network: String, _ number: Int) throws -> String {
        let numbers = error.detail.split { !$0.isNumber && $0 != "." && $0 != "/" && $0 != ":" }.compactMap {
            UInt128($0)
        }
        // Free, asked for, usable, held, reserved, quarantined, outside; before that the prefix, which is no number.
        guard Self.scarce.contains(network), numbers.count == 7, numbers[0] < numbers[1], numbers[1] == UInt128(number),
            numbers[2] == numbers[0] + numbers[3] + numbers[4] + numbers[5] + numbers[6]
        else { throw Fault(description: "\(network) cannot be exhausted so: \(error.detail)") }
        return "exhausted"
    }

    private mutating func allocate(_ number: Int) throws -> String {
        let network = network()
        let owner = owner()
        do {
            try take(allocator.allocate(request(network, number, owner)), network, number, owner)
            return number == 1 ? "allocated" : "batch"
        } catch let error as NetworkError where error.code == .exhausted {
            return try exhausted(error, network, number)
        }
    }

    /// A key gives the same answer twice, by the name of the part that the addresses are in by then.
    private mutating func allocateTwice(_ number: Int) throws -> String {
        let network = network()
        let owner = owner()
        let first: Allocation
        do {
            first = try allocator.allocate(request(network, number, owner, key: owner))
        } catch let error as NetworkError where error.code == .exhausted {
            return try exhausted(error, network, number)
        }
        try take(first, network, number, owner)
        var tries = 0
        while true {
            let name = [network, first.subnet.name, "\(network)-2"][tries % 3]
            do {
                let second = try allocator.allocate(request(name, number, owner, key: owner))
                guard second.addresses == first.addresses else {
                    throw Fault(description: "key \(owner): \(first.addresses), then \(second.addresses)")
                }
                return number == 1 ? "with key" : "batch with key"
            } catch let error as NetworkError
                where tries < 60 && Self.splits.contains(network)
                && (error.code == .notFound || error.detail.contains("used for another request"))
            {
                tries += 1
            } catch let error as NetworkError where isVictim && error.code == .key {
                return "with key"
            }
        }
    }

    /// What ends by itself, before or after anybody looks.
    private mutating func allocateForAWhile() throws -> String {
        let network = network()
        var request = request(network, Int.random(in: 1...2, using: &random), owner())
        request.expires = .after(.milliseconds(Int.random(in: 1...200, using: &random)))
        do {
            _ = try allocator.allocate(request)
            return "for a while"
        } catch let error as NetworkError where error.code == .exhausted {
            return try exhausted(error, network, request.count)
        }
    }

    /// One address, or several of one network at once.
    private mutating func release() throws -> String {
        let one = held.randomElement(using: &random)!
        let number = Int.random(in: 1...3, using: &random)
        let some = held.filter { $0.network == one.network && $0.owner == one.owner }.prefix(number)
        let addresses = some.map(\.address)
        do {
            try allocator.release(addresses, ofSubnet: one.subnet, owner: one.owner)
        } catch let error as NetworkError where error.code == .notFound && one.subnet != one.network {
            // The part is gone; its wire and VLAN are the network's.
            try allocator.release(addresses, ofSubnet: one.network, owner: one.owner)
        }
        held.removeAll { holding in some.contains { $0.address == holding.address } }
        return addresses.count == 1 ? "released" : "released several"
    }

    /// Addresses of another client must not be had, nor let go of.
    private mutating func guardOne() throws -> String {
        let one = held.randomElement(using: &random)!
        for name in [one.network, "\(one.network)-2"] {
            do {
                _ = try allocator.allocate(AllocationRequest(subnet: name, address: one.address, owner: "thief"))
                throw Fault(description: "\(one.address) was given to two")
            } catch let error as NetworkError
                where [.held, .notFound, .invalid].contains(error.code)
            {
            }
        }
        do {
            try allocator.release([one.address], ofSubnet: one.network, owner: "thief")
            throw Fault(description: "\(one.address) was released by another")
        } catch let error as NetworkError where error.code == .held {}
        return "guarded"
    }

    /// Takes a little range that nobody has out of the game, for a while or for good, and gives back the last one.
    private mutating func reserve() throws -> String {
        let (subnet, range) = littleRange()
        let expires: Timestamp? =
            Bool.random(using: &random) ? .now + .milliseconds(Int.random(in: 1...500, using: &random)) : nil
        do {
            try networks.unreserve(range, ofSubnet: subnet)
            return "unreserved"
        } catch let error as NetworkError where error.code == .notHeld {
            do {
                try networks.reserve(range, ofSubnet: subnet, owner: "stress", note: nil, expires: expires)
                return "reserved"
            } catch let error as NetworkError where [.held, .overlap, .invalid].contains(error.code) {
                // Of the shortest, the time may be over before it begins.
                guard error.code != .invalid || expires != nil else { throw error }
                return "not reserved"
            }
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

    /// Makes one network two, or two one again; the first part keeps its name.
    private mutating func splitOrMerge() throws -> String {
        let network = Self.splits.randomElement(using: &random)!
        let names = [network, "\(network)-2"]
        do {
            _ = try networks.mergeSubnets(names, name: network)
            return "merged"
        } catch let error as NetworkError where error.code == .notFound {
            do {
                let length = network == "down" ? 17 : 24
                _ = try networks.splitSubnet(network, SubnetSplit(prefixLength: length, names: names))
                return "split"
            } catch let error as NetworkError where error.code == .invalid || error.code == .clash {
                // Another was faster, or somebody has an address of the new edges.
                return "not split"
            }
        } catch let error as NetworkError where error.code == .clash {
            return "not merged"
        }
    }

    /// What housekeeping does.
    private func settle() throws -> String {
        try database.withConnection { try SubnetTable.settle(nil, in: $0) }
        return "settled"
    }
}
