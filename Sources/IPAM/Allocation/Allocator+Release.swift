package import Addressing
internal import Postgres
internal import SQL

extension Allocator {
    /// Ends allocations: the addresses go into quarantine, except those that an adapter has, which stay its own.
    ///
    /// - Parameter owner: refuse if any is allocated to somebody else; `nil`: whoever has it.
    /// - Throws: ``NetworkError`` with code `not_found`, `not_held` or `held`; then none is released.
    package func release(_ addresses: [IPAddress], ofSubnet name: String, owner: String? = nil) throws {
        try database.transaction { connection in
            try actor.declare(in: connection)
            let subnet = try SubnetTable.named(name, in: connection)
            let rows = try connection.query(
                """
                SELECT ip, allocated_to FROM address WHERE subnet_id = $1::bigint AND ip = ANY ($2::inet[])
                ORDER BY ip FOR UPDATE
                """, subnet.id, addresses)
            var owners: [IPAddress: String] = [:]
            for row in rows { owners[try row.get(0)] = try row.get(1, as: String?.self) }
            for address in addresses {
                guard let holder = owners[address] else {
                    throw NetworkError(.notHeld, try whyNotReleasable(address, subnet, in: connection))
                }
                guard owner == nil || owner == holder else {
                    throw NetworkError(
                        .held,
                        "\(address) of subnet \(subnet.title) is allocated to \"\(holder)\", not to \"\(owner ?? "")\"")
                }
            }
            try connection.execute(Queries.releaseAllocation, subnet.id, addresses)
        }
    }

    private func whyNotReleasable(_ address: IPAddress, _ subnet: SubnetRef, in connection: Connection) throws -> String
    {
        let start = "\(address) of subnet \(subnet.title) has no allocation to release"
        guard let who = try AddressOwners.whoHas(address, in: subnet, connection) else {
            return start + ": nobody holds it"
        }
        return "\(start): \(who)" + (who.hasSuffix("holds it") ? ", and keeps it until a sync ends that" : "")
    }
}
