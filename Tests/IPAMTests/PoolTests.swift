import Addressing
import IPAM
import Postgres
import Testing

/// Pools, reservations and what they do to addresses that were given already.
@Suite struct PoolTests {
    @Test("a pool shrinks, splits and goes under what is held, which stays", arguments: AllocationTests.families)
    func removal(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...29])
        try network.allocate(5)
        try network.change { try PoolTable.remove(network.range(12, 15), of: $0.id, in: $1) }
        #expect(try network.violations() == [])
        #expect(try network.usage().held == 5)
        #expect(try network.allocate(2) == [16, 17])
        try network.change { try PoolTable.remove(network.range(0, 255), of: $0.id, in: $1) }
        #expect(try network.violations() == [])
        #expect(try network.usage().held == 7)
        #expect(try network.usage().free == 0)
        try network.release(10, 16)
        try network.change { try PoolTable.add(PoolRequest(network.range(8, 20)), to: $0.id, in: $1) }
        #expect(try network.violations() == [])
        #expect(try network.allocate(4) == [8, 9, 15, 18])
    }

    @Test("an address outside of every pool loses its row with its quarantine", arguments: AllocationTests.families)
    func outside(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19], quarantine: .zero)
        try network.allocate(2)
        try network.change { try PoolTable.remove(network.range(10, 10), of: $0.id, in: $1) }
        try network.release(10, 11)
        try network.sql("UPDATE address SET until = now() - interval '1 second' WHERE state = 'quarantined'")
        try network.change { try SubnetTable.settle($0.id, in: $1) }
        #expect(
            try network.column("SELECT host(ip) || ' ' || state FROM address WHERE ip = '\(network.ip(11))'") == [
                "\(network.ip(11)) free"
            ])
        #expect(try network.column("SELECT 1 FROM address WHERE ip = '\(network.ip(10))'") == [])
        #expect(try network.violations() == [])
    }

    @Test(
        "nobody is given the address of a gateway, so what somebody was given becomes none",
        arguments: AllocationTests.families)
    func gatewayOfSomebody(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        try network.allocate(address: 12, owner: "bob")
        var edit = SubnetEdit()
        edit.gateway = .some(network.ip(12))
        let error = #expect(throws: NetworkError.self) {
            try network.change { try SubnetTable.update($0, edit, in: $1) }
        }
        #expect(error?.code == .held)
        #expect(error?.detail.contains("it is allocated to \"bob\"") == true)
        edit.gateway = .some(network.ip(13))
        try network.change { try SubnetTable.update($0, edit, in: $1) }
        #expect(try network.violations() == [])
    }

    @Test("an allocation that is over by now is in nobody's way", arguments: AllocationTests.families)
    func overByNow(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        try network.allocate(address: 12, owner: "bob")
        try network.sql("UPDATE address SET allocated_until = now() - interval '1 second' WHERE allocated_to = 'bob'")
        var edit = SubnetEdit()
        edit.gateway = .some(network.ip(12))
        try network.change { try SubnetTable.update($0, edit, in: $1) }
        try network.allocate(address: 13, owner: "bob")
        try network.sql("UPDATE address SET allocated_until = now() - interval '1 second' WHERE allocated_to = 'bob'")
        #expect(try network.change { try SubnetTable.delete($0, force: false, in: $1) } == [])
    }

    @Test("what reservations part is one again when they end, in whatever order", arguments: AllocationTests.families)
    func extentsJoin(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...29])
        let extents = "SELECT host(first) || '-' || host(last) FROM extent ORDER BY first"
        let whole = try network.column(extents)
        #expect(whole.count == 1)
        let hosts: [UInt128] = [10, 12, 14, 15, 19, 29]
        for host in hosts {
            try network.change {
                try ReservationTable.reserve(
                    network.range(host, host), of: $0, owner: "ann", note: nil, expires: nil, in: $1)
            }
        }
        #expect(try network.column(extents).count == 4)
        for host in hosts.reversed().shuffled() {
            try network.change { try ReservationTable.unreserve(network.range(host, host), of: $0, in: $1) }
            #expect(try network.violations() == [])
        }
        #expect(try network.column(extents) == whole)
    }

    @Test("a reservation is passed over, had by its owner by name, and given back", arguments: AllocationTests.families)
    func reservations(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(pools: [10...19])
        try network.allocate()
        func reserve(_ first: UInt128, _ last: UInt128, for owner: String = "ann", expires: Timestamp? = nil) throws {
            try network.change {
                try ReservationTable.reserve(
                    network.range(first, last), of: $0, owner: owner, note: nil, expires: expires, in: $1)
            }
        }
        try reserve(11, 13)
        try reserve(40, 49)
        #expect(try network.violations() == [])
        #expect(try network.usage().reserved == 13)
        #expect(try network.allocate() == [14])
        #expect(throws: NetworkError.self) { try network.allocate(address: 12, owner: "bob") }
        #expect(try network.allocate(address: 12, owner: "ann") == [12])
        #expect(try network.usage().reserved == 12)
        #expect(#expect(throws: NetworkError.self) { try reserve(13, 13) }?.code == .overlap)
        #expect(#expect(throws: NetworkError.self) { try reserve(14, 15) }?.code == .held)
        #expect(throws: NetworkError.self) {
            try network.change { try ReservationTable.unreserve(network.range(11, 12), of: $0, in: $1) }
        }
        try network.change { try ReservationTable.unreserve(network.range(11, 13), of: $0, in: $1) }
        #expect(try network.violations() == [])
        #expect(try network.allocate(2) == [11, 13])
        try reserve(15, 19, expires: .now + .seconds(3600))
        #expect(throws: NetworkError.self) { try network.allocate() }
        #expect(
            #expect(throws: NetworkError.self) { try reserve(30, 30, expires: .now - .seconds(1)) }?.code == .invalid)
        try network.sql("UPDATE reservation SET expires_at = now() - interval '1 second' WHERE expires_at IS NOT NULL")
        #expect(try network.allocate() == [15])
        #expect(try network.violations() == [])
    }

    @Test("a reservation of half of a great network, passed by and ended, costs no rows")
    func greatReservation() throws {
        let network = try Network(.v6)
        try network.subnet(bits: 64, pools: [0x100...0xFFFF_FFFF_FFFF])
        try network.change {
            try ReservationTable.reserve(
                network.range(0x102, 0xFFFF_FFFF_0000), of: $0, owner: "ann", note: nil, expires: nil, in: $1)
        }
        #expect(try network.allocate(3) == [0x100, 0x101, 0xFFFF_FFFF_0001])
        try network.change {
            try ReservationTable.unreserve(network.range(0x102, 0xFFFF_FFFF_0000), of: $0, in: $1)
        }
        #expect(try network.allocate(2) == [0x102, 0x103])
        #expect(try network.violations() == [])
        #expect(try network.column("SELECT count(*) < 2000 FROM address") == ["true"])
    }

    @Test("the gateway moves: the new one is taken out, the old one is given back", arguments: AllocationTests.families)
    func gatewayMoves(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(gateway: 10, pools: [10...14])
        #expect(try network.allocate() == [11])
        var edit = SubnetEdit()
        edit.gateway = .some(network.ip(12))
        let change = edit
        try network.change { try SubnetTable.update($0, change, in: $1) }
        #expect(try network.violations() == [])
        #expect(try network.allocate(3) == [10, 13, 14])
    }

    @Test("I10: not even direct SQL puts an address outside of its subnet, or a free row outside of a pool")
    func directSQL() throws {
        let network = try Network()
        try network.subnet(pools: [10...19])
        try network.allocate()
        for sql in [
            "INSERT INTO address (subnet_id, ip, state, pool_id) SELECT id, '10.9.9.9', 'free', NULL FROM subnet",
            "INSERT INTO address (subnet_id, ip, state) SELECT id, '10.0.0.77', 'free' FROM subnet",
            "INSERT INTO address (subnet_id, ip, state, pool_id) SELECT subnet_id, '10.0.0.77', 'free', id FROM pool",
            "INSERT INTO address (subnet_id, ip, state, pool_id) SELECT subnet_id, '10.9.9.9', 'free', id FROM pool",
            "UPDATE address SET ip = '10.9.9.9' WHERE state = 'held'",
            "UPDATE subnet SET cidr = '10.0.0.128/25'",
            "UPDATE address SET state = 'held', allocated_to = NULL, allocated_at = NULL",
            "UPDATE address SET state = 'quarantined', allocated_to = NULL, allocated_at = NULL",
            "INSERT INTO pool (subnet_id, first, last, size) SELECT id, '10.0.0.15', '10.0.0.40', 26 FROM subnet",
        ] {
            #expect(throws: DatabaseError.self, "\(sql)") { try network.sql(sql) }
        }
        #expect(try network.violations() == [])
    }
}
