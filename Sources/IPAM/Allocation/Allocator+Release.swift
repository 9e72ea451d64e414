package import Addressing
internal import Postgres
internal import SQL

extension Allocator {
    /// Ends allocations: the addresses go into quarantine, except those that an adapter has, which stay its own.
    ///
    /// Where the subnet was split or became a part of another, they are looked for where they are now.
    ///
    /// - Parameters:
    ///   - owner: refuse if any is allocated to somebody else; `nil`: whoever has it.
    ///   - assigned: also what a VM was made with, as far as it does not report it any more.
    /// - Throws: ``NetworkError`` with code `not_found`, `invalid`, `not_held` or `held`; then none is released.
    package func release(
        _ addresses: [IPAddress], ofSubnet name: String, owner: String? = nil, assigned: Bool = false
    ) throws {
        try database.transaction { connection in
            try actor.declare(in: connection)
            let named = try SubnetTable.named(name, in: connection)
            let homes = try SubnetTable.homes(of: addresses, near: named, in: connection)
            let rows = try connection.query(
                """
                SELECT a.subnet_id, a.ip, a.allocated_to, q.name, q.job_id, q.state = 'open' FROM address a
                LEFT JOIN allocation_key k ON k.id = a.key_id
                LEFT JOIN vm_request q ON q.id = k.vm_request_id
                WHERE a.subnet_id = ANY ($1::bigint[]) AND a.ip = ANY ($2::inet[]) ORDER BY a.subnet_id, a.ip
                FOR UPDATE OF a
                """, Set(homes.values.map(\.id)).sorted(), addresses)
            var owners: [IPAddress: String] = [:]
            for row in rows {
                let address: IPAddress = try row.get(1)
                guard try homes[address]?.id == row.get(0, as: Int64.self) else { continue }
                owners[address] = try row.get(2, as: String?.self)
                if let machine: String = try row.get(3) {
                    try refuseAssigned(
                        address, homes[address] ?? named, to: machine, job: row.get(4), isOpen: row.get(5), assigned)
                }
            }
            for address in addresses {
                let subnet = homes[address] ?? named
                guard subnet.cidr.contains(address) else {
                    throw NetworkError(.invalid, "\(address) is not in subnet \(subnet.title)")
                }
                guard let holder = owners[address] else {
                    throw NetworkError(.notHeld, try whyNotReleasable(address, subnet, in: connection))
                }
                guard owner == nil || owner == holder else {
                    throw NetworkError(
                        .held,
                        "\(address) of subnet \(subnet.title) is allocated to \"\(holder)\", not to \"\(owner ?? "")\"")
                }
            }
            for (subnet, group) in Dictionary(grouping: addresses, by: { homes[$0]?.id ?? named.id }) {
                if assigned { try letGo(group, of: subnet, in: connection) }
                try connection.execute(Queries.releaseAllocation, subnet, group)
            }
        }
    }

    /// A VM's own address, that it was made with, is not let go of by the way.
    private func refuseAssigned(
        _ address: IPAddress, _ subnet: SubnetRef, to machine: String, job: Int64?, isOpen: Bool, _ assigned: Bool
    ) throws {
        if isOpen {
            let cancel = job.map { "; to end that: wireloom job cancel \($0)" } ?? ""
            throw NetworkError(
                .held, "\(address) of subnet \(subnet.title) is held for VM \(machine), which is being made\(cancel)")
        }
        guard assigned else {
            throw NetworkError(
                .held,
                "\(address) of subnet \(subnet.title) is what VM \(machine) was made with; to let go of it all the same: "
                    + "wireloom ip release \(subnet.name) \(address) --assigned")
        }
    }

    /// Takes adapters off addresses that they do not report.
    private func letGo(_ addresses: [IPAddress], of subnet: Int64, in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE address a SET account_id = NULL, owner = NULL, owner_id = NULL, device = NULL
            WHERE a.subnet_id = $1::bigint AND a.ip = ANY ($2::inet[]) AND a.account_id IS NOT NULL
                AND a.key_id IN (SELECT id FROM allocation_key WHERE vm_request_id IS NOT NULL)
                AND NOT EXISTS (SELECT FROM nic_address n WHERE (n.account_id, n.owner, n.owner_id, n.device, n.ip)
                    = (a.account_id, a.owner, a.owner_id, a.device, a.ip))
            """, subnet, addresses)
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

extension SubnetTable {
    /// In which subnets addresses are, which stay as they are for the rest of the transaction.
    fileprivate static func homes(
        of addresses: [IPAddress], near subnet: SubnetRef, in connection: Connection
    ) throws -> [IPAddress: SubnetRef] {
        var homes = try containing(addresses, near: subnet, in: connection)
        while true {
            let ids = Set(homes.values.map(\.id) + [subnet.id]).sorted()
            _ = try connection.query(
                "SELECT FROM subnet WHERE id = ANY ($1::bigint[]) ORDER BY id FOR KEY SHARE", ids)
            let now = try containing(addresses, near: subnet, in: connection)
            if now == homes { return now }
            homes = now
        }
    }

    /// In which subnets addresses are: in the one that is named or, where that has been split or has become a part of
    /// another meanwhile, in another of its wire and VLAN.
    static func containing(
        _ addresses: [IPAddress], near subnet: SubnetRef, in connection: Connection
    ) throws -> [IPAddress: SubnetRef] {
        let rows = try connection.query(
            """
            SELECT s.id, s.name, s.wire_id, s.cidr, s.vlan_id, s.gateway, s.confirmed, u.ip
            FROM unnest($1::inet[]) u (ip)
            CROSS JOIN LATERAL (SELECT * FROM subnet s WHERE s.cidr::inet >>= u.ip
                AND (s.id = $2::bigint OR (s.wire_id = $3::bigint AND s.vlan_id = $4::int))
                ORDER BY s.id = $2 DESC LIMIT 1) s
            """, addresses, subnet.id, subnet.wire, subnet.vlan)
        var homes: [IPAddress: SubnetRef] = [:]
        for row in rows { homes[try row.get(7)] = try ref(row) }
        return homes
    }
}
