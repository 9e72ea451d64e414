internal import Addressing
internal import Inventory
internal import Jobs
internal import Postgres
internal import VSphere

/// Reads, hourly at most, what an account's hosts see of the physical network: evidence for `wire suggest`, and nothing
/// that a sync depends on, so that no trouble here is one of the sync.
struct NetworkHints {
    let account: Account
    let connection: Connection

    /// What the hosts said, by their ids; `nil` where it was not time to ask. Hosts that could not be asked are none.
    func readIfDue(_ session: VSphereSession, _ context: JobContext) throws -> [String: [NetworkHint]]? {
        guard account.networkHints, try isDue() else { return nil }
        context.report(phase: "hints")
        do {
            return try session.networkHints()
        } catch {
            context.log(
                .info, code: "no_hints",
                message: "the hosts of \(account.name) did not say what they see of the physical network: \(error)")
            return [:]
        }
    }

    /// Whether the last attempt was long enough ago; this one counts, whatever becomes of it and of its sync.
    private func isDue() throws -> Bool {
        try !connection.query(
            """
            INSERT INTO hint_reading AS r (account_id, at) VALUES ($1::bigint, now())
            ON CONFLICT (account_id) DO UPDATE SET at = now() WHERE r.at <= now() - interval '1 hour'
            RETURNING at
            """, account.id
        ).isEmpty
    }

    /// Within the sync's final transaction. Hosts that did not answer keep what they said before.
    func write(_ hints: [String: [NetworkHint]]) throws {
        let hosts = hints.keys.sorted()
        for table in ["physical_neighbour", "observed_network"] {
            try connection.execute(
                "DELETE FROM \(table) WHERE account_id = $1::bigint AND host_id = ANY ($2::text[])", account.id, hosts)
        }
        for host in hosts {
            for hint in hints[host] ?? [] {
                for (protocolName, neighbour) in [("cdp", hint.cdp), ("lldp", hint.lldp)] {
                    guard let neighbour else { continue }
                    try connection.execute(
                        """
                        INSERT INTO physical_neighbour (account_id, host_id, device, protocol, switch, port)
                        VALUES ($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::text) ON CONFLICT DO NOTHING
                        """, account.id, host, hint.device, protocolName, neighbour.name, neighbour.port)
                }
                for subnet in hint.subnets {
                    guard let network = Self.network(subnet.range) else { continue }
                    try connection.execute(
                        """
                        INSERT INTO observed_network (account_id, host_id, device, vlan_id, network)
                        VALUES ($1::bigint, $2::text, $3::text, $4::int, $5::cidr) ON CONFLICT DO NOTHING
                        """, account.id, host, hint.device, subnet.vlan, network)
                }
            }
        }
    }

    /// The smallest prefix that has both ends of a range as a host writes it; `nil` where it is none.
    static func network(_ range: String) -> CIDR? {
        let ends = range.split(separator: "-").compactMap { try? IPAddress(parsing: String($0)) }
        guard ends.count == 2, let first = ends.first, let last = ends.last, first.family == last.family else {
            return nil
        }
        return (1...first.family.bitWidth).reversed().lazy.compactMap { CIDR(containing: first, prefixLength: $0) }
            .first { $0.contains(last) }
    }
}
