package import Postgres

/// A question whose answer is a table: one statement that gives one JSON object a row.
///
/// The objects are the stable interface of `-o json`, documented in the README; `columns` are those a table shows.
package struct Listing: Sendable {
    /// What a table shows of a row, and of which field.
    package struct Column: Sendable {
        package let title: String
        package let field: String
        /// May be cut short where the terminal is narrow.
        package let shrinks: Bool
        /// Shows the row's counts as a bar; see ``Utilisation``.
        package let isBar: Bool
        /// Stands in lines of its own below the row where the terminal is too narrow.
        package let isNote: Bool
        /// Names what the row is about, and is cut short last.
        package let isKey: Bool
        /// Between the items of a text that is a list of them.
        package let separator: Character?
        /// What every value begins with, and a table leaves out.
        package let prefix: String

        package init(
            _ title: String, _ field: String, shrinks: Bool = false, isBar: Bool = false, isNote: Bool = false,
            isKey: Bool = false, separator: Character? = nil,
            without prefix: String = ""
        ) {
            self.title = title
            self.field = field
            self.shrinks = shrinks
            self.isBar = isBar
            self.isNote = isNote
            self.isKey = isKey
            self.separator = separator
            self.prefix = prefix
        }

        /// How much of a row's addresses is what.
        package static let use = Column("USE", "total", isBar: true)
    }

    package let name: String
    let sql: String
    package let columns: [Column]

    /// The rows, each a JSON object.
    ///
    /// - Parameter filters: the statement's parameters, in order; all optional ones are `nil` for no filter.
    package func rows(_ filters: [(any PostgresEncodable)?] = [], in connection: Connection) throws -> [JSONValue] {
        let rows = try connection.query(
            "SELECT coalesce(json_agg(t), '[]')::jsonb FROM (\(sql)) t", parameters: filters)
        let json: JSON = try rows[0].get(0)
        return try json.decoded(as: [JSONValue].self).map { UnplacedSentence.decorate($0) }
    }

    /// The names of the fields, which a listing has without a row, too.
    package func fields(in connection: Connection) throws -> [String] {
        let parameters = sql.matches(of: #/\$(\d+)/#).compactMap { Int($0.1) }.max() ?? 0
        return try connection.query(
            "SELECT * FROM (\(sql)) t LIMIT 0", parameters: Array(repeating: nil, count: parameters)
        ).columnNames
    }
}

extension Listing {
    /// Whether `$1` means the account `a`.
    private static let isAccount = "(a.name = $1 OR a.id::text = $1)"

    /// No filter; or `$1` an account's name or id.
    package static let accounts = Listing(
        name: "account",
        sql: """
            SELECT a.id, a.name, a.url, a.kind, a.identity, a.site, CASE WHEN a.enabled THEN 'enabled' ELSE 'disabled' END AS state,
                j.state AS last_sync_state,
                to_char(j.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS last_sync_at,
                (SELECT count(*) FROM host h WHERE h.account_id = a.id) AS hosts,
                (SELECT count(*) FROM vm v WHERE v.account_id = a.id) AS vms,
                (SELECT count(*) FROM placement p WHERE p.account_id = a.id AND p.reason IS NOT NULL) AS unplaced,
                a.username, a.trust, extract(epoch FROM a.every)::bigint AS every_seconds,
                extract(epoch FROM a.grace)::bigint AS grace_seconds, a.ignored, a.network_hints, a.vm_jobs,
                j.error AS last_sync_error
            FROM account a
            LEFT JOIN LATERAL (
                SELECT j.state, coalesce(j.finished_at, j.started_at, j.queued_at) AS at, j.error FROM job j
                WHERE j.kind = 'sync' AND j.subject = 'account:' || a.id
                ORDER BY j.state = 'queued', j.id DESC LIMIT 1) j ON true
            WHERE $1::text IS NULL OR \(isAccount)
            ORDER BY a.name
            """,
        columns: [
            .init("ID", "id"), .init("NAME", "name"), .init("KIND", "kind"), .init("SITE", "site"),
            .init("STATE", "state"),
            .init("LAST SYNC", "last_sync_state"), .init("HOSTS", "hosts"), .init("VMS", "vms"),
            .init("UNPLACED", "unplaced"), .init("URL", "url", isNote: true),
        ])

    /// `$1` account, `$2` state, `$3` id, `$4` limit.
    package static let jobs = Listing(
        name: "job",
        sql: """
            SELECT j.id, j.kind, coalesce(j.payload ->> 'account', j.label) AS account,
                CASE WHEN j.subject LIKE 'vm:%' THEN j.label END AS vm, j.state, r.phase, r.done, r.total, j.attempt,
                to_char(j.queued_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS queued_at,
                to_char(r.started_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS started_at,
                to_char(j.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS finished_at,
                round(extract(epoch FROM coalesce(j.finished_at, now()) - r.started_at)::numeric, 1) AS seconds,
                j.findings, j.error, j.error_code, r.worker
            FROM job j
            -- What the last attempt came to is nothing that a job in the queue is at.
            LEFT JOIN job r ON r.id = j.id AND j.state <> 'queued'
            WHERE ($1::text IS NULL OR coalesce(j.payload ->> 'account', j.label) = $1 OR j.subject = 'account:' || $1) AND ($2::text IS NULL OR j.state = $2)
                AND ($3::bigint IS NULL OR j.id = $3)
            ORDER BY j.id DESC LIMIT coalesce($4::int, 50)
            """,
        columns: [
            .init("ID", "id"), .init("KIND", "kind"), .init("ACCOUNT", "account"), .init("VM", "vm", shrinks: true),
            .init("STATE", "state"), .init("SECONDS", "seconds"), .init("DONE", "done"), .init("FINDINGS", "findings"),
            .init("ERROR", "error", isNote: true),
        ])

    private static let addressState = """
        CASE WHEN p.reason IS NULL AND p.subnet_id IS NOT NULL THEN 'held' ELSE 'unplaced' END
        """

    /// `$1` account, `$2` host name or id.
    package static let hosts = Listing(
        name: "host",
        sql: """
            SELECT a.name AS account, h.name, h.id, h.uuid, h.datacenter, h.cluster, h.connection_state, h.version,
                h.missing_since IS NOT NULL AS missing,
                coalesce((SELECT json_agg(json_build_object('ip', host(n.ip), 'device', n.device, 'subnet', s.name,
                        'state', \(addressState)) ORDER BY n.device, n.ip)
                    FROM nic_address n LEFT JOIN placement p USING (account_id, owner, owner_id, device, ip)
                    LEFT JOIN subnet s ON s.id = p.subnet_id AND p.reason IS NULL
                    WHERE n.account_id = h.account_id AND n.owner = 'host' AND n.owner_id = h.id), '[]') AS addresses,
                coalesce((SELECT json_agg(\(UnplacedListing.object) ORDER BY u.device, u.ip)
                    FROM unplaced u WHERE u.account_id = h.account_id AND u.owner = 'host' AND u.owner_id = h.id), '[]')
                    AS unplaced
            FROM host h JOIN account a ON a.id = h.account_id
            WHERE ($1::text IS NULL OR \(isAccount)) AND ($2::text IS NULL OR h.name = $2 OR h.id = $2 OR h.uuid = $2)
            ORDER BY a.name, h.name, h.id
            """,
        columns: [
            .init("ACCOUNT", "account"), .init("NAME", "name"), .init("CLUSTER", "cluster"),
            .init("STATE", "connection_state"), .init("ADDRESSES", "addresses"),
        ])

    /// `$1` account, `$2` switch name or id.
    package static let switches = Listing(
        name: "switch",
        sql: """
            SELECT a.name AS account, s.name, s.id, s.kind, h.name AS host, s.datacenter, w.name AS wire,
                l.origin AS link_origin, l.native_vlan,
                coalesce((SELECT json_agg(json_build_object('host', coalesce(ph.name, pl.host_id), 'wire', pw.name)
                        ORDER BY ph.name)
                    FROM link pl JOIN wire pw ON pw.id = pl.wire_id
                    LEFT JOIN host ph ON ph.account_id = pl.account_id AND ph.id = pl.host_id
                    WHERE pl.account_id = s.account_id AND pl.switch_id = s.id AND pl.host_id <> ''), '[]') AS host_links
            FROM switch s JOIN account a ON a.id = s.account_id
            LEFT JOIN host h ON h.account_id = s.account_id AND h.id = s.host_id
            LEFT JOIN link l ON l.account_id = s.account_id AND l.switch_id = s.id AND l.host_id = ''
            LEFT JOIN wire w ON w.id = l.wire_id
            WHERE ($1::text IS NULL OR \(isAccount)) AND ($2::text IS NULL OR s.name = $2 OR s.id = $2)
            ORDER BY a.name, s.name, h.name, s.id
            """,
        columns: [
            .init("ACCOUNT", "account"), .init("NAME", "name"), .init("KIND", "kind"), .init("HOST", "host"),
            .init("WIRE", "wire", shrinks: true), .init("LINK", "link_origin"), .init("NATIVE", "native_vlan"),
        ])

    /// `$1` account, `$2` port group name or id.
    package static let portGroups = Listing(
        name: "portgroup",
        sql: """
            SELECT a.name AS account, p.name, p.id, s.name AS switch, h.name AS host, p.kind, p.vlan_mode, p.vlan_id,
                CASE WHEN p.vlan_ranges IS NOT NULL THEN (SELECT json_agg(json_build_array(lower(r), upper(r) - 1))
                    FROM unnest(p.vlan_ranges) r) END AS vlan_ranges, p.uplink
            FROM portgroup p JOIN account a ON a.id = p.account_id
            JOIN switch s ON s.account_id = p.account_id AND s.id = p.switch_id
            LEFT JOIN host h ON h.account_id = p.account_id AND h.id = p.host_id
            WHERE ($1::text IS NULL OR \(isAccount)) AND ($2::text IS NULL OR p.name = $2 OR p.id = $2)
            ORDER BY a.name, s.name, h.name, p.name, p.id
            """,
        columns: [
            .init("ACCOUNT", "account"), .init("NAME", "name", shrinks: true), .init("SWITCH", "switch"),
            .init("HOST", "host"), .init("VLAN", "vlan_id"), .init("MODE", "vlan_mode"),
        ])

    /// `$1` account, `$2` VM name, id or UUID, `$3` only those with unplaced addresses.
    package static let virtualMachines = Listing(
        name: "vm",
        sql: """
            SELECT a.name AS account, v.name, v.id, v.instance_uuid AS uuid, h.name AS host, v.power_state, v.template,
                v.missing_since IS NOT NULL AS missing,
                coalesce((SELECT json_agg(json_build_object('mac', n.mac, 'device', n.device,
                        'portgroup', coalesce(pg.name, n.network_name), 'switch', s.name, 'wire', w.name,
                        'addresses', (SELECT coalesce(json_agg(json_build_object('ip', host(x.ip), 'subnet', sn.name,
                            'state', \(addressState), 'live', x.live) ORDER BY x.ip), '[]')
                            FROM nic_address x LEFT JOIN placement p USING (account_id, owner, owner_id, device, ip)
                            LEFT JOIN subnet sn ON sn.id = p.subnet_id AND p.reason IS NULL
                            WHERE x.account_id = n.account_id AND x.owner = n.owner AND x.owner_id = n.owner_id
                                AND x.device = n.device)) ORDER BY n.device)
                    FROM nic n
                    JOIN nic_attachment t USING (account_id, owner, owner_id, device)
                    LEFT JOIN portgroup pg ON pg.account_id = n.account_id AND pg.id = n.portgroup_id
                    LEFT JOIN switch s ON s.account_id = n.account_id AND s.id = pg.switch_id
                    LEFT JOIN wire w ON w.id = t.wire_id
                    WHERE n.account_id = v.account_id AND n.owner = 'vm' AND n.owner_id = v.id), '[]') AS nics,
                coalesce((SELECT json_agg(\(UnplacedListing.object) ORDER BY u.ip)
                    FROM unplaced u WHERE u.account_id = v.account_id AND u.owner = 'vm' AND u.owner_id = v.id), '[]')
                    AS unplaced,
                v.sync_ips
            FROM vm v JOIN account a ON a.id = v.account_id
            LEFT JOIN host h ON h.account_id = v.account_id AND h.id = v.host_id
            WHERE ($1::text IS NULL OR \(isAccount))
                AND ($2::text IS NULL OR v.name = $2 OR v.id = $2 OR v.instance_uuid = lower($2))
                AND (NOT coalesce($3::boolean, false) OR v.sync_ips IS NOT NULL)
            ORDER BY a.name, v.name, v.id
            """,
        columns: [
            .init("ACCOUNT", "account"), .init("NAME", "name", shrinks: true), .init("HOST", "host", shrinks: true),
            .init("POWER", "power_state", without: "powered"), .init("ADDRESSES", "nics"),
            .init("SYNC_IPS", "sync_ips", separator: ","),
        ])

    /// `$1` wire name or id.
    package static let wires = Listing(
        name: "wire",
        sql: """
            SELECT w.id, w.name, w.site, w.origin,
                (SELECT count(DISTINCT (l.account_id, l.switch_id)) FROM link l WHERE l.wire_id = w.id) AS switches,
                (SELECT count(DISTINCT (m.account_id, m.host_id)) FROM link l JOIN switch_host m
                    ON m.account_id = l.account_id AND m.switch_id = l.switch_id
                    AND (l.host_id = '' OR l.host_id = m.host_id)
                    WHERE l.wire_id = w.id) AS hosts,
                (SELECT count(*) FROM subnet s WHERE s.wire_id = w.id) AS subnets, \(UsageListing.fields)
            FROM wire w
            CROSS JOIN LATERAL (\(UsageListing.ofWire)) u
            WHERE $1::text IS NULL OR w.name = $1 OR w.id::text = $1
            ORDER BY w.name
            """,
        columns: [
            .init("NAME", "name", shrinks: true), .init("SITE", "site"), .init("ORIGIN", "origin"),
            .init("SWITCHES", "switches"), .init("HOSTS", "hosts"), .init("SUBNETS", "subnets"), .use,
            .init("HELD", "held"), .init("FREE", "free"),
        ])

    /// `$1` subnet name or id, `$2` wire name or id.
    package static let subnets = Listing(
        name: "subnet", sql: SubnetListing.sql,
        columns: [
            .init("NAME", "name", shrinks: true), .init("WIRE", "wire", shrinks: true),
            .init("CIDR", "cidr", isKey: true),
            .init("VLAN", "vlan_id"), .init("SURE", "confirmed"), .use, .init("HELD", "held"), .init("FREE", "free"),
        ])

    /// `$1` subnet id.
    package static let addresses = Listing(
        name: "ip",
        sql: AddressListing.sql + " WHERE s.id = $1::bigint ORDER BY t.first",
        columns: AddressListing.columns.filter { $0.field != "subnet" })

    /// `$1` an address, MAC, or a VM's or host's name.
    package static let found = Listing(
        name: "ip",
        sql: AddressListing.sql + """
             WHERE t.ip = $1::text OR t.mac::text = lower($1) OR t.owner = $1 OR t.allocated_to = $1 ORDER BY t.first, s.name
            """,
        columns: AddressListing.columns)

    /// `$1` account, `$2` an address. Grouped for a person: reason first.
    package static let unplaced = Listing(
        name: "unplaced",
        sql: """
            SELECT a.name AS account, u.owner AS kind, u.name AS name, u.device, host(u.ip) AS ip, u.reason, u.switch,
                u.switch_host, u.portgroup, u.vlan_id, u.untagged, u.native_vlan, u.vlan_ranges, u.wire, u.subnets,
                u.candidates, u.holder, u.switch_call, u.pin_host, u.link_others, u.host_others, u.creation
            FROM unplaced u JOIN account a ON a.id = u.account_id
            WHERE ($1::text IS NULL OR \(isAccount)) AND ($2::inet IS NULL OR u.ip = $2)
            ORDER BY u.reason, a.name, u.name, u.ip
            """,
        columns: [
            .init("REASON", "reason"), .init("ACCOUNT", "account"), .init("NAME", "name"),
            .init("IP", "ip", isKey: true),
            .init("MESSAGE", "message", shrinks: true),
        ])
}
