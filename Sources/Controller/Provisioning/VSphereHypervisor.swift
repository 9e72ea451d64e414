internal import Addressing
internal import Inventory
internal import Logging
internal import VSphere

/// An account's endpoint over the vSphere API.
struct VSphereSource: HypervisorSource {
    let secrets: SecretBox
    let timeouts: VSphereEndpoint.Timeouts

    func with<T>(_ account: Account, _ token: CancellationToken, _ body: (any Hypervisor) throws -> T) throws -> T {
        let endpoint = try AccountEndpoint.endpoint(of: account, secrets: secrets, timeouts: timeouts)
        let session = try VSphereSession.connect(
            to: endpoint, cancellation: token, logger: Logger(label: "wireloom.vsphere"))
        defer { session.logOut() }
        try AccountEndpoint.requireIdentity(try session.identity(), of: account)
        return try body(VSphereHypervisor(session: session, ignored: account.ignored))
    }
}

struct VSphereHypervisor: Hypervisor {
    /// The key of the mark that every VM made by Wireloom has: its request's instance UUID. Clones of it keep the mark and have
    /// another instance UUID.
    static let mark = "wireloom.request"
    /// How long the server may be out of reach within one wait; the step itself goes on for longer.
    private static let outage = Duration.seconds(60)

    let session: VSphereSession
    /// The account's addresses that never count.
    let ignored: [CIDR]

    // MARK: Looking

    func template(_ id: String) throws -> TemplateFacts {
        let details = try session.readVirtualMachine(id)
        guard details.unreadable["config.hardware.device"] == nil, details.unreadable["config.guestId"] == nil else {
            throw ProvisioningError(
                .template,
                "template \(details.name) cannot be read (\(Set(details.unreadable.values).sorted().joined(separator: ", "))): give "
                    + "the account's user the right to read its configuration")
        }
        let os: OSFamily? =
            switch details.guestFamily {
            case .linux: .linux
            case .windows: .windows
            case .unknown: nil
            }
        return TemplateFacts(
            id: details.id, name: details.name, isTemplate: details.isTemplate, powerState: details.powerState, os: os,
            guestID: details.guestID, hasTools: details.hasTools, coresPerSocket: details.coresPerSocket,
            adapters: details.adapters.map { .init(key: $0.key, label: $0.label ?? "Network adapter \($0.key)") })
    }

    func location(_ request: VMRequest, of template: TemplateFacts, on host: VMPlan.Host) throws -> MachineLocation {
        do {
            return try find(request, template, host)
        } catch let error as VSphereError where error.code == .notFound || error.code == .ambiguous {
            throw ProvisioningError(
                error.code == .notFound ? .notFound : .ambiguousName,
                "VM \(request.name) cannot be made: \(error.detail)")
        }
    }

    private func find(_ request: VMRequest, _ template: TemplateFacts, _ host: VMPlan.Host) throws -> MachineLocation {
        let details = try session.readVirtualMachine(template.id)
        guard let datacenter = details.datacenter else {
            throw ProvisioningError(
                .template, "template \(template.name) is in no datacenter that the account's user can see")
        }
        let catalog = try session.readDatacenter(datacenter)
        guard let place = catalog.hosts.first(where: { $0.id == host.id }) else {
            throw ProvisioningError(
                .noHost,
                "host \(host.name) is not in datacenter \(catalog.name) of template \(template.name) any more; sync the "
                    + "account again")
        }
        guard place.isUsable else {
            throw ProvisioningError(
                .noHost,
                "host \(host.name) takes no VM now: it is \(place.inMaintenanceMode ? "in maintenance mode" : place.connectionState ?? "in an unknown state")"
            )
        }
        let pool: VMPlan.Named
        if let name = request.resourcePool {
            let found = try catalog.pool(named: name, for: place)
            pool = .init(id: found.id, name: found.path)
        } else if let root = catalog.rootPool(of: place) {
            pool = .init(id: root, name: catalog.pools.first { $0.id == root }?.path ?? "Resources")
        } else {
            throw ProvisioningError(
                .notFound, "host \(host.name) has no resource pool that the account's user can see")
        }
        let folder =
            try request.folder.map(catalog.folder(named:)) ?? catalog.folders.first { $0.id == details.folder }
            ?? catalog.folder(named: "")
        let datastore = try request.datastore.map { try catalog.datastore(named: $0, for: place) }
        if let datastore, !datastore.isAccessible || datastore.inMaintenanceMode {
            throw ProvisioningError(
                .refused,
                "datastore \(datastore.name) takes no VM now: it is "
                    + (datastore.inMaintenanceMode ? "in maintenance mode" : "not accessible"))
        }
        let snapshot = try request.snapshot.map { try details.snapshot(named: $0) }
        return MachineLocation(
            resourcePool: pool, folder: .init(id: folder.id, name: folder.path.isEmpty ? "/" : folder.path),
            datastore: datastore.map { .init(id: $0.id, name: $0.name) },
            snapshot: snapshot.map { .init(id: $0.id, name: $0.path) })
    }

