import Addressing
import IPAM
import Postgres
import Testing

/// Splitting and merging of subnets, with all that is in them, in both families.
@Suite struct ShapeTests {
    static let families = AllocationTests.families

    @Test("a split takes everything along, to the part that contains it", arguments: families)
    func splitCarries(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(gateway: 1, pools: [10...199])
        try network.allocate(2)
        try network.allocate(address: 150, owner: "ann", key: "k")
        try network.allocate(address: 160)
        try network.release(160)
        try network.change {
            try ReservationTable.reserve(
                network.range(120, 135), of: $0, owner: "ann", note: "n", expires: nil, in: $1)
        }
        let first: Int64 = try network.change { subnet, _ in subnet.id }
        let ids = try network.change {
            try SubnetTable.split($0, SubnetSplit(prefixLength: $0.cidr.prefixLength + 1), in: $1)
        }
        #expect(try network.violations() == [])
        #expect(ids.first == first)
        #expect(
            try network.column("SELECT name || ' ' || coalesce(host(gateway), '-') FROM subnet ORDER BY cidr") == [
                "net-1 \(network.ip(1))", "net-2 -",
            ])
        #expect(
            try network.column(
                """
                SELECT s.name || ' ' || host(p.first) || ' ' || host(p.last) FROM pool p JOIN subnet s ON s.id = p.subnet_id
                ORDER BY p.first
                """) == [
                    "net-1 \(network.ip(10)) \(network.ip(family == .v4 ? 126 : 127))",
                    "net-2 \(network.ip(129)) \(network.ip(199))",
                ])
        #expect(
            try network.column(
                """
                SELECT s.name || ' ' || host(r.first) || ' ' || host(r.last) || ' ' || r.owner || r.note
                FROM reservation r JOIN subnet s ON s.id = r.subnet_id ORDER BY r.first
                """) == [
                    "net-1 \(network.ip(120)) \(network.ip(127)) annn",
                    "net-2 \(network.ip(128)) \(network.ip(135)) annn",
                ])
        #expect(
            try network.column(
                """
                SELECT s.name || ' ' || host(a.ip) || ' ' || a.state FROM address a JOIN subnet s ON s.id = a.subnet_id
                WHERE a.state <> 'free' ORDER BY a.ip
                """) == [
                    "net-1 \(network.ip(10)) held", "net-1 \(network.ip(11)) held", "net-2 \(network.ip(150)) held",
                    "net-2 \(network.ip(160)) quarantined",
                ])
        // The key is known to the part that its address went to.
        #expect(try network.allocate(from: "net-2", address: 150, owner: "ann", key: "k") == [150])
        #expect(try network.allocate(from: "net-2") == [136])
        #expect(try network.allocate(from: "net-1", policy: .stepDown) == [119])
        #expect(try network.violations() == [])
    }

    @Test("a split and a merge give back all but the edges", arguments: families)
    func roundTrip(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(gateway: 1, pools: [33...199])
        try network.allocate(20)
        try network.release(40)
        let before = try network.usage()
        let history = try network.column("SELECT count(*) FROM address_event")
        let parts: [Int64] = try network.change {
            try SubnetTable.split($0, SubnetSplit(prefixLength: $0.cidr.prefixLength + 3), in: $1)
        }
        #expect(parts.count == 8)
        #expect(try network.violations() == [])
        // Forwards and backwards: the first that is named stays.
        _ = try network.database.transaction { connection in
            try SubnetTable.merge(
                parts.reversed().map { try SubnetTable.identified($0, in: connection) }, name: "net", in: connection)
        }
        #expect(try network.violations() == [])
        #expect(try network.column("SELECT cidr FROM subnet") == ["\(network.cidr(bits: 8))"])
        #expect(try network.column("SELECT count(*) FROM address_event") != history)
        let after = try network.usage()
        #expect(after.held == before.held)
        #expect(after.quarantined == before.quarantined)
        // The network and, of IPv4, broadcast addresses from 63 to 192.
        let edges: UInt128 = family == .v4 ? 10 : 5
        #expect(after.free == before.free - edges)
        #expect(try network.column("SELECT host(gateway) FROM subnet") == ["\(network.ip(1))"])
    }

    @Test("a split lists everything that stands in its way, and changes nothing", arguments: families)
    func obstacles(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet("net-2", net: 1)
        try network.subnet(gateway: 64, pools: [10...199])
        try network.allocate(address: 128, owner: "ann")
        try network.allocate(address: 191, owner: "bob")
        let before = try network.column("SELECT s::text FROM subnet s ORDER BY 1")
        let error = #expect(throws: NetworkError.self) {
            try network.change {
                try SubnetTable.split($0, SubnetSplit(prefixLength: $0.cidr.prefixLength + 2), in: $1)
            }
        }
        #expect(error?.code == .clash)
        let text = error?.detail ?? ""
        #expect(text.contains("there is a subnet \"net-2\" already"))
        #expect(text.contains("the gateway \(network.ip(64)) would be"))
        #expect(text.contains("\(network.ip(128)) would be a network or broadcast address: it is allocated to \"ann\""))
        #expect(text.contains("it is allocated to \"bob\"") == (family == .v4))
        #expect(try network.column("SELECT s::text FROM subnet s ORDER BY 1") == before)
        #expect(try network.violations() == [])
    }

    @Test("each part has the gateway that is given for it", arguments: families)
    func gateways(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(gateway: 1, pools: [10...199])
        try network.change {
            _ = try SubnetTable.split(
                $0,
                SubnetSplit(
                    prefixLength: $0.cidr.prefixLength + 1, names: ["low", "net"], gateways: [network.ip(130)]),
                in: $1)
        }
        #expect(
            try network.column("SELECT name || ' ' || host(gateway) FROM subnet ORDER BY cidr") == [
                "low \(network.ip(1))", "net \(network.ip(130))",
            ])
        #expect(try network.allocate(2) == [129, 131])
        #expect(try network.violations() == [])
    }

    @Test("down to single addresses, and back", arguments: families)
    func single(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(bits: 1, pools: [0...1])
        try network.allocate()
        let ids = try network.change { try SubnetTable.split($0, SubnetSplit(prefixLength: family.bitWidth), in: $1) }
        #expect(try network.violations() == [])
        #expect(try network.allocate(from: "net-2") == [1])
        let error = #expect(throws: NetworkError.self) {
            try network.change("net-1") {
                try SubnetTable.split($0, SubnetSplit(prefixLength: family.bitWidth), in: $1)
            }
        }
        #expect(error?.detail.contains("it is one address") == true)
        try network.database.transaction { connection in
            _ = try SubnetTable.merge(
                ids.map { try SubnetTable.identified($0, in: connection) }, name: nil, in: connection)
        }
        #expect(try network.usage("net-1").held == 2)
        #expect(try network.violations() == [])
    }

    @Test(
        "a split at the edge, into too many, or with names and gateways that do not fit is refused", arguments: families
    )
    func badSplits(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet(bits: 12)
        let own = family.bitWidth - 12
        let bad: [(SubnetSplit, String)] = [
            (SubnetSplit(prefixLength: own), "longer than its own: \(own + 1) to \(family.bitWidth)"),
            (SubnetSplit(prefixLength: own - 1), "longer than its own"),
            (SubnetSplit(prefixLength: family.bitWidth + 1), "longer than its own"),
            (SubnetSplit(prefixLength: -1), "longer than its own"),
            (SubnetSplit(prefixLength: own + 9), "more than 256 parts"),
            (SubnetSplit(prefixLength: own + 1, names: ["a"]), "2 parts, and 1 name is given"),
            (SubnetSplit(prefixLength: own + 1, names: ["a", "a"]), "given twice"),
            (SubnetSplit(prefixLength: own + 1, gateways: [network.ip(5000)]), "not in it"),
            (SubnetSplit(prefixLength: own + 1, gateways: [network.ip(2048)]), "network or broadcast"),
            (SubnetSplit(prefixLength: own + 1, gateways: [network.ip(1), network.ip(2)]), "two gateways"),
        ]
        for (split, words) in bad {
            let error = #expect(throws: NetworkError.self) {
                try network.change { try SubnetTable.split($0, split, in: $1) }
            }
            #expect(error?.code == .invalid)
            #expect(error?.detail.contains(words) == true, "\(error?.detail ?? "")")
        }
        #expect(try network.column("SELECT count(*) FROM subnet") == ["1"])
    }

    @Test("a merge lists every difference, gap and holder in its way", arguments: families)
    func badMerges(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet("a", bits: 6, gateway: 1)
        try network.subnet("b", bits: 6, net: 1, gateway: 2)
        try network.sql("UPDATE subnet SET vlan_id = 7, dns_suffix = 'x', dns = '{10.0.0.9}' WHERE name = 'b'")
        func merge(_ names: String..., name: String? = nil) throws {
            try network.database.transaction { connection in
                _ = try SubnetTable.merge(
                    names.map { try SubnetTable.named($0, in: connection) }, name: name, in: connection)
            }
        }
        let text = #expect(throws: NetworkError.self) { try merge("a", "b", name: "b") }?.detail ?? ""
        for words in [
            "the VLANs differ: 1 of a, 7 of b", "the gateways differ",
            "the DNS servers differ: none of a, 10.0.0.9 of b",
            "the DNS suffixes differ", "is in none of them",
        ] {
            #expect(text.contains(words), "\(words): \(text)")
        }
        #expect(!text.contains("wires differ"))
        #expect(#expect(throws: NetworkError.self) { try merge("a", "a") }?.detail.contains("with itself") == true)
        #expect(#expect(throws: NetworkError.self) { try merge("a") }?.code == .invalid)
        #expect(try network.column("SELECT count(*) FROM subnet") == ["2"])
    }

    @Test("prefixes that touch and are not one are told apart from those that are", arguments: families)
    func misaligned(family: IPAddress.Family) throws {
        let network = try Network(family)
        try network.subnet("all", bits: 8)
        try network.change("all") {
            _ = try SubnetTable.split(
                $0, SubnetSplit(prefixLength: $0.cidr.prefixLength + 2, names: ["a", "b", "c", "d"]), in: $1)
        }
        func merge(_ names: String...) throws {
            try network.database.transaction { connection in
                _ = try SubnetTable.merge(
                    names.map { try SubnetTable.named($0, in: connection) }, name: nil, in: connection)
            }
        }
        #expect(
            #expect(throws: NetworkError.self) { try merge("b", "c") }?.detail.contains("is not one prefix") == true)
        #expect(#expect(throws: NetworkError.self) { try merge("a", "b", "d") }?.detail.contains("is in none") == true)
        try merge("d", "c")
        try merge("b", "a", "d")
        #expect(try network.column("SELECT name || ' ' || cidr FROM subnet") == ["b \(network.cidr(bits: 8))"])
    }

    @Test("two that become one give up the addresses that become its edges, unless somebody has them")
    func newEdges() throws {
        let network = try Network()
        try network.subnet("all", bits: 2)
        try network.change("all") {
            _ = try SubnetTable.split($0, SubnetSplit(prefixLength: 31, names: ["a", "b"]), in: $1)
        }
        try network.change("a") { try PoolTable.add(PoolRequest(network.range(0, 1)), to: $0.id, in: $1) }
        try network.allocate(from: "a", address: 0, owner: "ann")
        func merge() throws {
            try network.database.transaction { connection in
                _ = try SubnetTable.merge(
                    ["a", "b"].map { try SubnetTable.named($0, in: connection) }, name: nil, in: connection)
            }
        }
        #expect(#expect(throws: NetworkError.self) { try merge() }?.detail.contains("allocated to \"ann\"") == true)
        try network.release(0, from: "a")
        try merge()
        #expect(try network.violations() == [])
        #expect(try network.column("SELECT host(first) || host(last) FROM pool") == ["10.0.0.110.0.0.1"])
    }

    @Test("an allocator that saw the pool before the split gets its address after it, in the part")
    func oldPool() throws {
        let network = try Network()
        try network.subnet(pools: [10...199], policy: .stepUp)
        try network.allocate()
        let pool = try network.column("SELECT id FROM pool")
        try network.change {
            _ = try SubnetTable.split($0, SubnetSplit(prefixLength: 25, names: ["net", "other"]), in: $1)
        }
        #expect(try network.column("SELECT id FROM pool WHERE first = '10.0.0.10'") == pool)
        #expect(try network.allocate() == [11])
    }
}
