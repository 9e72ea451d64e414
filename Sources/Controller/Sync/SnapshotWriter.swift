internal import Addressing
internal import Inventory
internal import VSphere

/// Turns what the vSphere API tells of one account into staged inventory: the one place that knows both.
///
/// VMs go to the staging tables as they arrive; hosts, switches and port groups are few and refer to each other in any
/// order, so they wait for the end of the reading.
struct SnapshotWriter {
    private let account: Account
    private let staging: Staging
    private(set) var findings: Set<SyncFinding> = []
    private(set) var hostCount = 0
    var virtualMachineCount: Int { machines.count }

    private var containers: [String: ContainerRecord] = [:]
    private var hosts: [String: HostRecord] = [:]
    private var switches: [String: DistributedSwitchRecord] = [:]
    private var portGroups: [String: DistributedPortGroupRecord] = [:]
    /// What is kept of a VM beside its staged rows.
    private struct Machine {
        var name: String
        var instanceUUID: String?
        var findings: Set<SyncFinding>
    }

    /// The VMs that are there, by id.
    private var machines: [String: Machine] = [:]
    /// VMs that were staged and changed or left since: what was staged of them goes at the end, at once.
    private var outdated: Set<String> = []
    /// The last word of those that changed.
    private var retold: [String: VirtualMachineRecord] = [:]

    init(account: Account, staging: Staging) {
        self.account = account
        self.staging = staging
    }

    mutating func add(_ record: InventoryRecord) throws {
        switch record {
        case .container(let container): containers[container.id] = container
        case .host(let host): hosts[host.id] = host
        case .distributedSwitch(let item): switches[item.id] = item
        case .distributedPortGroup(let group): portGroups[group.id] = group
        case .network: break
        case .virtualMachine(let vm):
            if machines[vm.id] != nil || outdated.contains(vm.id) {
                outdated.insert(vm.id)
                retold[vm.id] = vm
            } else {
                try stage(vm)
            }
        case .removed(let id):
            hosts[id] = nil
            switches[id] = nil
            portGroups[id] = nil
            retold[id] = nil
            if machines.removeValue(forKey: id) != nil { outdated.insert(id) }
        }
    }

    /// Writes what had to wait for the end.
    mutating func finish() throws {
        if !outdated.isEmpty { try staging.forget(outdated.sorted()) }
        for vm in retold.values.sorted(by: { $0.id < $1.id }) { try stage(vm) }
        for machine in machines.values { findings.formUnion(machine.findings) }
        reportSharedUUIDs()
        for host in hosts.values.sorted(by: { $0.id < $1.id }) { try add(host) }
        for item in switches.values.sorted(by: { $0.id < $1.id }) { try add(item) }
        for group in portGroups.values.sorted(by: { $0.id < $1.id }) { try add(group) }
        try staging.finish()
    }

    // MARK: Hosts

    private mutating func add(_ host: HostRecord) throws {
        hostCount += 1
        report(host.unreadable, of: "host \(named(host.name, host.id))")
        if let manager = host.managementServerIP, account.kind == .esxi {
            findings.insert(
                SyncFinding(
                    code: "managed_by_vcenter", subject: host.name,
                    message:
                        "host \(host.name) is managed by the vCenter at \(manager); onboard that vCenter and remove "
                        + "this account, or its VMs are counted twice",
                    fix: "wireloom account remove \(account.name)"))
        }
        var keep = columns(
            unreadable: host.unreadable,
            [
                "summary.hardware.uuid": "uuid", "runtime.connectionState": "connection_state",
                "runtime.inMaintenanceMode": "maintenance", "config.product.version": "version",
                "summary.managementServerIp": "managed_by",
            ])
        if host.uuid == nil { keep.append("uuid") }
        if host.version == nil { keep.append("version") }
        let place = datacenter(of: host.parent, host.unreadable)
        let parent = host.parent.flatMap { containers[$0] }
        if !place.isKnown { keep.append("datacenter") }
        if host.unreadable["parent"] != nil || parent?.unreadable["name"] != nil { keep.append("cluster") }
        try staging.add(
            StagedHost(
                id: host.id, name: host.name, uuid: host.uuid?.lowercased(), datacenter: place.name,
                cluster: parent.flatMap { $0.kind == .cluster ? $0.name : nil },
                connectionState: host.connectionState, inMaintenanceMode: host.inMaintenanceMode, version: host.version,
                managedBy: host.managementServerIP,
                gateways: (host.network?.gateways["defaultTcpipStack"] ?? []).compactMap { IPAddress($0) }.sorted(),
                networkKnown: host.network != nil, keep: keep))
        if let network = host.network { try add(network, of: host, in: place) }
    }

