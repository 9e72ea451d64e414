internal import Addressing
internal import Foundation
internal import Postgres

/// What callers' keys were answered: the same key with the same request gives the same addresses, in any process and
/// across a crash, because key and addresses are written in one transaction.
enum AllocationKeys {
    enum Standing {
        case new(Int64)
        case answered([IPAddress])
    }

    private struct Fingerprint: Codable, Equatable {
        var subnet: Int64
        var count: Int
        var policy: String?
        var address: String?
        var owner: String
        var expires: Int64?
    }

    /// - Throws: ``NetworkError`` with code `key`.
    static func open(
        _ key: String, for request: AllocationRequest, by caller: String, _ subnet: SubnetRef, in connection: Connection
    ) throws -> Standing {
        let fingerprint = Fingerprint(
            subnet: subnet.id, count: request.count, policy: request.policy?.rawValue,
            address: request.address?.description, owner: request.owner, expires: request.expires?.microseconds)
        try connection.execute(
            """
            DELETE FROM allocation_key k WHERE k.caller = $1::text AND k.key = $2::text
                AND k.released_at < now() - interval '24 hours'
                AND NOT EXISTS (SELECT FROM address a WHERE a.key_id = k.id)
            """, caller, key)
        // Waits for whoever is answering the same key just now.
        let inserted = try connection.query(
            """
            INSERT INTO allocation_key (caller, key, request, subnet_id) VALUES ($1::text, $2::text, $3::jsonb, $4::bigint)
            ON CONFLICT (caller, key) DO NOTHING RETURNING id
            """, caller, key, try JSON(encoding: fingerprint), subnet.id)
        if let row = inserted.first { return .new(try row.get(0)) }
        let row = try connection.query(
            """
            SELECT request, ips, released_at FROM allocation_key WHERE caller = $1::text AND key = $2::text
            """, caller, key
        ).one()
        guard try row.get(0, as: JSON.self).decoded(as: Fingerprint.self) == fingerprint else {
            throw NetworkError(
                .key, "the key \"\(key)\" was used for another request; choose a new key for a new request")
        }
        if let released: Timestamp = try row.get(2) {
            throw NetworkError(
                .key,
                "addresses that the key \"\(key)\" was answered with were released at \(released); choose a new key")
        }
        return .answered(try row.get(1))
    }

    static func answer(_ id: Int64, _ addresses: [IPAddress], in connection: Connection) throws {
        try connection.execute(
            "UPDATE allocation_key SET ips = $2::inet[] WHERE id = $1::bigint", id, addresses)
    }
}
