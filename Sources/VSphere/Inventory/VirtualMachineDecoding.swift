extension VirtualMachineRecord {
    init(_ change: ObjectChange) {
        self.init(
            id: change.object.value, name: change.displayName, parent: change.text(.parent),
            host: change.text(.machineHost), biosUUID: change[.machineBIOSUUID]?.lowercasedText,
            instanceUUID: change[.machineInstanceUUID]?.lowercasedText,
            isTemplate: change[.machineIsTemplate]?.bool, powerState: change.text(.machinePowerState),
            connectionState: change.text(.machineConnectionState),
            managedBy: change[.machineManagedBy]?.child(.extensionKey)?.text,
            toolsRunningStatus: change.text(.machineToolsStatus), guestHostName: change.text(.machineGuestHostName),
            adapters: change[.machineDevices].map(Self.adapters),
            guestNICs: change.isUnreadable(.machineGuestNICs) ? nil : Self.guestNICs(change[.machineGuestNICs]),
            unreadable: change.unreadable)
    }

    /// Whatever device has a MAC address is a network adapter, of whatever class.
    private static func adapters(_ devices: ElementView) -> [Adapter] {
        var adapters: [Adapter] = []
        for device in devices.children {
            guard let mac = device.child(.macAddress) else { continue }
            adapters.append(
                Adapter(
                    key: device.child(.key)?.int ?? 0, label: device.child(.deviceInfo)?.child(.label)?.text,
                    type: device.type ?? "", mac: mac.text, backing: Adapter.Backing(device.child(.backing)),
                    connected: device.child(.connectable)?.child(.connected)?.bool))
        }
        return adapters
    }

    static func guestNICs(_ net: ElementView?) -> [GuestNIC] {
        guard let net else { return [] }
        return net.children.map { item in
            // The flat list is deprecated and has no prefix lengths: it serves only where the other is empty.
            var addresses: [ReportedAddress] = []
            if let config = item.child(.ipConfig) {
                for entry in config.children where entry.name == .ipAddress {
                    if let address = ReportedAddress(entry, state: .state) { addresses.append(address) }
                }
            }
            if addresses.isEmpty {
                for entry in item.children where entry.name == .ipAddress {
                    guard let text = entry.text else { continue }
                    addresses.append(ReportedAddress(text: text, prefixLength: nil, origin: nil, state: nil))
                }
            }
            return GuestNIC(
                deviceConfigID: item.child(.deviceConfigId)?.int ?? -1, mac: item.child(.macAddress)?.text,
                connected: item.child(.connected)?.bool ?? false, addresses: addresses)
        }
    }
}

extension VirtualMachineRecord.Adapter.Backing {
    init(_ backing: ElementView?) {
        guard let backing else {
            self = .none
            return
        }
        if let port = backing.child(.port), let uuid = port.child(.switchUuid)?.text {
            self = .distributedPort(switchUUID: uuid, portGroupKey: port.child(.portgroupKey)?.text)
        } else if let id = backing.child(.opaqueNetworkId)?.text {
            self = .opaque(id: id, type: backing.child(.opaqueNetworkType)?.text ?? "")
        } else if let name = backing.child(.deviceName)?.text {
            self = .network(name: name, id: backing.child(.network)?.text)
        } else {
            self = .none
        }
    }
}