    private mutating func add(
        _ network: HostNetworkRecord, of host: HostRecord, in place: (name: String?, isKnown: Bool)
    ) throws {
        for nic in network.physicalNICs {
            try staging.addPhysicalNIC(
                host: host.id, device: nic.device, mac: nic.mac.flatMap { MACAddress($0) }, speed: nic.linkSpeedMb)
        }
        var names: Set<String> = []
        for item in network.switches where names.insert(item.name).inserted {
            let id = "\(host.id)/\(item.name)"
            try staging.add(
                StagedSwitch(
                    id: id, kind: .standard, name: item.name, uuid: nil, host: host.id, datacenter: place.name,
                    keep: place.isKnown ? [] : ["datacenter"]))
            try staging.addMember(host: host.id, of: id, uplinks: item.uplinks)
        }
        var groups: Set<String> = []
        for group in network.portGroups where groups.insert(group.name).inserted {
            guard names.contains(group.switchName) else {
                findings.insert(
                    SyncFinding(
                        code: "port_group_without_switch", subject: "\(group.name) on \(host.name)",
                        message: "port group \(group.name) of host \(host.name) names the switch "
                            + "\"\(group.switchName)\", which the host does not have"))
                continue
            }
            try staging.add(
                StagedPortGroup(
                    id: "\(host.id)/\(group.name)", switchID: "\(host.id)/\(group.switchName)", host: host.id,
                    name: group.name, kind: .standard, vlan: standardVLAN(group, host)))
        }
        try add(network.vmkernelAdapters, of: host)
    }

    private mutating func standardVLAN(_ group: HostNetworkRecord.StandardPortGroup, _ host: HostRecord)
        -> PortGroupVLAN
    {
        switch group.vlanID {
        case 0: return .untagged
        case 4095: return .trunk([1...4094])
        default:
            if let id = VLANID(group.vlanID) { return .tagged(id) }
            findings.insert(
                SyncFinding(
                    code: "vlan_out_of_range", subject: "\(group.name) on \(host.name)",
                    message:
                        "port group \(group.name) of host \(host.name) has the VLAN id \(group.vlanID), which is none"))
            return .unmatchable
        }
    }

    private mutating func add(_ adapters: [HostNetworkRecord.VMkernelAdapter], of host: HostRecord) throws {
        let selected = adapters.filter { $0.services.contains("management") }.map(\.device)
        let management: Set<String> =
            selected.isEmpty ? Set([lowestOnDefaultStack(adapters)].compactMap { $0 }) : Set(selected)
        var devices: Set<String> = []
        for adapter in adapters where devices.insert(adapter.device).inserted {
            let kind: NetworkKind =
                if adapter.distributedPortGroupKey != nil { .distributed } else if adapter.opaqueNetworkID != nil {
                    .opaque
                } else if adapter.portGroup != nil { .standard } else { .none }
            try staging.add(
                StagedNIC(
                    owner: .host, ownerID: host.id, device: adapter.device, label: nil,
                    mac: adapter.mac.flatMap { MACAddress($0) }, connected: nil, networkKind: kind,
                    networkName: adapter.portGroup ?? adapter.opaqueNetworkID,
                    portGroupID: adapter.distributedPortGroupKey, host: host.id, services: adapter.services.sorted(),
                    netStack: adapter.netStack, isManagement: management.contains(adapter.device)))
            for address in accepted(adapter.addresses, of: "\(adapter.device) of host \(host.name)") {
                try staging.add(
                    StagedAddress(
                        owner: .host, ownerID: host.id, device: adapter.device, ip: address.ip,
                        prefixLength: address.prefixLength, live: host.connectionState ?? "connected" == "connected"))
            }
        }
    }

