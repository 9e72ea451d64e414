internal import Addressing
package import Postgres

/// How many of a subnet's usable addresses are what: each is counted once.
package struct SubnetUsage: Sendable, Hashable {
    package let total: UInt128
    package let held: UInt128
    package let reserved: UInt128
    package let quarantined: UInt128
    /// In a pool of any role and obtainable now.
    package let free: UInt128
    package let outside: UInt128
    /// In a pool for guests and obtainable now.
    package let obtainable: UInt128

    /// - Throws: ``NetworkError`` with code `not_found`.
    package static func read(_ subnet: Int64, in connection: Connection) throws -> SubnetUsage {
        let row = try connection.query(
            """
            SELECT total::text, held::text, reserved::text, quarantined::text, free::text, outside::text, obtainable::text
            FROM subnet_usage WHERE subnet_id = $1::bigint
            """, subnet
        ).first
        guard let row else { throw NetworkError(.notFound, "there is no subnet with the id \(subnet) any more") }
        func number(_ column: Int) throws -> UInt128 { UInt128(try row.get(column, as: String.self)) ?? 0 }
        return try SubnetUsage(
            total: number(0), held: number(1), reserved: number(2), quarantined: number(3), free: number(4),
            outside: number(5), obtainable: number(6))
    }
}