    func find(instanceUUID: String) throws -> String? {
        try session.findVirtualMachine(uuid: instanceUUID)?.value
    }

    func machine(_ id: String) throws -> MachineFacts? {
        do {
            let details = try session.readVirtualMachine(id, marks: [Self.mark])
            return MachineFacts(
                id: details.id, name: details.name, instanceUUID: details.instanceUUID, isTemplate: details.isTemplate,
                powerState: details.powerState,
                toolsRun: ["guestToolsRunning", "guestToolsExecutingScripts"].contains(details.toolsRunningStatus),
                mark: details.marks[Self.mark])
        } catch let error as VSphereError where error.code == .notFound {
            return nil
        }
    }

    func cloning(of template: String) throws -> [String]? {
        do {
            return try session.readCloning(of: template)?.map(\.value)
        } catch let error as VSphereError where error.code == .notFound || error.code == .permission {
            return nil
        }
    }

    func record(_ id: String) throws -> VirtualMachineRecord? {
        try session.readRecord(ofVirtualMachine: id)
    }

    func watchGuest(_ id: String, for time: Duration, _ decide: (GuestFacts) throws -> Bool) throws -> Bool {
        let adapters = try session.readVirtualMachine(id).adapters
        do {
            return try session.waitForGuest(of: id, limits: WaitLimits(deadline: time, outage: Self.outage)) { state in
                try decide(GuestFacts(state, adapters, ignoring: ignored)) ? true : nil
            }
        } catch let error as VSphereError where error.code == .timedOut {
            return false
        }
    }

    // MARK: Doing

    func beginCloning(_ plan: VMPlan, instanceUUID: String) throws -> String {
        let template = try session.readVirtualMachine(plan.template.id)
        let adapters = Dictionary(template.adapters.map { ($0.key, $0) }, uniquingKeysWith: { first, _ in first })
        var change = MachineChange(
            cpus: plan.cpus, memoryMB: plan.memoryMiB, extraConfig: [ExtraConfig(Self.mark, instanceUUID)])
        for adapter in plan.adapters {
            guard let device = adapters[adapter.key] else {
                throw ProvisioningError(
                    .template, "template \(plan.template.name) has lost its \(adapter.label) since the VM was planned")
            }
            change.adapters.append(.edit(device, backing: try backing(of: adapter.portGroup)))
        }
        return try session.clone(
            plan.template.id,
            CloneSpecification(
                name: plan.name, folder: plan.folder.id, pool: plan.resourcePool.id, host: plan.host.id,
                datastore: plan.datastore?.id, disks: plan.snapshot.map { .linked(snapshot: $0.id) } ?? .full,
                instanceUUID: instanceUUID, change: change, customization: GuestCustomization(plan))
        ).value
    }

    /// The UUID of a distributed switch is wanted as the server writes it, which is not as it is stored.
    private func backing(of group: VMPlan.PortGroup) throws -> VirtualMachineRecord.Adapter.Backing {
        guard group.kind == "distributed" else { return .network(name: group.name, id: nil) }
        return .distributedPort(
            switchUUID: try session.readSwitchUUID(group.switchID), portGroupKey: group.id)
    }

    func beginConfiguring(_ id: String, _ plan: VMPlan, instanceUUID: String, userData: Secret?) throws -> String {
        let adapters = try session.readVirtualMachine(id).adapters
        let cloudInit = try CloudInit(plan, instanceUUID: instanceUUID, adapters, userData)
        return try session.reconfigure(
            id, MachineChange(extraConfig: cloudInit.extraConfig, removesVAppConfig: true)
        ).value
    }

    func beginPoweringOn(_ id: String, _ plan: VMPlan) throws -> String {
        try session.powerOn(id, host: plan.host.id).value
    }

    func beginPoweringOff(_ id: String) throws -> String { try session.powerOff(id).value }

    func beginDestroying(_ id: String) throws -> String { try session.destroy(id).value }

    func cancel(_ task: String) throws { try session.cancel(TaskID(task)) }

    func shutDownGuest(_ id: String) throws { try session.shutDownGuest(id) }

