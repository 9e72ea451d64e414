import Addressing
import Dispatch
import IPAM
import Locking
import Postgres
import SQL
import Support
import Testing

/// Two who meet at one address, driven to the very point by a transaction that is left open.
@Suite struct ContentionTests {
    // MARK: Quarantines that end

    @Test(
        "I10: a quarantine that ends while its address is reserved, or becomes the gateway, frees nothing",
        arguments: ["reserve", "gateway", "pool"])
    func endsDuringChange(change: String) throws {
        let network = try Network()
        try network.subnet(pools: [10...19], quarantine: .zero)
        try network.allocate(5)
        try network.release(12)
        try network.due()
        try network.beside { subnet, connection in
            switch change {
            case "reserve":
                try ReservationTable.reserve(
                    network.range(12, 12), of: subnet, owner: "ann", note: nil, expires: nil, in: connection)
            case "gateway":
                var edit = SubnetEdit()
                edit.gateway = .some(network.ip(12))
                try SubnetTable.update(subnet, edit, in: connection)
            default: try PoolTable.remove(network.range(12, 12), of: subnet.id, in: connection)
            }
        } meanwhile: {
            try network.settle()
        }
        #expect(try network.violations() == [])
        try network.settle()
        #expect(try network.violations() == [])
        #expect(try network.allocate() == [15])
    }

    @Test("I10: a quarantine that ends while the pool is extended over its address loses nothing")
    func endsDuringExtension() throws {
        let network = try Network()
        try network.subnet(bits: 10, pools: [10...600], quarantine: .zero)
        try network.allocate(address: 50)
        try network.release(50)
        try network.due()
        try network.beside { subnet, connection in
            try SubnetTable.share(subnet.id, in: connection)
            let pool = try PoolTable.pools(of: subnet.id, in: connection)[0].id
            _ = try connection.query("SELECT FROM pool WHERE id = $1::bigint FOR NO KEY UPDATE", pool)
            try connection.execute(Queries.extendPool, pool, 256, false)
        } meanwhile: {
            try network.settle()
        }
        #expect(try network.violations() == [])
        try network.settle()
        #expect(try network.column("SELECT state FROM address WHERE ip = '\(network.ip(50))'") == ["free"])
    }

