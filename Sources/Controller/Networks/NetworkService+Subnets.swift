package import Addressing
package import IPAM
package import Postgres
internal import SQL

extension NetworkService {
    package func createSubnet(_ request: SubnetRequest, onWire wireName: String) throws -> Effect {
        try Name.check(request.name, of: "subnet")
        return try change { connection in
            let wire = try WireTable.named(wireName, in: connection)
            _ = try SubnetTable.create(request, on: wire, in: connection)
            try connection.execute(Queries.touchPrefix, request.cidr)
            return try placeTouched(in: connection)
        }
    }

    /// Changes what is given, and confirms the subnet: with nothing given, that alone.
    package func updateSubnet(_ name: String, _ edit: SubnetEdit) throws -> Effect {
        if let name = edit.name { try Name.check(name, of: "subnet") }
        return try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try connection.execute(Queries.touchPrefix, subnet.cidr)
            if let cidr = edit.cidr, cidr != subnet.cidr { try touchBeyond(subnet.cidr, cidr, in: connection) }
            try SubnetTable.update(subnet, edit, in: connection)
            return try placeTouched(in: connection)
        }
    }

    /// - Parameter force: also with addresses held, allocated or reserved in it, all of which are let go.
    package func deleteSubnet(_ name: String, force: Bool) throws -> Effect {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try connection.execute(Queries.touchPrefix, subnet.cidr)
            try SubnetTable.delete(subnet, force: force, in: connection)
            return try placeTouched(in: connection)
        }
    }

    package func addPools(_ pools: [PoolRequest], toSubnet name: String) throws {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try SubnetTable.lock([subnet.id], in: connection)
            for pool in pools {
                try PoolTable.check(pool.range, in: subnet)
                try PoolTable.add(pool, to: subnet.id, in: connection)
            }
            try SubnetTable.confirm(subnet, in: connection)
        }
    }

    /// Takes a range out of the pools; what is held in it stays held.
    package func removePools(_ range: AddressRange, ofSubnet name: String) throws {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try SubnetTable.lock([subnet.id], in: connection)
            let pools = try PoolTable.pools(of: subnet.id, in: connection)
            guard pools.contains(where: { $0.range.overlaps(range) }) else {
                throw NetworkError(.notFound, "no pool of subnet \(subnet.title) has an address of \(range)")
            }
            try PoolTable.remove(range, of: subnet.id, in: connection)
            try SubnetTable.confirm(subnet, in: connection)
        }
    }

    package func reserve(
        _ range: AddressRange, ofSubnet name: String, owner: String, note: String?, expires: Timestamp?
    ) throws {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try ReservationTable.reserve(
                range, of: subnet, owner: owner, note: note, expires: expires, in: connection)
        }
    }

    package func unreserve(_ range: AddressRange, ofSubnet name: String) throws {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try ReservationTable.unreserve(range, of: subnet, in: connection)
        }
    }

    /// The addresses that a prefix gains over another are touched, too.
    private func touchBeyond(_ known: CIDR, _ cidr: CIDR, in connection: Connection) throws {
        try connection.execute(
            """
            INSERT INTO touched (account_id, owner, owner_id, device, ip)
            SELECT account_id, owner, owner_id, device, ip FROM nic_address
            WHERE ip <<= $1::inet AND NOT ip <<= $2::inet
            """, cidr, known)
    }
}
