import Addressing
import IPAM
import Postgres
import Support
import Testing

/// What an allocator gives and refuses, in both families.
@Suite struct AllocationTests {
    static let families: [IPAddress.Family] = [.v4, .v6]

    @Test("step-up gives the lowest, step-down the highest, and neither twice", arguments: families)
    func steps(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        #expect(try network.allocate() == [10])
        #expect(try network.allocate(3) == [11, 12, 13])
        #expect(try network.allocate(policy: .stepDown) == [19])
        #expect(try network.allocate(2, policy: .stepDown) == [17, 18])
        #expect(try network.allocate() == [14])
        #expect(try network.violations() == [])
    }

    @Test("random gives each address of a pool once", arguments: families)
    func random(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...29], policy: .random)
        var given: [UInt128] = []
        for _ in 0..<20 { given += try network.allocate() }
        #expect(given.sorted() == Array(10...29))
        #expect(given != given.sorted())
        #expect(throws: NetworkError.self) { try network.allocate() }
        #expect(try network.violations() == [])
    }

    @Test("a batch at random is spread, each address given once, down to the last", arguments: families)
    func randomBatches(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...109], policy: .random)
        let first = try network.allocate(5)
        #expect(first != Array(10...14))
        var given = first
        for _ in 0..<19 { given += try network.allocate(5) }
        #expect(given.sorted() == Array(10...109))
        #expect(throws: NetworkError.self) { try network.allocate() }
        #expect(try network.violations() == [])
    }

    @Test("a batch is whole or nothing, over several pools, and says what is left", arguments: families)
    func batches(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...12, 20...22])
        let error = #expect(throws: NetworkError.self) { try network.allocate(7) }
        #expect(error?.code == .exhausted)
        #expect(error?.detail.contains("has 6 free of the 7 asked for") == true)
        #expect(try network.usage().held == 0)
        #expect(try network.allocate(5) == [10, 11, 12, 20, 21])
        #expect(try network.allocate() == [22])
        #expect(throws: NetworkError.self) { try network.allocate() }
        #expect(try network.violations() == [])
    }

    @Test("the gateway is never given, not by name either", arguments: families)
    func gateway(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(gateway: 11, pools: [10...12])
        #expect(try network.allocate(2) == [10, 12])
        let error = #expect(throws: NetworkError.self) { try network.allocate(address: 11) }
        #expect(error?.detail.hasSuffix("it is the gateway") == true)
        #expect(try network.violations() == [])
    }

    @Test("every address of the two shortest subnets can be had", arguments: families)
    func tiny(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet("pair", bits: 1, pools: [0...1])
        try network.subnet("one", bits: 0, net: 1, pools: [0...0])
        #expect(try network.allocate(2, from: "pair") == [0, 1])
        #expect(try network.usage("pair").total == 2)
        #expect(try network.usage("one").total == 1)
        #expect(
            try network.allocator.allocate(AllocationRequest(subnet: "one", owner: "me")).addresses == [
                network.ip(0, net: 1)
            ])
    }

    @Test(
        "a named address is had out of its quarantine, from no pool never, and not from its holder", arguments: families
    )
    func named(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        #expect(try network.allocate(address: 15) == [15])
        let taken = #expect(throws: NetworkError.self) { try network.allocate(address: 15, owner: "you") }
        #expect(taken?.code == .held)
        #expect(taken?.detail.hasSuffix("it is allocated to \"me\"") == true)
        try network.release(15)
        #expect(try network.usage().quarantined == 1)
        #expect(try network.allocate(6) == [10, 11, 12, 13, 14, 16])
        #expect(try network.allocate(address: 15, owner: "you") == [15])
        #expect(throws: NetworkError.self) { try network.allocate(address: 30) }
        #expect(throws: NetworkError.self) { try network.allocate(address: 0) }
        #expect(throws: NetworkError.self) { try network.allocate(address: 300) }
        #expect(try network.violations() == [])
    }

    @Test("outside of the pools an address is its reservation's owner's, and who has it is said", arguments: families)
    func outsideOfPools(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(gateway: 1, pools: [10...19])
        func refusal(_ host: UInt128, _ owner: String = "me") -> String {
            let error = #expect(throws: NetworkError.self) { try network.allocate(address: host, owner: owner) }
            return error?.detail ?? ""
        }
        #expect(refusal(1).hasSuffix("it is the gateway"))
        #expect(refusal(5).contains("it is in no pool; add one"))
        try network.change {
            try ReservationTable.reserve(network.range(2, 9), of: $0, owner: "core", note: nil, expires: nil, in: $1)
        }
        #expect(refusal(7).hasSuffix("it is reserved for \"core\""))
        #expect(try network.allocate(address: 7, owner: "core") == [7])
        #expect(refusal(7, "core").hasSuffix("it is allocated to \"core\""))
        #expect(refusal(7).hasSuffix("it is allocated to \"core\""))
        #expect(try network.violations() == [])
        try network.release(7)
        #expect(try network.violations() == [])
        #expect(try network.allocate(address: 7, owner: "core") == [7])
        try network.release(7)
        try network.change { try ReservationTable.unreserve(network.range(2, 9), of: $0, in: $1) }
        #expect(refusal(7, "core").contains("it is in no pool; add one"))
        #expect(try network.violations() == [])
    }

    @Test("what is released comes back after its quarantine, and not before", arguments: families)
    func quarantine(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...11])
        try network.allocate(2)
        try network.release(10)
        #expect(throws: NetworkError.self) { try network.allocate() }
        try network.sql("UPDATE address SET until = now() - interval '1 second' WHERE state = 'quarantined'")
        #expect(try network.usage().obtainable == 1)
        #expect(try network.allocate() == [10])
        #expect(try network.violations() == [])
    }

    @Test("only an allocation can be released, by its owner where one is given", arguments: families)
    func releases(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        try network.allocate(2, owner: "ann")
        #expect(#expect(throws: NetworkError.self) { try network.release(12) }?.code == .notHeld)
        #expect(#expect(throws: NetworkError.self) { try network.release(10, owner: "bob") }?.code == .held)
        #expect(throws: NetworkError.self) { try network.release(10, 12) }
        #expect(try network.usage().held == 2)
        try network.release(10, 11, owner: "ann")
        #expect(try network.usage().held == 0)
        #expect(#expect(throws: NetworkError.self) { try network.release(10) }?.code == .notHeld)
    }

    @Test("a key gives the same answer, refuses another request, and says when it was released", arguments: families)
    func keys(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        #expect(try network.allocate(2, key: "k") == [10, 11])
        #expect(try network.allocate(2, key: "k") == [10, 11])
        #expect(#expect(throws: NetworkError.self) { try network.allocate(3, key: "k") }?.code == .key)
        #expect(try network.allocate(key: "other") == [12])
        try network.release(10)
        let error = #expect(throws: NetworkError.self) { try network.allocate(2, key: "k") }
        #expect(error?.detail.contains("were released") == true)
        try network.release(11)
        try network.sql("UPDATE allocation_key SET released_at = now() - interval '25 hours' WHERE key = 'k'")
        #expect(try network.allocate(2, key: "k") == [13, 14])
        #expect(try network.usage().held == 3)
    }

    @Test("a key of a refused request is not used up", arguments: families)
    func refusedKey(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...11])
        #expect(throws: NetworkError.self) { try network.allocate(3, key: "k") }
        #expect(try network.allocate(1, key: "k") == [10])
    }

    @Test("an allocation ends by itself when its time is over", arguments: families)
    func expiry(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...10], quarantine: .zero)
        try network.allocate(key: "k", expires: .after(.seconds(3600)))
        #expect(throws: NetworkError.self) { try network.allocate() }
        try network.sql("UPDATE address SET allocated_until = now() - interval '1 second'")
        #expect(try network.allocate() == [10])
        #expect(throws: NetworkError.self) { try network.allocate(key: "k") }
        #expect(try network.violations() == [])
    }

    @Test("a key with a duration is the same request later, and with another duration another", arguments: families)
    func keyWithDuration(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        #expect(try network.allocate(key: "k", expires: .after(.seconds(7200))) == [10])
        #expect(try network.allocate(key: "k", expires: .after(.seconds(7200))) == [10])
        #expect(
            #expect(throws: NetworkError.self) { try network.allocate(key: "k", expires: .after(.seconds(60))) }?.code
                == .key)
        let until = try network.column(
            "SELECT allocated_until > now() + interval '110 minutes' FROM address WHERE state = 'held'")
        #expect(until == ["true"])
        let moment = Timestamp.now + .seconds(3600)
        #expect(try network.allocate(key: "m", expires: .at(moment)) == [11])
        #expect(try network.allocate(key: "m", expires: .at(moment)) == [11])
        #expect(#expect(throws: NetworkError.self) { try network.allocate(key: "m") }?.code == .key)
    }

    @Test("an allocation that would be over when it begins is refused, with a key and without", arguments: [nil, "k"])
    func overAtOnce(key: String?) throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        for expires in [Expiry.at(.now - .seconds(1)), .after(.zero), .after(.seconds(-1))] {
            for address in [nil, 12] as [UInt128?] {
                let error = #expect(throws: NetworkError.self) {
                    try network.allocate(address: address, key: key, expires: expires)
                }
                #expect(error?.code == .invalid)
            }
        }
        #expect(try network.column("SELECT count(*) FROM address WHERE state <> 'free'") == ["0"])
        #expect(try network.column("SELECT count(*) FROM allocation_key") == ["0"])
    }

    @Test(
        "a key whose allocation is over is released though nobody ended it, and forgotten a day later",
        arguments: families)
    func keyIsOver(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        try network.allocate(key: "k", expires: .after(.seconds(7200)))
        try network.sql("UPDATE address SET allocated_until = now() - interval '1 second' WHERE state = 'held'")
        let error = #expect(throws: NetworkError.self) {
            try network.allocate(key: "k", expires: .after(.seconds(7200)))
        }
        #expect(error?.code == .key)
        #expect(error?.detail.contains("were released") == true)
        try network.allocate(key: "old", expires: .after(.seconds(7200)))
        try network.sql("UPDATE address SET allocated_until = now() - interval '25 hours' WHERE state = 'held'")
        #expect(try network.allocate(key: "old", expires: .after(.seconds(7200))) == [12])
    }

    @Test("keys are forgotten a day after their release, and not while an address of theirs is held")
    func purge() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        try network.allocate(2, key: "half")
        for key in ["whole", "today", "held"] { try network.allocate(key: key) }
        try network.release(10, 12, 13)
        try network.sql(
            "UPDATE allocation_key SET released_at = now() - interval '25 hours' WHERE key IN ('half', 'whole')")
        try network.database.withConnection { try SubnetTable.forgetKeys(in: $0) }
        #expect(try network.column("SELECT key FROM allocation_key ORDER BY 1") == ["half", "held", "today"])
    }

    @Test("a named address whose allocation is over can be had at once")
    func namedAndOver() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        try network.allocate(address: 12, owner: "ann", expires: .after(.seconds(7200)))
        #expect(throws: NetworkError.self) { try network.allocate(address: 12, owner: "bob") }
        try network.sql("UPDATE address SET allocated_until = now() - interval '1 second' WHERE state = 'held'")
        #expect(try network.allocate(address: 12, owner: "bob") == [12])
        #expect(try network.violations() == [])
    }

    @Test("bad requests are refused with nothing changed", arguments: families)
    func refusals(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        #expect(#expect(throws: NetworkError.self) { try network.allocate(0) }?.code == .invalid)
        #expect(#expect(throws: NetworkError.self) { try network.allocate(5000) }?.code == .invalid)
        #expect(#expect(throws: NetworkError.self) { try network.allocate(2, address: 12) }?.code == .invalid)
        #expect(#expect(throws: NetworkError.self) { try network.allocate(owner: "") }?.code == .invalid)
        #expect(#expect(throws: NetworkError.self) { try network.allocate(owner: "a\u{7}") }?.code == .invalid)
        #expect(#expect(throws: NetworkError.self) { try network.allocate(from: "nowhere") }?.code == .notFound)
        #expect(try network.column("SELECT count(*) FROM address_event") == ["0"])
    }

    @Test("a subnet without a pool says how to add one", arguments: families)
    func noPool(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet()
        let error = #expect(throws: NetworkError.self) { try network.allocate() }
        #expect(error?.detail.contains("wireloom subnet pool add net") == true)
    }
}