    @Test("what ends on the way of an allocation is signed as ended by time, not by the database's role")
    func signed() throws {
        let network = try Network()
        try network.subnet(pools: [10...19], quarantine: .zero)
        try network.allocate(2)
        try network.release(10)
        try network.due()
        try network.allocate()
        #expect(
            try network.column(
                "SELECT actor FROM address_event WHERE ip = '\(network.ip(10))' AND state = 'free'") == ["expiry"])
    }

    // MARK: Guesses

    @Test("a guess at an address that somebody has locks nothing")
    func guessLocksNothing() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        try network.allocate()
        try network.beside { subnet, connection in
            let rows = try connection.query(
                Queries.allocateRandom, subnet.id, network.ip(10), "you", nil as Timestamp?, nil as Int64?)
            #expect(rows.isEmpty)
        } meanwhile: {
            try network.sql("SELECT FROM address WHERE ip = '\(network.ip(10))' FOR UPDATE NOWAIT")
        }
    }

    @Test("a guess at a free address that another is about to take passes it by")
    func guessPassesBy() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        try network.allocate()
        try network.beside { _, connection in
            try connection.script("SELECT FROM address WHERE ip = '\(network.ip(11))' FOR UPDATE")
        } meanwhile: {
            let id: Int64 = try network.change { subnet, _ in subnet.id }
            try network.database.withConnection { connection in
                let rows = try connection.query(
                    Queries.allocateRandom, id, network.ip(11), "you", nil as Timestamp?, nil as Int64?)
                #expect(rows.isEmpty)
            }
        }
    }

    // MARK: The last ones

    @Test("a batch that waits for one address keeps the others from nobody", arguments: [nil, "k"])
    func waitsEmptyHanded(key: String?) throws {
        let network = try Network()
        try network.subnet(pools: [10...13])
        try network.allocate()
        try network.release(10)
        try network.due()
        try network.settle()
        let batch = Background()
        try network.beside { _, connection in
            try connection.script("SELECT FROM address WHERE ip = '\(network.ip(10))' FOR UPDATE")
        } meanwhile: {
            batch.run { try network.allocate(4, key: key) }
            try network.untilWaiting(batch)
            #expect(try network.allocate() == [11])
        }
        batch.wait()
        #expect(batch.error?.code == .exhausted)
        #expect(try network.usage().held == 1)
        #expect(try network.column("SELECT count(*) FROM allocation_key") == ["0"])
        #expect(try network.violations() == [])
    }

    @Test("a batch that waited for the last address gets it")
    func waitsAndGets() throws {
        let network = try Network()
        try network.subnet(pools: [10...13])
        try network.allocate()
        try network.release(10)
        try network.due()
        try network.settle()
        let batch = Background()
        try network.beside { _, connection in
            try connection.script("SELECT FROM address WHERE ip = '\(network.ip(10))' FOR UPDATE")
        } meanwhile: {
            batch.run { try network.allocate(4) }
            try network.untilWaiting(batch)
        }
        batch.wait()
        #expect(batch.error == nil)
        #expect(try network.usage().held == 4)
    }

    @Test("a subnet that is full is told so at once, whoever waits for its last addresses", arguments: [nil, "k"])
    func fullWithoutWaiting(key: String?) throws {
        let network = try Network()
        try network.subnet(pools: [10...11])
        try network.allocate(2)
        try network.beside { subnet, connection in
            try AdvisoryLock.scarcity(subnet: subnet.id).take(in: connection)
        } meanwhile: {
            let error = #expect(throws: NetworkError.self) { try network.allocate(key: key) }
            #expect(error?.code == .exhausted)
        }
    }

    @Test("the last address waits for a reservation to end in a transaction of its own, and is had")
    func lastOfReservation() throws {
        let network = try Network()
        try network.subnet(pools: [10...11])
        try network.allocate()
        try network.change {
            try ReservationTable.reserve(
                network.range(11, 11), of: $0, owner: "ann", note: nil, expires: .now + .seconds(3600), in: $1)
        }
        try network.sql("UPDATE reservation SET expires_at = now() - interval '1 second'")
        #expect(try network.allocate(key: "k") == [11])
        #expect(try network.violations() == [])
    }

    // MARK: Subnets that change under a caller

    @Test("an allocation that waits while its subnet becomes a part of another is of that one")
    func mergedAway() throws {
        let network = try Network()
        try network.subnet("all", pools: [10...199])
        try network.split("all", into: ["low", "high"])
        let allocation = Background()
        try network.beside("low") { low, connection in
            let high = try SubnetTable.named("high", in: connection)
            _ = try SubnetTable.merge([low, high], name: "low", in: connection)
        } meanwhile: {
            allocation.run {
                let given = try network.allocator.allocate(AllocationRequest(subnet: "high", count: 2, owner: "me"))
                #expect(given.subnet.name == "low")
                #expect(given.addresses.count == 2)
            }
            try network.untilWaiting(allocation)
        }
        allocation.wait()
        #expect(allocation.error == nil)
        #expect(try network.usage("low").held == 2)
        let gone = #expect(throws: NetworkError.self) { try network.allocate(from: "high") }
        #expect(gone?.code == .notFound)
    }

    @Test("an allocation that waits while its subnet is deleted is told that there is none")
    func deletedAway() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        let allocation = Background()
        try network.beside { subnet, connection in
            _ = try SubnetTable.delete(subnet, force: false, in: connection)
        } meanwhile: {
            allocation.run { try network.allocate(2) }
            try network.untilWaiting(allocation)
        }
        allocation.wait()
        #expect(allocation.error?.code == .notFound)
    }

    @Test("a release that waits for a split finds its address in the part", arguments: AllocationTests.families)
    func releasedDuringSplit(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...199])
        try network.allocate(address: 20)
        try network.allocate(address: 150)
        let release = Background()
        try network.beside { subnet, connection in
            _ = try SubnetTable.split(subnet, SubnetSplit(prefixLength: subnet.cidr.prefixLength + 1), in: connection)
        } meanwhile: {
            release.run { try network.release(20, 150, owner: "me") }
            try network.untilWaiting(release)
        }
        release.wait()
        #expect(release.error == nil)
        #expect(
            try network.column(
                """
                SELECT s.name || ' ' || host(a.ip) FROM address a JOIN subnet s ON s.id = a.subnet_id
                WHERE a.state = 'quarantined' ORDER BY a.ip
                """) == ["net-1 \(network.ip(20))", "net-2 \(network.ip(150))"])
        // By the name of the other part, too: wire and VLAN tell that it is this address.
        try network.allocate(from: "net-2", address: 151)
        #expect(throws: Never.self) { try network.release(151, from: "net-1") }
        #expect(try network.violations() == [])
    }

    @Test("a release that waits for a merge finds its address in the whole")
    func releasedDuringMerge() throws {
        let network = try Network()
        try network.subnet(pools: [10...199])
        try network.allocate(address: 150)
        try network.split("net", into: ["low", "high"])
        let release = Background()
        try network.beside("low") { low, connection in
            let high = try SubnetTable.named("high", in: connection)
            _ = try SubnetTable.merge([low, high], name: "net", in: connection)
        } meanwhile: {
            release.run { try network.release(150, from: "high", owner: "me") }
            try network.untilWaiting(release)
        }
        release.wait()
        #expect(release.error == nil)
        #expect(try network.usage().quarantined == 1)
    }

    @Test("a deletion waits for an allocation that is under way, and is refused by it")
    func deletionSeesAllocation() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        try network.allocate()
        try network.release(10)
        let deletion = Background()
        try network.beside { _, connection in
            try connection.script(
                """
                UPDATE address SET state = 'held', allocated_to = 'bob', allocated_at = now()
                WHERE ip = '\(network.ip(11))' AND state = 'free'
                """)
        } meanwhile: {
            deletion.run { try network.change { _ = try SubnetTable.delete($0, force: false, in: $1) } }
            try network.untilWaiting(deletion)
        }
        deletion.wait()
        #expect(deletion.error?.code == .inUse)
        #expect(deletion.error?.detail.contains("1 allocated address") == true)
        #expect(try network.usage().held == 1)
    }
}

