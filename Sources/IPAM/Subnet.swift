package import Addressing
package import Postgres

/// What a person says of a new subnet; checked as a whole before anything is written.
package struct SubnetRequest: Sendable {
    package var name: String
    package var cidr: CIDR
    package var vlan: VLANID
    /// `nil`: a subnet without one is as good as any other.
    package var gateway: IPAddress?
    package var dns: [IPAddress]
    package var pools: [AddressRange]

    package init(
        name: String, cidr: CIDR, vlan: VLANID, gateway: IPAddress?, dns: [IPAddress], pools: [AddressRange]
    ) {
        self.name = name
        self.cidr = cidr
        self.vlan = vlan
        self.gateway = gateway
        self.dns = dns
        self.pools = pools
    }

    /// - Throws: ``NetworkError`` with code `invalid`.
    package func validate() throws {
        func refuse(_ why: String) -> NetworkError { NetworkError(.invalid, "subnet \(name): \(why)") }
        guard cidr.prefixLength > 0 else { throw refuse("\(cidr) is every address there is; give a longer prefix") }
        if let gateway, !cidr.contains(gateway) { throw refuse("the gateway \(gateway) is not in \(cidr)") }
        if let gateway, !cidr.usable.contains(gateway) {
            throw refuse("the gateway \(gateway) is the network or broadcast address of \(cidr)")
        }
        for (index, pool) in pools.enumerated() {
            guard cidr.contains(pool.first), cidr.contains(pool.last) else {
                throw refuse("the pool \(pool) is not inside \(cidr)")
            }
            guard cidr.usable.contains(pool) else {
                throw refuse(
                    "the pool \(pool) has the network or broadcast address of \(cidr); usable are \(cidr.usable)")
            }
            if let other = pools[..<index].first(where: pool.overlaps) {
                throw refuse("the pools \(other) and \(pool) overlap")
            }
        }
    }
}

/// The tables `subnet` and `pool`.
package enum SubnetTable {
    /// Creates a person's subnet. It takes the place of the unconfirmed subnets of its wire and VLAN that it overlaps;
    /// their adapters are to be placed again by the caller.
    ///
    /// - Throws: ``NetworkError`` with code `invalid`, `duplicate`, or `overlap`, which names the other subnet.
    package static func create(_ request: SubnetRequest, on wire: Wire, in connection: Connection) throws -> Int64 {
        try request.validate()
        let other = try connection.query(
            """
            SELECT name, cidr FROM subnet
            WHERE wire_id = $1::bigint AND vlan_id = $2::int AND cidr::inet && $3::cidr AND confirmed LIMIT 1
            """, wire.id, request.vlan, request.cidr
        ).first
        if let other {
            throw overlap(
                request, wire, with: "\(try other.get(0, as: String.self)) (\(try other.get(1, as: CIDR.self)))")
        }
        try connection.execute(
            """
            DELETE FROM subnet WHERE wire_id = $1::bigint AND vlan_id = $2::int AND cidr::inet && $3::cidr AND NOT confirmed
            """, wire.id, request.vlan, request.cidr)
        do {
            let id: Int64 = try connection.query(
                """
                INSERT INTO subnet (name, wire_id, cidr, vlan_id, gateway, dns, confirmed)
                VALUES ($1::text, $2::bigint, $3::cidr, $4::int, $5::inet, $6::inet[], true) RETURNING id
                """, request.name, wire.id, request.cidr, request.vlan, request.gateway, request.dns
            )[0].get(0)
            for pool in request.pools {
                try connection.execute(
                    "INSERT INTO pool (subnet_id, first, last, size) VALUES ($1::bigint, $2::inet, $3::inet, $4::numeric)",
                    id, pool.first, pool.last, String(pool.count))
            }
            try WireTable.touch(wire, in: connection)
            return id
        } catch let error as DatabaseError where error.constraint == "subnet_name_unique" {
            throw NetworkError(.duplicate, "there is a subnet \"\(request.name)\" already; choose another name")
        } catch let error as DatabaseError where error.constraint == "subnet_disjoint" {
            throw overlap(request, wire, with: "another subnet, created just now")
        }
    }

    private static func overlap(_ request: SubnetRequest, _ wire: Wire, with other: String) -> NetworkError {
        NetworkError(
            .overlap,
            "subnet \(request.name) (\(request.cidr)) overlaps \(other) on VLAN \(request.vlan) of wire \(wire.name)")
    }
}