    private func lowestOnDefaultStack(_ adapters: [HostNetworkRecord.VMkernelAdapter]) -> String? {
        adapters.filter { $0.netStack == nil || $0.netStack == "defaultTcpipStack" }
            .map(\.device)
            .min { ($0.utf8.count, $0) < ($1.utf8.count, $1) }
    }

    // MARK: Distributed switches

    private mutating func add(_ item: DistributedSwitchRecord) throws {
        report(item.unreadable, of: "distributed switch \(named(item.name, item.id))")
        let place = datacenter(of: item.parent, item.unreadable)
        let uuid = hexadecimalDigits(item.uuid)
        var keep: [String] = []
        if !place.isKnown { keep.append("datacenter") }
        if uuid.isEmpty { keep.append("uuid") }
        // Its hosts name it by its UUID, and it names them in its configuration: without either, some may be missing.
        if uuid.isEmpty || item.unreadable["config"] != nil || item.unreadable["summary.hostMember"] != nil {
            keep.append("members")
        }
        try staging.add(
            StagedSwitch(
                id: item.id, kind: .distributed, name: item.name, uuid: uuid.isEmpty ? nil : uuid, host: nil,
                datacenter: place.name, keep: keep))
        var members = Set(item.hosts)
        var uplinks: [String: [String]] = [:]
        for host in hosts.values where !uuid.isEmpty {
            for proxy in host.network?.proxySwitches ?? [] where hexadecimalDigits(proxy.distributedSwitchUUID) == uuid
            {
                members.insert(host.id)
                uplinks[host.id] = proxy.uplinks.sorted()
            }
        }
        for host in members.sorted() where hosts[host] != nil {
            try staging.addMember(host: host, of: item.id, uplinks: uplinks[host] ?? [])
        }
    }

    private mutating func add(_ group: DistributedPortGroupRecord) throws {
        report(group.unreadable, of: "distributed port group \(named(group.name, group.id))")
        let parentKnown = group.unreadable["config.distributedVirtualSwitch"] == nil
        let owner = group.distributedSwitch.flatMap { switches[$0] }
        guard owner != nil || !parentKnown else {
            findings.insert(
                SyncFinding(
                    code: "port_group_without_switch", subject: named(group.name, group.id),
                    message: "distributed port group \(group.name) (\(group.id)) belongs to no switch that can be read")
            )
            return
        }
        let isTrunk = if case .trunk = group.vlan { true } else { false }
        let isUplink =
            group.isUplink || owner?.uplinkPortGroups.contains(group.id) == true
            || (isTrunk && group.name.contains("-DVUplinks-"))
        let switchKnown = owner.map { $0.unreadable["config"] == nil } ?? false
        let uplinkKnown =
            isUplink || switchKnown && group.unreadable["config.uplink"] == nil && group.unreadable["tag"] == nil
        var vlanKnown =
            group.vlan != nil && group.unreadable["config.backingType"] == nil
            && group.unreadable["config.logicalSwitchUuid"] == nil
        var vlan = PortGroupVLAN.unmatchable
        var isPrivate = false
        switch group.vlan {
        case _ where isUplink || group.isNSX: break
        case .id(0): vlan = .untagged
        case .id(let id): vlan = VLANID(id).map(PortGroupVLAN.tagged) ?? .unmatchable
        case .trunk(let ranges): vlan = .trunk(ranges.sorted { $0.lowerBound < $1.lowerBound })
        case .privateVLAN(let secondary):
            isPrivate = true
            if let primary = owner?.privateVLANs?[secondary].flatMap({ VLANID($0) }) {
                vlan = .tagged(primary)
            } else if !switchKnown {
                vlanKnown = false
            } else {
                findings.insert(
                    SyncFinding(
                        code: "private_vlan_unreadable", subject: group.name,
                        message: "the primary id of the private VLAN \(secondary) of port group \(group.name) on "
                            + "\(owner?.name ?? "its switch") could not be read, so its adapters match no subnet"))
            }
        case .unknown, nil: break
        }
        try staging.add(
            StagedPortGroup(
                id: group.key, switchID: owner?.id, host: nil, name: group.name, kind: .distributed, vlan: vlan,
                isPrivate: isPrivate && vlan != .unmatchable, isUplink: uplinkKnown ? isUplink : nil,
                vlanKnown: vlanKnown || isUplink))
    }

