package import Addressing
package import Postgres

extension SubnetTable {
    /// The pools that guests' addresses are allocated from.
    ///
    /// - Throws: ``NetworkError`` with code `exhausted` where there is none.
    static func guestPools(of subnet: SubnetRef, _ connection: Connection) throws -> [Pool] {
        let pools = try PoolTable.pools(of: subnet.id, in: connection).filter { $0.role == .guest }
        guard !pools.isEmpty else {
            _ = try identified(subnet.id, in: connection)
            throw NetworkError(
                .exhausted,
                "subnet \(subnet.title) has no pool to allocate from; add one: wireloom subnet pool add "
                    + "\(subnet.name) FIRST-LAST")
        }
        return pools
    }

    /// An early word where a named address cannot be had, in the words of the allocation; one in quarantine can. What is there now may
    /// be somebody's when it is asked for.
    ///
    /// - Throws: ``NetworkError``.
    package static func checkObtainable(
        _ address: IPAddress, in subnet: SubnetRef, _ connection: Connection
    ) throws {
        try Allocator.checkPlace(of: address, for: nil, in: subnet, connection)
        let isFree = try connection.query(
            """
            SELECT coalesce((SELECT a.state <> 'held' OR (a.allocated_until <= now()) IS TRUE FROM address a
                WHERE a.subnet_id = $1::bigint AND a.ip = $2::inet), true)
                AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = $1 AND $2 BETWEEN r.first AND r.last
                    AND (r.expires_at IS NULL OR r.expires_at > now()))
            """, subnet.id, address)[0].get(0, as: Bool.self)
        guard subnet.gateway != address, isFree else {
            throw Allocator.refuse(
                address, subnet, .held,
                try AddressOwners.whoHas(address, in: subnet, connection) ?? "somebody else was just given it")
        }
    }

    /// What is free in one snapshot is free, locked, or about to be somebody's: only too few of all these is the end.
    ///
    /// - Throws: ``NetworkError`` with code `exhausted`, with the counts.
    package static func checkRoom(for count: Int, in subnet: SubnetRef, _ connection: Connection) throws {
        let usage = try SubnetUsage.read(subnet.id, in: connection)
        guard usage.obtainable < UInt128(count) else { return }
        _ = try guestPools(of: subnet, connection)
        let outside = subnet.gateway == nil ? "in no pool" : "in no pool or the gateway"
        throw NetworkError(
            .exhausted,
            "subnet \(subnet.title) has \(usage.obtainable) free of the \(count) asked for: of \(usage.total) usable addresses "
                + "\(usage.held) are held, \(usage.reserved) reserved, \(usage.quarantined) quarantined, and "
                + "\(usage.outside) \(outside)")
    }
}
