package import Addressing
package import Postgres

/// The table `reservation`: addresses that only their owner may be given, by name. Making or ending one confirms the
/// subnet: no sync may take away what a person said of it.
package enum ReservationTable {
    /// - Throws: ``NetworkError`` with code `invalid`, `overlap` or `held`.
    package static func reserve(
        _ range: AddressRange, of subnet: SubnetRef, owner: String, note: String?, expires: Timestamp?,
        in connection: Connection
    ) throws {
        try OwnerText.check(owner, of: "owner")
        if let note { try OwnerText.check(note, of: "note") }
        guard subnet.cidr.contains(range.first), subnet.cidr.contains(range.last) else {
            throw NetworkError(.invalid, "\(range) is not inside subnet \(subnet.title)")
        }
        if let expires { _ = try Expiry.at(expires).moment(of: "a reservation", in: connection) }
        try SubnetTable.lock([subnet.id], in: connection)
        try SubnetTable.confirm(subnet, in: connection)
        try endExpired(of: subnet.id, in: connection)
        try PoolTable.take(range, of: subnet.id, in: connection)
        let held = try connection.query(
            """
            SELECT ip FROM address WHERE subnet_id = $1::bigint AND ip BETWEEN $2::inet AND $3::inet
                AND state = 'held' AND allocated_to IS DISTINCT FROM $4::text AND allocated_to IS NOT NULL ORDER BY ip LIMIT 1
            """, subnet.id, range.first, range.last, owner
        ).first
        if let address = try held?.get(0, as: IPAddress.self) {
            let who = try AddressOwners.whoHas(address, in: subnet, connection) ?? "it is held"
            throw NetworkError(.held, "\(range) of subnet \(subnet.title) cannot be reserved: \(address): \(who)")
        }
        // The subnet is locked: nobody makes another one meanwhile.
        let other = try connection.query(
            """
            SELECT first, last, owner FROM reservation
            WHERE subnet_id = $1::bigint AND inetrange(first, last, '[]') && inetrange($2::inet, $3::inet, '[]')
            ORDER BY first LIMIT 1
            """, subnet.id, range.first, range.last
        ).first
        if let other, let reserved = AddressRange(try other.get(0), try other.get(1)) {
            throw NetworkError(
                .overlap,
                "\(range) of subnet \(subnet.title) cannot be reserved: \(reserved) is reserved for "
                    + "\"\(try other.get(2, as: String.self))\" already")
        }
        try connection.execute(
            """
            INSERT INTO reservation (subnet_id, first, last, owner, note, expires_at)
            VALUES ($1::bigint, $2::inet, $3::inet, $4::text, $5::text, $6::timestamptz)
            """, subnet.id, range.first, range.last, owner, note, expires)
    }

    /// Ends every reservation inside the range; one that is only partly inside is refused.
    ///
    /// - Throws: ``NetworkError`` with code `not_held` or `invalid`.
    package static func unreserve(_ range: AddressRange, of subnet: SubnetRef, in connection: Connection) throws {
        try SubnetTable.lock([subnet.id], in: connection)
        let rows = try connection.query(
            """
            SELECT id, first, last FROM reservation
            WHERE subnet_id = $1::bigint AND inetrange(first, last, '[]') && inetrange($2::inet, $3::inet, '[]') ORDER BY first
            """, subnet.id, range.first, range.last)
        guard !rows.isEmpty else {
            throw NetworkError(.notHeld, "\(range) of subnet \(subnet.title) is not reserved")
        }
        for row in rows {
            guard let reserved = AddressRange(try row.get(1), try row.get(2)) else { continue }
            guard range.contains(reserved) else {
                throw NetworkError(
                    .invalid,
                    "\(range) is a part of the reservation \(reserved) of subnet \(subnet.title); name all of it")
            }
            try end(try row.get(0), reserved, of: subnet.id, in: connection)
        }
        try SubnetTable.confirm(subnet, in: connection)
    }

    static func endExpired(of subnet: Int64, in connection: Connection) throws {
        let over = "SELECT id, first, last FROM reservation WHERE subnet_id = $1::bigint AND expires_at <= now()"
        guard try !connection.query(over, subnet).isEmpty else { return }
        try SubnetTable.lock([subnet], in: connection)
        for row in try connection.query(over, subnet) {
            guard let range = AddressRange(try row.get(1), try row.get(2)) else { continue }
            try end(try row.get(0), range, of: subnet, in: connection)
        }
    }

    private static func end(_ id: Int64, _ range: AddressRange, of subnet: Int64, in connection: Connection) throws {
        try connection.execute("DELETE FROM reservation WHERE id = $1::bigint", id)
        try PoolTable.giveBack(range, of: subnet, in: connection)
    }
}