    // MARK: Virtual machines

    /// Stages a VM, with its findings apart from the others: they are dropped with it.
    private mutating func stage(_ vm: VirtualMachineRecord) throws {
        let others = findings
        findings = []
        defer { findings = others }
        try add(vm)
        machines[vm.id] = Machine(
            name: named(vm.name, vm.id), instanceUUID: vm.instanceUUID?.lowercased(), findings: findings)
    }

    private mutating func add(_ vm: VirtualMachineRecord) throws {
        report(vm.unreadable, of: "VM \(named(vm.name, vm.id))")
        checkUUID(of: vm)
        let inaccessible = vm.adapters == nil
        var keep = columns(
            unreadable: vm.unreadable,
            [
                "config.instanceUuid": "instance_uuid", "config.uuid": "bios_uuid", "runtime.host": "host_id",
                "runtime.powerState": "power_state", "config.template": "template",
                "guest.toolsRunningStatus": "tools", "guest.hostName": "hostname", "config.managedBy": "managed_by",
            ])
        if inaccessible { keep += ["instance_uuid", "bios_uuid", "template", "managed_by"] }
        let guestKnown =
            vm.guestNICs != nil && !keep.contains("power_state") && !keep.contains("tools")
            && vm.unreadable["runtime.connectionState"] == nil
        var machine = StagedMachine(
            StagedVM(
                id: vm.id, name: vm.name, instanceUUID: vm.instanceUUID?.lowercased(),
                biosUUID: vm.biosUUID?.lowercased(),
                host: vm.host, powerState: vm.powerState, isTemplate: vm.isTemplate ?? false,
                tools: vm.toolsRunningStatus,
                hostName: vm.guestHostName, managedBy: vm.managedBy, adaptersKnown: !inaccessible,
                guestKnown: guestKnown && !inaccessible, isQuiet: isQuiet(vm), keep: Array(Set(keep)).sorted()))
        if let adapters = vm.adapters {
            machine.nics = adapters.map { nic($0, of: vm) }
            if guestKnown, vm.isTemplate != true { machine.addresses = guestAddresses(of: vm, adapters) }
        }
        try staging.add(machine)
    }

    private mutating func checkUUID(of vm: VirtualMachineRecord) {
        guard vm.instanceUUID == nil, vm.adapters != nil, vm.unreadable["config.instanceUuid"] == nil else { return }
        findings.insert(
            SyncFinding(
                code: "vm_without_uuid", subject: vm.name,
                message: "VM \(vm.name) (\(vm.id)) has no instance UUID; it is known by its id alone"))
    }

    /// Of the VMs that are there at the end: one that was registered anew while the reading went on is no second one.
    private mutating func reportSharedUUIDs() {
        var names: [String: [String]] = [:]
        for machine in machines.values {
            if let uuid = machine.instanceUUID { names[uuid, default: []].append(machine.name) }
        }
        for (uuid, names) in names where names.count > 1 {
            let names = names.sorted()
            findings.insert(
                SyncFinding(
                    code: "duplicate_uuid", subject: names[0],
                    message: "VMs \(names.joined(separator: " and ")) have one instance UUID, \(uuid)"))
        }
    }

    /// Whether it is certain that a VM's guest is not heard of now: it is off, its Tools do not run, or its host is not in
    /// touch with it, and then whatever is told of the guest is from before.
    private func isQuiet(_ vm: VirtualMachineRecord) -> Bool {
        if let power = vm.powerState, power != "poweredOn" { return true }
        if let connection = vm.connectionState, connection != "connected" { return true }
        if let tools = vm.toolsRunningStatus {
            return !["guestToolsRunning", "guestToolsExecutingScripts"].contains(tools)
        }
        return false
    }

