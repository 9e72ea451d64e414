extension HostRecord {
    init(_ change: ObjectChange) {
        self.init(
            id: change.object.value, name: change.displayName, parent: change.text(.parent),
            uuid: change.text(.hostUUID)?.lowercased(), connectionState: change.text(.hostConnectionState),
            inMaintenanceMode: change[.hostInMaintenanceMode]?.bool, version: change.text(.hostVersion),
            managementServerIP: change.text(.hostManagementServer), network: HostNetworkRecord(change),
            unreadable: change.unreadable)
    }
}

extension HostNetworkRecord {
    private static let parts: [InventoryProperty] = [
        .hostPhysicalNICs, .hostVMkernelAdapters, .hostSwitches, .hostPortGroups, .hostProxySwitches, .hostRoutes,
        .hostNetStacks,
    ]

    /// `nil` where no part of `config.network` came: a disconnected host has none. Also where any part could not be
    /// read: the parts refer to each other, and a network without one of them would look like a smaller network.
    init?(_ change: ObjectChange) {
        guard Self.parts.contains(where: { change[$0] != nil }),
            !change.isUnreadable(.hostServices), !Self.parts.contains(where: change.isUnreadable)
        else { return nil }
        var devices: [String: String] = [:]
        let physicalNICs = change.items(.hostPhysicalNICs).map { item in
            let nic = PhysicalNIC(
                key: item.child(.key)?.rawText ?? "", device: item.child(.device)?.rawText ?? "",
                mac: item.child(.mac)?.text, linkSpeedMb: item.child(.linkSpeed)?.child(.speedMb)?.int)
            devices[nic.key] = nic.device
            return nic
        }
        func uplinks(_ keys: [ElementView]) -> [String] {
            keys.compactMap(\.text).map { devices[$0] ?? Self.device(ofKey: $0) }
        }
        let services = Self.services(change)
        self.init(
            physicalNICs: physicalNICs,
            vmkernelAdapters: change.items(.hostVMkernelAdapters).map { VMkernelAdapter($0, services) },
            switches: change.items(.hostSwitches).map { item in
                let bridged = item.child(.spec)?.child(.bridge)?.children(.nicDevice).compactMap(\.text) ?? []
                return StandardSwitch(
                    key: item.child(.key)?.rawText ?? "", name: item.child(.name)?.rawText ?? "",
                    uplinks: bridged.isEmpty ? uplinks(item.children(.pnic)) : bridged, mtu: item.child(.mtu)?.int)
            },
            portGroups: change.items(.hostPortGroups).compactMap { item in
                guard let spec = item.child(.spec), let name = spec.child(.name)?.text else { return nil }
                return StandardPortGroup(
                    key: item.child(.key)?.rawText ?? "", name: name, vlanID: spec.child(.vlanId)?.int ?? 0,
                    switchName: spec.child(.vswitchName)?.rawText ?? "")
            },
            proxySwitches: change.items(.hostProxySwitches).compactMap { item in
                guard let uuid = item.child(.dvsUuid)?.text else { return nil }
                let specified = item.child(.spec)?.child(.backing)?.children(.pnicSpec)
                    .compactMap { $0.child(.pnicDevice)?.text }
                let keyed = uplinks(item.children(.pnic))
                return ProxySwitch(distributedSwitchUUID: uuid, uplinks: keyed.isEmpty ? specified ?? [] : keyed)
            },
            gateways: Self.gateways(change))
    }

    /// `vmnic0` of `key-vim.host.PhysicalNic-vmnic0`.
    private static func device(ofKey key: String) -> String {
        key.split(separator: "-").last.map(String.init) ?? key
    }