    func follow(_ task: String, until deadline: ContinuousClock.Instant, progress: @escaping (Int) -> Void) throws
        -> String?
    {
        let left = max(deadline - ContinuousClock.now, .zero)
        return try session.follow(TaskID(task), limits: WaitLimits(deadline: left, outage: Self.outage)) { state in
            if let percent = state.percent { progress(percent) }
        }?.value
    }
}

extension GuestFacts {
    fileprivate init(_ state: GuestState, _ adapters: [NetworkAdapter], ignoring ignored: [CIDR]) {
        let keys = Set(adapters.map(\.key))
        let byMAC = Dictionary(
            adapters.compactMap { adapter in adapter.mac.flatMap { MACAddress($0) }.map { ($0, adapter.key) } },
            uniquingKeysWith: { first, _ in first })
        let told = (state.nics ?? []).compactMap { nic -> Adapter? in
            let key =
                keys.contains(nic.deviceConfigID)
                ? nic.deviceConfigID : nic.mac.flatMap { MACAddress($0) }.flatMap { byMAC[$0] }
            guard let key else { return nil }
            var adapter = Adapter(key: key, isConnected: nic.connected)
            for address in nic.addresses {
                switch address.standing(ignoring: ignored) {
                case .counts(let ip): adapter.reported.append(ip)
                case .tentative(let ip): adapter.tentative.append(ip)
                case .duplicate(let ip): adapter.duplicate.append(ip)
                case .ignored, .unreadable: break
                }
            }
            return adapter
        }
        let customization: Customization =
            switch state.customization?.status {
            case .pending: .pending
            case .running: .running
            case .succeeded: .succeeded
            case .failed: .failed(state.customization?.errorMessage)
            case .idle, nil: .unknown
            }
        self.init(
            powerState: state.powerState, toolsRun: state.areToolsRunning, customization: customization, adapters: told)
    }
}

extension VMPlan.Adapter {
    /// What the guest is to make of it.
    fileprivate var addressing: GuestAddressing {
        GuestAddressing(
            addresses: addresses.compactMap { address in
                guard let ip = address.ip.flatMap({ IPAddress($0) }), let prefix = address.prefix else { return nil }
                return .init(ip, prefixLength: prefix.prefixLength)
            }, gateways: addresses.compactMap { $0.gateway.flatMap { IPAddress($0) } })
    }
}

extension VMPlan {
    fileprivate var dnsServers: [IPAddress] {
        adapters.flatMap(\.addresses).flatMap(\.dns).compactMap { IPAddress($0) }.unique
    }

    /// The guest's own domain first, which is also the one of its adapters.
    fileprivate var dnsSuffixes: [String] {
        ([guest.domain] + adapters.flatMap(\.addresses).compactMap(\.dnsSuffix)).filter { $0 != "localdomain" }.unique
    }
}

extension GuestCustomization {
    /// `nil` where cloud-init does it.
    fileprivate init?(_ plan: VMPlan) {
        let identity: Identity
        switch plan.guest.configuration {
        case .cloudInit: return nil
        case .linux:
            identity = .linux(
                .init(hostName: plan.guest.hostName, domain: plan.guest.domain, timeZone: plan.guest.timeZone))
        case .windows:
            identity = .windows(
                .init(
                    computerName: plan.guest.hostName, fullName: "Administrator", organization: "Wireloom",
                    timeZone: plan.guest.timeZone.flatMap { Int($0) } ?? 85))
        }
        self.init(
            identity, adapters: plan.adapters.map(\.addressing), dnsServers: plan.dnsServers,
            dnsSuffixes: plan.dnsSuffixes)
    }
}

extension CloudInit {
    fileprivate init(
        _ plan: VMPlan, instanceUUID: String, _ adapters: [NetworkAdapter], _ userData: Secret?
    ) throws {
        let macs = Dictionary(
            adapters.compactMap { adapter in adapter.mac.flatMap { MACAddress($0) }.map { (adapter.key, $0) } },
            uniquingKeysWith: { first, _ in first })
        self.init(
            instanceID: instanceUUID, hostName: "\(plan.guest.hostName).\(plan.guest.domain)",
            adapters: try plan.adapters.map { adapter in
                guard let mac = macs[adapter.key] else {
                    throw ProvisioningError(
                        .failed, "\(adapter.label) of VM \(plan.name) has no MAC address for cloud-init to match")
                }
                return .init(mac: mac, addressing: adapter.addressing)
            }, dnsServers: plan.dnsServers, dnsSuffixes: plan.dnsSuffixes, userData: userData)
    }
}

extension Array where Element: Hashable {
    /// The elements in their order, each once.
    fileprivate var unique: [Element] {
        var seen: Set<Element> = []
        return filter { seen.insert($0).inserted }
    }
}