    private func nic(_ adapter: VirtualMachineRecord.Adapter, of vm: VirtualMachineRecord) -> StagedNIC {
        var nic = StagedNIC(
            owner: .vm, ownerID: vm.id, device: String(adapter.key), label: adapter.label,
            mac: adapter.mac.flatMap { MACAddress($0) }, connected: adapter.connected, networkKind: .none,
            networkName: nil, portGroupID: nil, host: vm.host)
        switch adapter.backing {
        case .network(let name, _): (nic.networkKind, nic.networkName) = (.standard, name)
        case .distributedPort(_, let key): (nic.networkKind, nic.portGroupID) = (.distributed, key)
        case .opaque(let id, _): (nic.networkKind, nic.networkName) = (.opaque, id)
        case .none: break
        }
        return nic
    }

    private mutating func guestAddresses(
        of vm: VirtualMachineRecord, _ adapters: [VirtualMachineRecord.Adapter]
    ) -> [StagedAddress] {
        var staged: [StagedAddress] = []
        let live = vm.powerState == "poweredOn" && vm.toolsRunningStatus != nil && !isQuiet(vm)
        let keys = Set(adapters.map(\.key))
        let byMAC = Dictionary(
            adapters.compactMap { adapter in
                adapter.mac.flatMap { MACAddress($0) }.map { ($0, adapter.key) }
            }, uniquingKeysWith: { first, _ in first })
        // -1 is a device of the guest's own, such as a container bridge.
        for nic in vm.guestNICs ?? [] where nic.deviceConfigID != -1 {
            let key =
                keys.contains(nic.deviceConfigID)
                ? nic.deviceConfigID : nic.mac.flatMap { MACAddress($0) }.flatMap { byMAC[$0] }
            guard let key else { continue }
            for address in accepted(nic.addresses, of: "VM \(vm.name)") {
                staged.append(
                    StagedAddress(
                        owner: .vm, ownerID: vm.id, device: String(key), ip: address.ip,
                        prefixLength: address.prefixLength, live: live))
            }
        }
        return staged
    }

    // MARK: What counts

    /// The addresses that count: not loopback, link-local, multicast, temporary, invalid, or on the ignore list.
    private mutating func accepted(
        _ reported: [ReportedAddress], of subject: String
    ) -> [(ip: IPAddress, prefixLength: Int?)] {
        reported.compactMap { address in
            switch address.standing(ignoring: account.ignored) {
            case .counts(let ip): return (ip, address.prefixLength)
            case .unreadable where !address.text.isEmpty:
                findings.insert(
                    SyncFinding(
                        code: "bad_address", subject: subject,
                        message: "\(subject) reports \"\(address.text)\", which is no IP address; it is left out"))
                return nil
            case .tentative, .duplicate, .ignored, .unreadable: return nil
            }
        }
    }

    private mutating func report(_ unreadable: UnreadableProperties, of subject: String) {
        guard !unreadable.isEmpty else { return }
        let paths = unreadable.keys.sorted()
        let faults = Set(unreadable.values).sorted().joined(separator: ", ")
        findings.insert(
            SyncFinding(
                code: "unreadable", subject: subject,
                message:
                    "\(paths.joined(separator: ", ")) of \(subject) could not be read (\(faults)); what was last known "
                    + "stays"))
    }

    private func columns(unreadable: UnreadableProperties, _ columns: [String: String]) -> [String] {
        unreadable.keys.compactMap { path in
            columns[path] ?? columns.first { path.hasPrefix($0.key) || $0.key.hasPrefix(path + ".") }?.value
        }
    }

    /// The datacenter above an object; not known where the way up could not be read.
    private func datacenter(
        of parent: String?, _ unreadable: UnreadableProperties
    ) -> (name: String?, isKnown: Bool) {
        if unreadable["parent"] != nil { return (nil, false) }
        var next = parent
        var steps = 0
        while let id = next, let container = containers[id], steps < 64 {
            if container.kind == .datacenter { return (container.name, container.unreadable["name"] == nil) }
            if container.unreadable["parent"] != nil { return (nil, false) }
            next = container.parent
            steps += 1
        }
        return (nil, true)
    }

    /// A name to show: an object whose name could not be read has its id.
    private func named(_ name: String, _ id: String) -> String { name.isEmpty ? id : name }

    /// A switch UUID is spaced in one place and hyphenated in another.
    private func hexadecimalDigits(_ uuid: String) -> String {
        uuid.lowercased().filter(\.isHexDigit)
    }
}
