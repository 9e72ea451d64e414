internal import Addressing
internal import Postgres

/// Says in words who has an address.
enum AddressOwners {
    /// `nil` where nobody has it.
    ///
    /// - Parameter isPooled: whether it may be allocated at all; of one that may not, a quarantine is no reason.
    static func whoHas(
        _ address: IPAddress, in subnet: SubnetRef, isPooled: Bool = true, _ connection: Connection
    ) throws -> String? {
        if subnet.gateway == address { return "it is the gateway" }
        let row = try connection.query(
            """
            SELECT a.state, a.allocated_to, a.owner, c.name,
                coalesce((SELECT v.name FROM vm v WHERE a.owner = 'vm' AND v.account_id = a.account_id AND v.id = a.owner_id),
                    (SELECT h.name FROM host h WHERE a.owner = 'host' AND h.account_id = a.account_id AND h.id = a.owner_id)),
                a.until
            FROM address a LEFT JOIN account c ON c.id = a.account_id
            WHERE a.subnet_id = $1::bigint AND a.ip = $2::inet
            """, subnet.id, address
        ).first
        if let row {
            if let kind: String = try row.get(2) {
                let name = try row.get(4, as: String?.self) ?? "an unnamed one"
                return "\(kind == "vm" ? "VM" : "host") \(name) (\(try row.get(3, as: String.self))) holds it"
            }
            if let owner: String = try row.get(1) { return "it is allocated to \"\(owner)\"" }
        }
        let reserved = try connection.query(
            """
            SELECT owner FROM reservation WHERE subnet_id = $1::bigint AND $2::inet BETWEEN first AND last
                AND (expires_at IS NULL OR expires_at > now())
            """, subnet.id, address
        ).first
        if let owner = try reserved?.get(0, as: String.self) { return "it is reserved for \"\(owner)\"" }
        if isPooled, let row, let until: Timestamp = try row.get(5) {
            return "it is in quarantine until \(until.wholeSecond)"
        }
        return nil
    }
}
