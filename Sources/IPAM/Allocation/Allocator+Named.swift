internal import Addressing
internal import Postgres
internal import SQL

extension Allocator {
    /// The one address that is wanted, also out of its quarantine, or reserved for the owner.
    func take(_ address: IPAddress, for request: AllocationRequest) throws -> Allocation {
        do {
            return try takeOnce(address, for: request)
        } catch let over as IsOver {
            try database.withConnection { try SubnetTable.settle(over.subnet, in: $0) }
            do { return try takeOnce(address, for: request) } catch let over as IsOver { throw over.refusal }
        }
    }

    /// Whoever has it, has it no longer; nobody has ended that yet.
    private struct IsOver: Error {
        let subnet: Int64
        let refusal: NetworkError
    }

    private func takeOnce(_ address: IPAddress, for request: AllocationRequest) throws -> Allocation {
        try database.transaction { connection in
            try actor.declare(in: connection)
            let subnet = try SubnetTable.named(request.subnet, in: connection)
            let given = try attempt(request, subnet, in: connection) { ticket in
                let subnet = try SubnetTable.shared(request.subnet, in: connection)
                try take(address, for: request, subnet, ticket, in: connection)
                return Found(subnet: subnet.id, addresses: [address])
            }
            guard let given else { throw DatabaseError(.bug, "a named address was neither given nor refused") }
            return given
        }
    }

    private func take(
        _ address: IPAddress, for request: AllocationRequest, _ subnet: SubnetRef, _ ticket: Ticket,
        in connection: Connection
    ) throws {
        try Self.checkPlace(of: address, for: request.owner, in: subnet, connection)
        let rows = try connection.query(
            Queries.allocateOne, subnet.id, address, request.owner, ticket.until, ticket.key)
        guard rows.isEmpty else { return }
        let refusal = Self.refuse(
            address, subnet, .held,
            try AddressOwners.whoHas(address, in: subnet, connection) ?? "somebody else was just given it")
        let isOver = try !connection.query(
            "SELECT FROM address WHERE subnet_id = $1::bigint AND ip = $2::inet AND allocated_until <= now()",
            subnet.id,
            address
        ).isEmpty
        if isOver { throw IsOver(subnet: subnet.id, refusal: refusal) }
        throw refusal
    }

    /// Whether a named address of a subnet can be this owner's at all: it is in a pool, or reserved for the owner.
    ///
    /// - Parameter owner: `nil` for somebody whom nothing is reserved for.
    static func checkPlace(
        of address: IPAddress, for owner: String?, in subnet: SubnetRef, _ connection: Connection
    ) throws {
        guard subnet.cidr.contains(address) else { throw refuse(address, subnet, .invalid, "it is not in it") }
        guard subnet.cidr.usable.contains(address) else {
            throw refuse(address, subnet, .invalid, "it is its network or broadcast address")
        }
        guard
            try PoolTable.pools(of: subnet.id, in: connection).contains(where: { $0.range.contains(address) })
                || isReserved(address, for: owner, subnet, in: connection)
        else {
            throw refuse(
                address, subnet, .held,
                try AddressOwners.whoHas(address, in: subnet, isPooled: false, connection)
                    ?? "it is in no pool; add one: wireloom subnet pool add \(subnet.name) \(address), or reserve it: "
                    + "wireloom subnet reserve \(subnet.name) \(address) --owner OWNER")
        }
    }

    private static func isReserved(
        _ address: IPAddress, for owner: String?, _ subnet: SubnetRef, in connection: Connection
    ) throws -> Bool {
        try !connection.query(
            """
            SELECT FROM reservation WHERE subnet_id = $1::bigint AND $2::inet BETWEEN first AND last AND owner = $3::text
                AND (expires_at IS NULL OR expires_at > now())
            """, subnet.id, address, owner
        ).isEmpty
    }

    static func refuse(
        _ address: IPAddress, _ subnet: SubnetRef, _ code: NetworkError.Code, _ why: String
    ) -> NetworkError {
        NetworkError(code, "\(address) cannot be allocated from subnet \(subnet.title): \(why)")
    }
}
