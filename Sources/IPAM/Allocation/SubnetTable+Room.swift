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

    /// What is free in one snapshot is free, locked, or about to be somebody's: only too few of all these is the end.
    ///
    /// - Throws: ``NetworkError`` with code `exhausted`, with the counts.
    package static func checkRoom(for count: Int, in subnet: SubnetRef, _ connection: Connection) throws {
        let usage = try SubnetUsage.read(subnet.id, in: connection)
        guard usage.obtainable < UInt128(count) else { return }
        _ = try guestPools(of: subnet, connection)
        throw NetworkError(
            .exhausted,
            "subnet \(subnet.title) has \(usage.obtainable) free of the \(count) asked for: of \(usage.total) usable addresses "
                + "\(usage.held) are held, \(usage.reserved) reserved, \(usage.quarantined) quarantined, and \(usage.outside) in "
                + "no pool")
    }
}