    private static func gateways(_ change: ObjectChange) -> [String: [String]] {
        var gateways: [String: [String]] = [:]
        func add(_ routes: ElementView?, _ stack: String) {
            for name in [ElementName.defaultGateway, .ipV6DefaultGateway] {
                guard let gateway = routes?.child(name)?.text, gateways[stack]?.contains(gateway) != true else {
                    continue
                }
                gateways[stack, default: []].append(gateway)
            }
        }
        add(change[.hostRoutes], "defaultTcpipStack")
        for stack in change.items(.hostNetStacks) {
            if let key = stack.child(.key)?.text { add(stack.child(.ipRouteConfig), key) }
        }
        return gateways
    }

    /// Adapter key or device to the services that select it. Candidates that are not selected count for nothing.
    private static func services(_ change: ObjectChange) -> [String: [String]] {
        var services: [String: [String]] = [:]
        for config in change.items(.hostServices) {
            guard let type = config.child(.nicType)?.text else { continue }
            for selected in config.children(.selectedVnic).compactMap(\.text) {
                // `management.key-vim.host.VirtualNic-vmk0`: the adapter's key behind the service's name.
                let key = selected.hasPrefix(type + ".") ? String(selected.dropFirst(type.utf8.count + 1)) : selected
                let candidate = config.children(.candidateVnic).first { $0.child(.key)?.text == selected }
                for name in Set([key, candidate?.child(.device)?.text ?? key]) {
                    services[name, default: []].append(type)
                }
            }
        }
        return services
    }
}

extension HostNetworkRecord.VMkernelAdapter {
    init(_ item: ElementView, _ services: [String: [String]]) {
        let spec = item.child(.spec)
        let port = spec?.child(.distributedVirtualPort)
        let key = item.child(.key)?.rawText ?? ""
        let device = item.child(.device)?.rawText ?? ""
        var selecting: [String] = []
        for service in (services[key] ?? []) + (services[device] ?? []) where !selecting.contains(service) {
            selecting.append(service)
        }
        self.init(
            key: key, device: device, mac: spec?.child(.mac)?.text, portGroup: item.child(.portgroup)?.text,
            distributedSwitchUUID: port?.child(.switchUuid)?.text,
            distributedPortGroupKey: port?.child(.portgroupKey)?.text,
            opaqueNetworkID: spec?.child(.opaqueNetwork)?.child(.id)?.text,
            netStack: spec?.child(.netStackInstanceKey)?.text, addresses: Self.addresses(spec?.child(.ip)),
            services: selecting)
    }

    private static func addresses(_ ip: ElementView?) -> [ReportedAddress] {
        guard let ip else { return [] }
        var addresses: [ReportedAddress] = []
        if let text = ip.child(.ipAddress)?.text {
            let length = ip.child(.subnetMask)?.text.flatMap(prefixLength(ofMask:))
            addresses.append(ReportedAddress(text: text, prefixLength: length, origin: nil, state: nil))
        }
        for entry in ip.child(.ipV6Config)?.children(.ipV6Address) ?? [] {
            guard let address = ReportedAddress(entry, state: .dadState) else { continue }
            addresses.append(address)
        }
        return addresses
    }
}

extension ReportedAddress {
    /// An address entry with its prefix length; `state` is the element that tells the address's state.
    init?(_ entry: ElementView, state: ElementName) {
        guard let text = entry.child(.ipAddress)?.text else { return nil }
        // Nobody's interface has the whole Internet on its link: 0 is the simulator's, and some tools', "unknown".
        let length = entry.child(.prefixLength)?.int.flatMap { (1...128).contains($0) ? $0 : nil }
        self.init(
            text: text, prefixLength: length, origin: entry.child(.origin)?.text, state: entry.child(state)?.text)
    }
}

/// 20 of `255.255.240.0`; `nil` for what is no mask, or one that masks nothing.
func prefixLength(ofMask mask: String) -> Int? {
    let parts = mask.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
        guard let part else { return nil }
        bits = bits << 8 | UInt32(part)
    }
    let length = (~bits).leadingZeroBitCount
    guard length > 0, bits == ~UInt32(0) << UInt32(32 - length) else { return nil }
    return length
}
