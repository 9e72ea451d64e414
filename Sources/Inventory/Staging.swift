package import Addressing
internal import Crypto
internal import Foundation
package import Postgres
internal import SQL

/// Where a reading of an account lands before it is believed: temporary tables of one connection.
///
/// Rows are buffered and copied in chunks outside any transaction, so that a reading of an hour holds nothing up. Of a VM
/// that is as the last reading found it, no more is staged than that it is there.
package final class Staging {
    /// Rows of a table kept before they are copied.
    private static let chunk = 4_000

    private struct Table {
        let name: String
        let columns: [String]
        var text = CopyText()
    }

    private let connection: Connection
    private let account: Int64
    private let comparesVirtualMachines: Bool
    /// The digests of the VMs of which nothing would be written if the same were staged again, by their ids.
    private var known: [String: UUID] = [:]
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
            "managed_by", "adapters_known", "guest_known", "quiet", "keep", "digest",
            "unchanged",
        ])
    private var nics = Table(
        name: "stage_nic",
        columns: [
            "owner", "owner_id", "device", "label", "mac", "connected", "network_kind", "network_name", "portgroup_id",
            "host_id", "services", "netstack", "management",
        ])
    private var addresses = Table(
        name: "stage_nic_address", columns: ["owner", "owner_id", "device", "ip", "prefix_length", "live"])

    /// - Parameters:
    ///   - connection: used by nobody else until the merge is done.
    ///   - comparesVirtualMachines: whether VMs are compared with what was staged of them last; else all are staged.
    package init(of account: Int64, on connection: Connection, comparesVirtualMachines: Bool) throws {
        self.connection = connection
        self.account = account
        self.comparesVirtualMachines = comparesVirtualMachines
        try restart()
    }

    /// Forgets what was staged, as when a reading begins again, and keeps when it began, by the database's clock: what
    /// others wrote since is newer than what this reading will tell.
    package func restart() throws {
        for table in [
            \Staging.hosts, \.physicalNICs, \.switches, \.switchHosts, \.portGroups, \.virtualMachines, \.nics,
            \.addresses,
        ] {
            self[keyPath: table].text.removeAll()
        }
        try connection.script(Queries.staging)
        try connection.execute(
            "INSERT INTO reading (account_id, began) VALUES ($1::bigint, clock_timestamp())", account)
        guard comparesVirtualMachines else { return }
        // After the reading began: what is written since counts for newer than it.
        known = [:]
        for row in try connection.query(Queries.settledVMs, account) { known[try row.get(0)] = try row.get(1) }
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

    package func add(_ nic: StagedNIC) throws { try add(Self.row(nic), to: \.nics) }

    package func add(_ address: StagedAddress) throws { try add(Self.row(address), to: \.addresses) }

    package func add(_ machine: StagedMachine) throws {
        let vm = machine.vm
        var text = CopyText()
        try text.append(fields: [
            vm.id, vm.name, vm.instanceUUID, vm.biosUUID, vm.host, vm.powerState, vm.isTemplate, vm.tools, vm.hostName,
            vm.managedBy, vm.adaptersKnown, vm.guestKnown, vm.isQuiet, vm.keep,
        ])
        let nics = try Self.text(machine.nics.map(Self.row))
        let addresses = try Self.text(machine.addresses.map(Self.row))
        // What could not be read is asked for until it can be.
        let digest: UUID? =
            vm.adaptersKnown && vm.keep.isEmpty ? Self.digest([text.bytes, nics.bytes, addresses.bytes]) : nil
        if let digest, known[vm.id] == digest {
            // As if nothing of it could be read: what is known of it stays.
            return try add(
                [
                    vm.id, vm.name, nil, nil, nil, nil, false, nil, nil, nil, false, false, false, [String](), digest,
                    true,
                ],
                to: \.virtualMachines)
        }
        try text.append(fields: [digest, false])
        text.endRow()
        try add(text, to: \.virtualMachines)
        try add(nics, to: \.nics)
        try add(addresses, to: \.addresses)
    }

    private static func row(_ nic: StagedNIC) -> [(any PostgresEncodable)?] {
        [
            nic.owner, nic.ownerID, nic.device, nic.label, nic.mac, nic.connected, nic.networkKind, nic.networkName,
            nic.portGroupID, nic.host, nic.services, nic.netStack, nic.isManagement,
        ]
    }

    private static func row(_ address: StagedAddress) -> [(any PostgresEncodable)?] {
        [address.owner, address.ownerID, address.device, address.ip, address.prefixLength, address.live]
    }

    private static func text(_ rows: [[(any PostgresEncodable)?]]) throws -> CopyText {
        var text = CopyText()
        for row in rows {
            try text.append(fields: row)
            text.endRow()
        }
        return text
    }

    /// The first half of a SHA-256.
    private static func digest(_ parts: [[UInt8]]) -> UUID {
        var hash = SHA256()
        for part in parts {
            hash.update(data: part)
            // No text holds it.
            hash.update(data: [0])
        }
        return hash.finalize().withUnsafeBytes { UUID(uuid: $0.loadUnaligned(as: uuid_t.self)) }
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
        try add(Self.text([row]), to: table)
    }

    private func add(_ rows: CopyText, to table: ReferenceWritableKeyPath<Staging, Table>) throws {
        self[keyPath: table].text.append(rows: rows)
        if self[keyPath: table].text.rows >= Self.chunk { try flush(table) }
    }

    private func flush(_ table: ReferenceWritableKeyPath<Staging, Table>) throws {
        guard self[keyPath: table].text.rows > 0 else { return }
        try connection.copyIn(
            self[keyPath: table].name, columns: self[keyPath: table].columns, text: self[keyPath: table].text)
        self[keyPath: table].text.removeAll()
    }

    /// The text of an int4multirange, without what no subnet can have.
    private static func multirange(_ ranges: [ClosedRange<Int>]) -> String {
        "{" + ranges.map { "[\($0.lowerBound),\($0.upperBound)]" }.joined(separator: ",") + "}"
    }
}
