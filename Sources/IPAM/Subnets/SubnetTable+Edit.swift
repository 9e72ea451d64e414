package import Addressing
package import Postgres

/// What a person changes of a subnet; what is `nil` stays.
package struct SubnetEdit: Sendable {
    package var name: String?
    /// Another wire to be on.
    package var wire: Wire?
    package var cidr: CIDR?
    package var vlan: VLANID?
    /// `.some(nil)`: the subnet has none any more.
    package var gateway: IPAddress??
    package var dns: [IPAddress]?
    package var dnsSuffix: String??
    package var description: String??

    package init() {}
}

extension SubnetTable {
    /// From now on the subnet is a person's, and so is its wire.
    package static func confirm(_ subnet: SubnetRef, in connection: Connection) throws {
        try connection.execute("UPDATE subnet SET confirmed = true WHERE id = $1::bigint AND NOT confirmed", subnet.id)
        try connection.execute(
            "UPDATE wire SET touched = true WHERE id = $1::bigint AND NOT touched", subnet.wire)
    }

    /// Changes a subnet as a whole or not at all. Addresses that adapters hold outside of a new prefix are let go, to be
    /// placed again by the caller; allocations, reservations and pools there refuse it.
    ///
    /// - Throws: ``NetworkError`` with code `invalid`, `duplicate`, `overlap` or `in_use`.
    ///
    /// - Parameter checkingOverlap: `false` where the caller has deferred it and checks it at the end.
    package static func update(
        _ subnet: SubnetRef, _ edit: SubnetEdit, checkingOverlap: Bool = true, in connection: Connection
    ) throws {
        try lock([subnet.id], in: connection)
        try settle(subnet.id, in: connection)
        let wire = edit.wire?.id ?? subnet.wire
        let pools = try PoolTable.pools(of: subnet.id, in: connection)
        let after = SubnetRequest(
            name: edit.name ?? subnet.name, cidr: edit.cidr ?? subnet.cidr, vlan: edit.vlan ?? subnet.vlan,
            gateway: edit.gateway ?? subnet.gateway, dns: edit.dns ?? [], pools: pools.map { PoolRequest($0.range) })
        try after.validate()
        if after.cidr != subnet.cidr { try leave(after.cidr, subnet, in: connection) }
        if after.cidr != subnet.cidr || after.vlan != subnet.vlan || wire != subnet.wire || !subnet.isConfirmed {
            try absorbUnconfirmed(after.cidr, after.vlan, wire: wire, but: subnet.id, in: connection)
        }
        if checkingOverlap,
            let other = try overlapping(after.cidr, after.vlan, wire: wire, but: subnet.id, in: connection)
        {
            throw NetworkError(
                .overlap, "subnet \(after.name) (\(after.cidr)) would overlap \(other.title) on VLAN \(after.vlan)")
        }
        let movesGateway = after.gateway != subnet.gateway
        if movesGateway, let gateway = after.gateway, let one = AddressRange(gateway, gateway) {
            try PoolTable.take(one, of: subnet.id, in: connection)
            try refuseAllocated(gateway, of: subnet, in: connection)
        }
        do {
            try connection.execute(
                """
                UPDATE subnet SET name = $2::text, cidr = $3::cidr, vlan_id = $4::int, gateway = $5::inet,
                    dns = coalesce($6::inet[], dns),
                    dns_suffix = CASE WHEN $7::boolean THEN $8::text ELSE dns_suffix END,
                    description = CASE WHEN $9::boolean THEN $10::text ELSE description END, wire_id = $11::bigint
                WHERE id = $1::bigint
                """, subnet.id, after.name, after.cidr, after.vlan, after.gateway, edit.dns, edit.dnsSuffix != nil,
                edit.dnsSuffix ?? nil, edit.description != nil, edit.description ?? nil, wire)
        } catch let error as DatabaseError where error.constraint == "subnet_name_unique" {
            throw NetworkError(.duplicate, "there is a subnet \"\(after.name)\" already; choose another name")
        }
        if movesGateway, let gateway = subnet.gateway, let one = AddressRange(gateway, gateway),
            after.cidr.contains(gateway)
        {
            try PoolTable.giveBack(one, of: subnet.id, in: connection)
        }
        try confirm(subnet, in: connection)
        if let wire = edit.wire { try WireTable.touch(wire, in: connection) }
    }

    /// A gateway may be the address of an adapter, but nobody is given it.
    private static func refuseAllocated(_ gateway: IPAddress, of subnet: SubnetRef, in connection: Connection) throws {
        let row = try connection.query(
            """
            SELECT allocated_to FROM address
            WHERE subnet_id = $1::bigint AND ip = $2::inet AND allocated_to IS NOT NULL
            """, subnet.id, gateway
        ).first
        guard let owner: String = try row?.get(0) else { return }
        throw NetworkError(
            .held,
            "\(gateway) cannot become the gateway of subnet \(subnet.title): it is allocated to \"\(owner)\"; release it first: "
                + "wireloom ip release \(subnet.name) \(gateway)")
    }

