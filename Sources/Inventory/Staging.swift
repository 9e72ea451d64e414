package import Addressing
package import Postgres
internal import SQL

/// Where a reading of an account lands before it is believed: temporary tables of one connection.
///
/// Rows are buffered and copied in chunks outside any transaction, so that a reading of an hour holds nothing up.
package final class Staging {
    /// Rows of a table kept before they are copied.
    private static let chunk = 4_000

    private struct Table {
        let name: String
        let columns: [String]
        var rows: [[(any PostgresEncodable)?]] = []
    }

    private let connection: Connection
    private let account: Int64
    private var hosts = Table(
        name: "stage_host",
        columns: [
            "id", "name", "uuid", "datacenter", "cluster", "connection_state", "maintenance", "version", "managed_by",
            "gateways", "network_known", "keep",
        ])
    private var physicalNICs = Table(name: "stage_pnic", columns: ["host_id", "device", "mac", "speed_mb"])
    private var switches = Table(
        name: "stage_switch", columns: ["id", "kind", "name", "uuid", "host_id", "datacenter", "keep"])
    private var switchHosts = Table(name: "stage_switch_host", columns: ["switch_id", "host_id", "uplinks"])
    private var portGroups = Table(
        name: "stage_portgroup",
        columns: [
            "id", "switch_id", "host_id", "name", "kind", "vlan_mode", "vlan_id", "vlan_ranges", "uplink", "vlan_known",
        ])
    private var virtualMachines = Table(
        name: "stage_vm",
        columns: [
            "id", "name", "instance_uuid", "bios_uuid", "host_id", "power_state", "template", "tools", "hostname",
            "managed_by", "adapters_known", "guest_known", "quiet", "keep",
        ])
    private var nics = Table(
        name: "stage_nic",
        columns: [
            "owner", "owner_id", "device", "label", "mac", "connected", "network_kind", "network_name", "portgroup_id",
            "host_id", "services", "netstack", "management",
        ])
    private var addresses = Table(
        name: "stage_nic_address", columns: ["owner", "owner_id", "device", "ip", "prefix_length", "live"])

    /// - Parameter connection: used by nobody else until the merge is done.
    package init(of account: Int64, on connection: Connection) throws {
        self.connection = connection
        self.account = account
        try restart()
    }

    /// Forgets what was staged, as when a reading begins again, and keeps when it began, by the database's clock: what
    /// others wrote since is newer than what this reading will tell.
    package func restart() throws {
        for table in [
            \Staging.hosts, \.physicalNICs, \.switches, \.switchHosts, \.portGroups, \.virtualMachines, \.nics,
            \.addresses,
        ] {
            self[keyPath: table].rows.removeAll(keepingCapacity: true)
        }
        try connection.script(Queries.staging)
        try connection.execute(
            "INSERT INTO reading (account_id, began) VALUES ($1::bigint, clock_timestamp())", account)
    }

    package func add(_ host: StagedHost) throws {
        try add(
            [
                host.id, host.name, host.uuid, host.datacenter, host.cluster, host.connectionState,
                host.inMaintenanceMode,
                host.version, host.managedBy, host.gateways, host.networkKnown, host.keep,
            ], to: \.hosts)
    }

    package func addPhysicalNIC(host: String, device: String, mac: MACAddress?, speed: Int?) throws {
        try add([host, device, mac, speed], to: \.physicalNICs)
    }

    package func add(_ item: StagedSwitch) throws {
        try add([item.id, item.kind, item.name, item.uuid, item.host, item.datacenter, item.keep], to: \.switches)
    }

    package func addMember(host: String, of switchID: String, uplinks: [String]) throws {
        try add([switchID, host, uplinks], to: \.switchHosts)
    }

    package func add(_ group: StagedPortGroup) throws {
        let vlan = group.vlan
        let ranges: String? = if case .trunk(let ranges) = vlan { Self.multirange(ranges) } else { nil }
        let id: Int? =
            switch vlan {
            case .untagged: 0
            case .tagged(let id): id.rawValue
            case .trunk, .unmatchable: nil
            }
        let mode =
            switch vlan {
            case .untagged: "access"
            case .tagged: group.isPrivate ? "private" : "access"
            case .trunk: "trunk"
            case .unmatchable: "none"
            }
        try add(
            [
                group.id, group.switchID, group.host, group.name, group.kind, mode, id, ranges, group.isUplink,
                group.vlanKnown,
            ], to: \.portGroups)
    }

    package func add(_ vm: StagedVM) throws {
        try add(
            [
                vm.id, vm.name, vm.instanceUUID, vm.biosUUID, vm.host, vm.powerState, vm.isTemplate, vm.tools,
                vm.hostName,
                vm.managedBy, vm.adaptersKnown, vm.guestKnown, vm.isQuiet, vm.keep,
            ], to: \.virtualMachines)
    }

    package func add(_ nic: StagedNIC) throws {
        try add(
            [
                nic.owner, nic.ownerID, nic.device, nic.label, nic.mac, nic.connected, nic.networkKind, nic.networkName,
                nic.portGroupID, nic.host, nic.services, nic.netStack, nic.isManagement,
            ], to: \.nics)
    }

    package func addAddress(
        owner: NICOwner, ownerID: String, device: String, ip: IPAddress, prefixLength: Int?, live: Bool
    ) throws {
        try add([owner, ownerID, device, ip, prefixLength, live], to: \.addresses)
    }

    /// Drops what was staged of these VMs.
    package func forget(_ virtualMachines: [String]) throws {
        for table in [\Staging.virtualMachines, \.nics, \.addresses] { try flush(table) }
        try connection.execute("DELETE FROM stage_vm WHERE id = ANY ($1::text[])", virtualMachines)
        for table in ["stage_nic", "stage_nic_address"] {
            try connection.execute(
                "DELETE FROM \(table) WHERE owner = 'vm' AND owner_id = ANY ($1::text[])", virtualMachines)
        }
    }

    /// Copies what is still buffered, and lets the planner know what is there.
    package func finish() throws {
        for table in [
            \Staging.hosts, \.physicalNICs, \.switches, \.switchHosts, \.portGroups, \.virtualMachines, \.nics,
            \.addresses,
        ] {
            try flush(table)
        }
        // The merged tables' statistics say nothing of a new account: with an index on this side, a plan made for one row
        // is as good as any. Of statistics, only those of the columns that are joined.
        try connection.script(
            """
            CREATE INDEX IF NOT EXISTS stage_host_key ON stage_host (id);
            CREATE INDEX IF NOT EXISTS stage_pnic_key ON stage_pnic (host_id, device);
            CREATE INDEX IF NOT EXISTS stage_switch_key ON stage_switch (id);
            CREATE INDEX IF NOT EXISTS stage_switch_host_key ON stage_switch_host (switch_id, host_id);
            CREATE INDEX IF NOT EXISTS stage_portgroup_key ON stage_portgroup (id);
            CREATE INDEX IF NOT EXISTS stage_vm_key ON stage_vm (id);
            CREATE INDEX IF NOT EXISTS stage_nic_key ON stage_nic (owner_id, device);
            CREATE INDEX IF NOT EXISTS stage_nic_address_key ON stage_nic_address (owner_id, device);
            ANALYZE stage_host (id), stage_pnic (host_id, device), stage_switch (id),
                stage_switch_host (switch_id, host_id), stage_portgroup (id), stage_vm (id),
                stage_nic (owner_id, device), stage_nic_address (owner_id, device);
            """)
    }

    private func add(_ row: [(any PostgresEncodable)?], to table: ReferenceWritableKeyPath<Staging, Table>) throws {
        self[keyPath: table].rows.append(row)
        if self[keyPath: table].rows.count >= Self.chunk { try flush(table) }
    }

    private func flush(_ table: ReferenceWritableKeyPath<Staging, Table>) throws {
        let rows = self[keyPath: table].rows
        guard !rows.isEmpty else { return }
        try connection.copyIn(self[keyPath: table].name, columns: self[keyPath: table].columns, rows: rows)
        self[keyPath: table].rows.removeAll(keepingCapacity: true)
    }

    /// The text of an int4multirange, without what no subnet can have.
    private static func multirange(_ ranges: [ClosedRange<Int>]) -> String {
        "{" + ranges.map { "[\($0.lowerBound),\($0.upperBound)]" }.joined(separator: ",") + "}"
    }
}