extension Network {
    /// Lets every quarantine be over.
    func due() throws { try sql("UPDATE address SET until = now() - interval '1 second' WHERE state = 'quarantined'") }

    func settle() throws { try database.withConnection { try SubnetTable.settle(nil, in: $0) } }

    func split(_ name: String, into names: [String]) throws {
        try change(name) {
            _ = try SubnetTable.split(
                $0, SubnetSplit(prefixLength: $0.cidr.prefixLength + 1, names: names), in: $1)
        }
    }

    /// Does something in a transaction on a connection of its own, leaves it open during something else, and commits.
    func beside(
        _ name: String = "net", _ first: (SubnetRef, Connection) throws -> Void, meanwhile: () throws -> Void
    ) throws {
        let connection = try database.connect()
        defer { connection.close() }
        try connection.transaction {
            try Actor(name: "tester").declare(in: connection)
            try first(SubnetTable.named(name, in: connection), connection)
            try meanwhile()
        }
    }

    /// Returns when it waits for a lock, or has come to its end without.
    func untilWaiting(_ background: Background) throws {
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        while try !background.isOver && column(waiting) == ["0"] {}
    }
}

/// Something that a test does on another thread.
final class Background: Sendable {
    private let group = DispatchGroup()
    private let outcome = Mutex<Result<Void, any Error>?>(nil)

    func run(_ body: @escaping () throws -> Void) {
        // It is run once, on one thread, and waited for.
        nonisolated(unsafe) let body = body
        DispatchQueue.global().async(group: group) { [self] in
            let result = Result { try body() }
            outcome.withLock { $0 = result.map { _ in () } }
        }
    }

    func wait() { group.wait() }

    var isOver: Bool { outcome.withLock { $0 != nil } }

    /// What it failed with; a failure that is no ``NetworkError`` is told as one.
    var error: NetworkError? {
        outcome.withLock { outcome in
            guard case .failure(let error) = outcome else { return nil }
            return error as? NetworkError ?? NetworkError(.invalid, String(reflecting: error))
        }
    }
}