    /// - Parameter advice: what to do about what uses it, as the end of the sentence.
    /// - Throws: ``NetworkError`` with code `in_use`, which counts what uses it, unless `force`.
    /// - Returns: what was let go of, in words.
    @discardableResult
    package static func delete(
        _ subnet: SubnetRef, force: Bool, advice: String = "; to let go of all that, add --force",
        in connection: Connection
    ) throws -> [String] {
        try lock([subnet.id], in: connection)
        // An allocation that is under way holds nothing but its rows: it is waited for, and then counts.
        try lockAddresses([subnet.id], in: connection)
        try settle(subnet.id, in: connection)
        let uses = try self.uses(of: subnet, in: connection)
        guard force || uses.isEmpty else {
            throw NetworkError(
                .inUse,
                "subnet \(subnet.title) is in use: \(uses.joined(separator: ", "))\(advice)")
        }
        try forgetKeys(of: subnet, in: connection)
        try connection.execute("DELETE FROM subnet WHERE id = $1::bigint", subnet.id)
        try connection.execute(
            "UPDATE wire SET touched = true WHERE id = $1::bigint AND NOT touched", subnet.wire)
        return uses
    }

    /// What a deletion would let go of, in words: `3 addresses held by adapters`.
    private static func uses(of subnet: SubnetRef, in connection: Connection) throws -> [String] {
        let row = try connection.query(
            """
            SELECT count(*) FILTER (WHERE account_id IS NOT NULL), count(*) FILTER (WHERE allocated_to IS NOT NULL),
                (SELECT count(*) FROM reservation r
                    WHERE r.subnet_id = $1::bigint AND (r.expires_at IS NULL OR r.expires_at > now()))
            FROM address WHERE subnet_id = $1 AND state = 'held'
            """, subnet.id
        ).one()
        let words = [
            ("address held by an adapter", "addresses held by adapters"), ("allocated address", "allocated addresses"),
            ("reservation", "reservations"),
        ]
        return try words.enumerated().compactMap { column, word in
            let number: Int = try row.get(column)
            return number > 0 ? Words.count(number, word.0, word.1) : nil
        }
    }

    /// Tells the keys of a subnet's allocations that these end.
    private static func forgetKeys(of subnet: SubnetRef, in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE allocation_key SET released_at = now() WHERE released_at IS NULL AND id IN (
                SELECT key_id FROM address WHERE subnet_id = $1::bigint)
            """, subnet.id)
    }

    /// Lets go of what lies outside of a new prefix.
    private static func leave(_ cidr: CIDR, _ subnet: SubnetRef, in connection: Connection) throws {
        let stuck = try connection.query(
            """
            SELECT 'the allocation of ' || host(ip) FROM address
            WHERE subnet_id = $1::bigint AND allocated_to IS NOT NULL AND NOT ip <<= $2::inet
            UNION ALL
            SELECT 'the reservation of ' || host(first) FROM reservation
            WHERE subnet_id = $1 AND NOT (first <<= $2 AND last <<= $2)
            LIMIT 1
            """, subnet.id, cidr
        ).first
        if let stuck = try stuck?.get(0, as: String.self) {
            throw NetworkError(.inUse, "subnet \(subnet.title) cannot become \(cidr): \(stuck) would be outside")
        }
        try connection.execute(
            "DELETE FROM address WHERE subnet_id = $1::bigint AND NOT ip <<= $2::inet", subnet.id, cidr)
    }

    static func absorbUnconfirmed(
        _ cidr: CIDR, _ vlan: VLANID, wire: Int64, but id: Int64? = nil, in connection: Connection
    ) throws {
        try connection.execute(
            """
            DELETE FROM subnet WHERE wire_id = $1::bigint AND vlan_id = $2::int AND cidr::inet && $3::cidr
                AND NOT confirmed AND id IS DISTINCT FROM $4::bigint
            """, wire, vlan, cidr, id)
    }

    /// The confirmed subnet that has some of these addresses on the wire and VLAN already (I2).
    static func overlapping(
        _ cidr: CIDR, _ vlan: VLANID, wire: Int64, but id: Int64? = nil, in connection: Connection
    ) throws -> SubnetRef? {
        try connection.query(
            """
            SELECT id, name, wire_id, cidr, vlan_id, gateway, confirmed FROM subnet
            WHERE wire_id = $1::bigint AND vlan_id = $2::int AND cidr::inet && $3::cidr
                AND confirmed AND id IS DISTINCT FROM $4::bigint
            ORDER BY cidr LIMIT 1
            """, wire, vlan, cidr, id
        ).first.map(ref)
    }
}
