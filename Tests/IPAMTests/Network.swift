import Addressing
import IPAM
import Postgres
import Support

/// A fresh database with one wire, in either address family: host numbers stand for addresses.
final class Network {
    let scratch: ScratchDatabase
    let family: IPAddress.Family
    private let wire: Wire

    var database: Database { scratch.database }
    var allocator: Allocator { Allocator(database: database, actor: Actor(name: "tester", origin: "tests")) }

    init(_ family: IPAddress.Family = .v4) throws {
        let scratch = try ScratchDatabase()
        self.scratch = scratch
        self.family = family
        wire = try scratch.database.transaction { try WireTable.create(name: "wire", site: nil, in: $0) }
    }

    deinit { scratch.close() }

    /// 10.0.N.H or fd00:N::H.
    func ip(_ host: UInt128, net: UInt128 = 0) -> IPAddress {
        switch family {
        case .v4: IPAddress(family: .v4, bits: 10 << 24 + net << 16 + host)
        case .v6: IPAddress(family: .v6, bits: 0xfd00 << 112 + net << 96 + host)
        }
    }

    func range(_ first: UInt128, _ last: UInt128, net: UInt128 = 0) -> AddressRange {
        guard let range = AddressRange(ip(first, net: net), ip(last, net: net)) else { fatalError("a falling range") }
        return range
    }

    func cidr(bits: Int, net: UInt128 = 0) -> CIDR {
        guard let cidr = CIDR(containing: ip(0, net: net), prefixLength: family.bitWidth - bits) else {
            fatalError("no such prefix")
        }
        return cidr
    }

    /// A subnet of 2^bits addresses with pools of host numbers.
    func subnet(
        _ name: String = "net", bits: Int = 8, net: UInt128 = 0, gateway: UInt128? = nil,
        pools: [ClosedRange<UInt128>] = [], policy: AllocationPolicy = .stepUp, quarantine: Duration = .seconds(3600)
    ) throws {
        let request = SubnetRequest(
            name: name, cidr: cidr(bits: bits, net: net), vlan: .one, gateway: gateway.map { ip($0, net: net) },
            pools: pools.map {
                PoolRequest(
                    range($0.lowerBound, $0.upperBound, net: net), policy: policy, quarantine: quarantine)
            })
        _ = try database.transaction { try SubnetTable.create(request, on: wire, in: $0) }
    }

    @discardableResult
    func change<T>(_ name: String = "net", _ body: (SubnetRef, Connection) throws -> T) throws -> T {
        try database.transaction { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try SubnetTable.lock([subnet.id], in: connection)
            return try body(subnet, connection)
        }
    }

    /// The host numbers given.
    @discardableResult
    func allocate(
        _ count: Int = 1, from name: String = "net", policy: AllocationPolicy? = nil, address: UInt128? = nil,
        owner: String = "me", key: String? = nil, expires: Expiry? = nil
    ) throws -> [UInt128] {
        try allocator.allocate(
            AllocationRequest(
                subnet: name, count: count, policy: policy, address: address.map { ip($0) }, owner: owner, key: key,
                expires: expires)
        ).addresses.map { $0.bits - ip(0).bits }
    }

    func release(_ hosts: UInt128..., from name: String = "net", owner: String? = nil) throws {
        try allocator.release(hosts.map { ip($0) }, ofSubnet: name, owner: owner)
    }

    func usage(_ name: String = "net") throws -> SubnetUsage {
        try database.withConnection { connection in
            try SubnetUsage.read(SubnetTable.named(name, in: connection).id, in: connection)
        }
    }

    func sql(_ text: String) throws {
        try database.withConnection { try $0.script(text) }
    }

    func column(_ sql: String) throws -> [String] {
        try database.withConnection { connection in
            try connection.query("SELECT coalesce(x::text, '-') FROM (\(sql)) t (x)").map { try $0.get(0) }
        }
    }

    /// What breaks a rule of storage, in words; empty where none is broken.
    func violations() throws -> [String] { try StorageRules.violations(in: database) }
}
