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
        /// The moment that was named, in microseconds.
        var expires: Int64?
        /// The duration that was named, in microseconds.
        var after: Int64?

        init(_ request: AllocationRequest, _ subnet: Int64) {
            self.subnet = subnet
            count = request.count
            policy = request.policy?.rawValue
            address = request.address?.description
            owner = request.owner
            switch request.expires {
            case .at(let moment): expires = moment.microseconds
            case .after(let duration): after = duration.wholeMicroseconds
            case nil: break
            }
        }
    }

    /// A key is forgotten a day after what it was answered with was released.
    private static let forgotten = """
        k.released_at < now() - interval '24 hours' AND NOT EXISTS (SELECT FROM address a WHERE a.key_id = k.id)
        """

    /// Whether the time of what a key was answered with is over, though nobody has ended it yet.
    static func isOver(_ key: String, by caller: String, in connection: Connection) throws -> Bool {
        try connection.query(
            """
            SELECT EXISTS (SELECT FROM allocation_key k JOIN address a ON a.key_id = k.id
                WHERE k.caller = $1::text AND k.key = $2::text AND a.allocated_until <= now())
            """, caller, key)[0].get(0)
    }

    /// What a key was answered; `nil` for one that is new, or forgotten.
    ///
    /// - Throws: ``NetworkError`` with code `key`.
    static func find(
        _ key: String, for request: AllocationRequest, by caller: String, _ subnet: SubnetRef, in connection: Connection
    ) throws -> [IPAddress]? {
        let row = try connection.query(
            """
            SELECT k.request, k.ips, coalesce(k.released_at, (SELECT min(a.allocated_until) FROM address a
                WHERE a.key_id = k.id AND a.allocated_until <= now()))
            FROM allocation_key k WHERE k.caller = $1::text AND k.key = $2::text AND (\(forgotten)) IS NOT TRUE
            """, caller, key
        ).first
        guard let row else { return nil }
        guard try row.get(0, as: JSON.self).decoded(as: Fingerprint.self) == Fingerprint(request, subnet.id) else {
            throw NetworkError(
                .key, "the key \"\(key)\" was used for another request; choose a new key for a new request")
        }
        if let released: Timestamp = try row.get(2) {
            throw NetworkError(
                .key,
                "addresses that the key \"\(key)\" was answered with were released at \(released.wholeSecond); choose a new key"
            )
        }
        return try row.get(1)
    }

    /// - Throws: ``NetworkError`` with code `key`.
    static func open(
        _ key: String, for request: AllocationRequest, by caller: String, _ subnet: SubnetRef, in connection: Connection
    ) throws -> Standing {
        try connection.execute(
            "DELETE FROM allocation_key k WHERE k.caller = $1::text AND k.key = $2::text AND \(forgotten)", caller, key)
        if let request = request.virtualMachineRequest { try requireOpen(request, in: connection) }
        // Waits for whoever is answering the same key just now.
        let inserted = try connection.query(
            """
            INSERT INTO allocation_key (caller, key, request, subnet_id, vm_request_id)
            VALUES ($1::text, $2::text, $3::jsonb, $4::bigint, $5::bigint)
            ON CONFLICT (caller, key) DO NOTHING RETURNING id
            """, caller, key, try JSON(encoding: Fingerprint(request, subnet.id)), subnet.id,
            request.virtualMachineRequest)
        if let row = inserted.first { return .new(try row.get(0)) }
        guard let addresses = try find(key, for: request, by: caller, subnet, in: connection) else {
            throw NetworkError(.busy, "the key \"\(key)\" was forgotten just now; try again")
        }
        return .answered(addresses)
    }

    /// Whoever ends the request waits for this, and lets go of what it was given: nobody is given anything for it afterwards, such
    /// as a worker that was away and does not know yet that its job is over.
    private static func requireOpen(_ request: Int64, in connection: Connection) throws {
        let row = try connection.query(
            "SELECT state = 'open' FROM vm_request WHERE id = $1::bigint FOR SHARE", request
        ).first
        guard try row?.get(0) == true else {
            throw NetworkError(.key, "the request for the VM has ended: no address is held for it any more")
        }
    }

    /// - Parameter subnet: where they are, which is not where they were looked for if that was split meanwhile.
    static func answer(_ id: Int64, _ addresses: [IPAddress], of subnet: Int64, in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE allocation_key SET ips = $2::inet[], subnet_id = $3::bigint,
                request = jsonb_set(request, '{subnet}', to_jsonb($3)) WHERE id = $1::bigint
            """, id, addresses, subnet)
    }

    /// Removes the keys that are forgotten; at most `limit`.
    static func purge(atMost limit: Int, in connection: Connection) throws {
        try connection.execute(
            """
            DELETE FROM allocation_key WHERE id IN (
                SELECT k.id FROM allocation_key k WHERE \(forgotten) ORDER BY k.released_at LIMIT $1::int
                FOR UPDATE SKIP LOCKED)
            """, limit)
    }
}
