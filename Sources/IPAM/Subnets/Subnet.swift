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
    /// Appended to host names by the guests' resolvers; `nil`: none.
    package var dnsSuffix: String?
    package var description: String?
    package var pools: [PoolRequest]

    package init(
        name: String, cidr: CIDR, vlan: VLANID, gateway: IPAddress? = nil, dns: [IPAddress] = [],
        dnsSuffix: String? = nil, description: String? = nil, pools: [PoolRequest] = []
    ) {
        self.name = name
        self.cidr = cidr
        self.vlan = vlan
        self.gateway = gateway
        self.dns = dns
        self.dnsSuffix = dnsSuffix
        self.description = description
        self.pools = pools
    }

    /// - Throws: the first of ``problems``.
    package func validate() throws {
        if let problem = problems.first { throw problem }
    }

    /// All that is wrong with it: of code `invalid`, or `overlap` for its pools.
    package var problems: [NetworkError] {
        var problems: [NetworkError] = []
        func refuse(_ why: String, _ code: NetworkError.Code = .invalid) {
            problems.append(NetworkError(code, "subnet \(name): \(why)"))
        }
        func check(_ body: () throws -> Void) {
            do { try body() } catch let error as NetworkError { problems.append(error) } catch { refuse("\(error)") }
        }
        if cidr.prefixLength == 0 {
            refuse("\(cidr) is every address there is; give a longer prefix")
        } else if let kind = cidr.kindWithoutPlace {
            refuse("\(cidr) holds nothing but \(kind), which have no place in a subnet")
        }
        if let gateway, !cidr.contains(gateway) {
            refuse("the gateway \(gateway) is not in \(cidr)")
        } else if let gateway, !cidr.usable.contains(gateway) {
            refuse("the gateway \(gateway) is the network or broadcast address of \(cidr)")
        }
        if let dnsSuffix { check { try SubnetText.check(dnsSuffix: dnsSuffix) } }
        if let description { check { try SubnetText.check(description: description) } }
        let ranges = pools.map(\.range)
        for (index, pool) in ranges.enumerated() {
            check { try PoolTable.check(pool, in: cidr, named: name) }
            if let other = ranges[..<index].first(where: pool.overlaps) {
                refuse("the pools \(other) and \(pool) overlap", .overlap)
            }
        }
        return problems
    }
}

extension CIDR {
    /// What all of its addresses are, if they are such as no adapter's evidence is taken from (DESIGN.md 3.4).
    fileprivate var kindWithoutPlace: String? {
        let ends = [network, last]
        if ends.allSatisfy(\.isLoopback) { return "loopback addresses" }
        if ends.allSatisfy(\.isLinkLocal) { return "link-local addresses" }
        if ends.allSatisfy(\.isMulticast) { return "multicast addresses" }
        return ends.allSatisfy(\.isUnspecifiedOrBroadcast) ? "addresses that name no adapter" : nil
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
        if let other = try overlapping(request.cidr, request.vlan, wire: wire.id, in: connection) {
            throw overlap(request, wire, with: other.title)
        }
        try absorbUnconfirmed(request.cidr, request.vlan, wire: wire.id, in: connection)
        do {
            let id: Int64 = try connection.query(
                """
                INSERT INTO subnet (name, wire_id, cidr, vlan_id, gateway, dns, dns_suffix, description, confirmed)
                VALUES ($1::text, $2::bigint, $3::cidr, $4::int, $5::inet, $6::inet[], $7::text, $8::text, true)
                RETURNING id
                """, request.name, wire.id, request.cidr, request.vlan, request.gateway, request.dns, request.dnsSuffix,
                request.description
            )[0].get(0)
            for pool in request.pools { try PoolTable.add(pool, to: id, in: connection) }
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
