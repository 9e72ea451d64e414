package import Addressing
package import Postgres

/// A subnet, as far as its addresses are concerned.
package struct SubnetRef: Sendable, Hashable {
    package let id: Int64
    package let name: String
    package let wire: Int64
    package let cidr: CIDR
    package let vlan: VLANID
    package let gateway: IPAddress?
    package let isConfirmed: Bool

    /// `name (10.0.4.0/24)`.
    package var title: String { "\(name) (\(cidr))" }
}

extension SubnetTable {
    /// By name or id.
    ///
    /// - Throws: ``NetworkError`` with code `not_found`, or `ambiguous_name` where it is one's name and another's id.
    package static func named(_ name: String, in connection: Connection) throws -> SubnetRef {
        let rows = try connection.query(
            """
            SELECT id, name, wire_id, cidr, vlan_id, gateway, confirmed FROM subnet
            WHERE name = $1::text OR id = CASE WHEN $1 ~ '^[0-9]{1,18}$' THEN $1::bigint END
            ORDER BY name = $1 DESC LIMIT 2
            """, name)
        guard let row = rows.first else {
            throw NetworkError(.notFound, "there is no subnet \"\(name)\"; see: wireloom subnet list")
        }
        let subnet = try ref(row)
        if rows.count > 1 {
            let other = try ref(rows[1])
            throw NetworkError(
                .ambiguousName,
                "\"\(name)\" is the name of one subnet, whose id is \(subnet.id), and the id of another, whose name is "
                    + "\"\(other.name)\"; write what only one of them is called")
        }
        return subnet
    }

    static func ref(_ row: Row) throws -> SubnetRef {
        try SubnetRef(
            id: row.get(0), name: row.get(1), wire: row.get(2), cidr: row.get(3), vlan: row.get(4), gateway: row.get(5),
            isConfirmed: row.get(6))
    }

    /// Keeps the subnet and its pools as they are while addresses are inserted: edits wait, other insertions do not.
    package static func share(_ subnet: Int64, in connection: Connection) throws {
        _ = try connection.query("SELECT FROM subnet WHERE id = $1::bigint FOR KEY SHARE", subnet)
    }

    /// The subnet of a name or id, kept as it is for the rest of the transaction.
    ///
    /// - Throws: ``NetworkError`` with code `not_found`, also where it went while it was waited for.
    static func shared(_ name: String, in connection: Connection) throws -> SubnetRef {
        var subnet = try named(name, in: connection)
        while true {
            try share(subnet.id, in: connection)
            let now = try named(name, in: connection)
            if now.id == subnet.id { return now }
            subnet = now
        }
    }

    /// Locks subnets for a change of theirs or of their pools, ascending by id.
    package static func lock(_ subnets: [Int64], in connection: Connection) throws {
        _ = try connection.query("SELECT FROM subnet WHERE id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE", subnets)
        _ = try connection.query(
            "SELECT FROM pool WHERE subnet_id = ANY ($1::bigint[]) ORDER BY id FOR UPDATE", subnets)
    }

    /// Locks every row of subnets whose own rows are locked, for a change that moves addresses: an allocation from free
    /// rows holds nothing else, and what it gave is seen from now on.
    static func lockAddresses(_ subnets: [Int64], in connection: Connection) throws {
        try connection.execute(
            """
            WITH locked AS MATERIALIZED (
                SELECT FROM address WHERE subnet_id = ANY ($1::bigint[]) ORDER BY subnet_id, ip FOR UPDATE)
            SELECT count(*) FROM locked
            """, subnets)
    }
}
