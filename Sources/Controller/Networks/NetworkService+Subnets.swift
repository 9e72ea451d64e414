package import Addressing
package import IPAM
package import Postgres

extension NetworkService {
    package func createSubnet(_ request: SubnetRequest, onWire wireName: String) throws -> Effect {
        try Name.check(request.name, of: "subnet")
        return try change { connection in
            let wire = try WireTable.named(wireName, in: connection)
            let absorbed = try SubnetTable.unconfirmed(in: request.cidr, request.vlan, wire: wire.id, in: connection)
            try touch([request.cidr] + absorbed.map(\.cidr), in: connection)
            _ = try SubnetTable.create(request, on: wire, in: connection)
            return try placeTouched(in: connection)
        }
    }

    /// Changes what is given, and confirms the subnet: with nothing given, that alone.
    package func updateSubnet(_ name: String, _ edit: SubnetEdit) throws -> Effect {
        if let name = edit.name { try Name.check(name, of: "subnet") }
        if case .some(.some(let suffix)) = edit.dnsSuffix { try SubnetText.check(dnsSuffix: suffix) }
        if case .some(.some(let text)) = edit.description { try SubnetText.check(description: text) }
        return try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            let cidr = edit.cidr ?? subnet.cidr
            let absorbed = try SubnetTable.unconfirmed(
                in: cidr, edit.vlan ?? subnet.vlan, wire: edit.wire?.id ?? subnet.wire, in: connection)
            try touch([subnet.cidr, cidr] + absorbed.map(\.cidr), in: connection)
            try SubnetTable.update(subnet, edit, in: connection)
            return try placeTouched(in: connection)
        }
    }

    /// - Parameter force: also with addresses held, allocated or reserved in it, all of which are let go.
    /// - Returns: what was let go of, in words, and what became of the addresses.
    package func deleteSubnet(_ name: String, force: Bool) throws -> (released: [String], effect: Effect) {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try touch([subnet.cidr], in: connection)
            let released = try SubnetTable.delete(subnet, force: force, in: connection)
            return (released, try placeTouched(in: connection))
        }
    }

    @discardableResult
    package func addPools(_ pools: [PoolRequest], toSubnet name: String) throws -> Effect {
        try changeWithin(name) { subnet, connection in
            for pool in pools {
                try PoolTable.check(pool.range, in: subnet)
                if let other = try PoolTable.pools(of: subnet.id, in: connection).map(\.range).first(
                    where: pool.range.overlaps)
                {
                    throw NetworkError(
                        .overlap, "subnet \(subnet.title): the pool \(pool.range) overlaps its pool \(other)")
                }
                try PoolTable.add(pool, to: subnet.id, in: connection)
            }
        }
    }

    /// Takes a range out of the pools; what is held in it stays held.
    @discardableResult
    package func removePools(_ range: AddressRange, ofSubnet name: String) throws -> Effect {
        try changeWithin(name) { subnet, connection in
            let pools = try PoolTable.pools(of: subnet.id, in: connection)
            guard pools.contains(where: { $0.range.overlaps(range) }) else {
                throw NetworkError(.notFound, "no pool of subnet \(subnet.title) has an address of \(range)")
            }
            try PoolTable.remove(range, of: subnet.id, in: connection)
        }
    }

    @discardableResult
    package func reserve(
        _ range: AddressRange, ofSubnet name: String, owner: String, note: String?, expires: Timestamp?
    ) throws -> Effect {
        try changeWithin(name) { subnet, connection in
            try ReservationTable.reserve(
                range, of: subnet, owner: owner, note: note, expires: expires, in: connection)
        }
    }

    @discardableResult
    package func unreserve(_ range: AddressRange, ofSubnet name: String) throws -> Effect {
        try changeWithin(name) { subnet, connection in
            try ReservationTable.unreserve(range, of: subnet, in: connection)
        }
    }

    /// A change of what is in a subnet, which confirms it. That alone can place addresses, or end placements elsewhere.
    private func changeWithin(_ name: String, _ body: (SubnetRef, Connection) throws -> Void) throws -> Effect {
        try change { connection in
            let subnet = try SubnetTable.named(name, in: connection)
            try touch([subnet.cidr], in: connection)
            try SubnetTable.lock([subnet.id], in: connection)
            try SubnetTable.settle(subnet.id, in: connection)
            try body(subnet, connection)
            try SubnetTable.confirm(subnet, in: connection)
            return try placeTouched(in: connection)
        }
    }
}
