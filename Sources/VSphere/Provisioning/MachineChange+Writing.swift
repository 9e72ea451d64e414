extension CloneSpecification {
    /// The parameters of CloneVM_Task, in the schema's order.
    func write(to writer: inout ElementWriter) {
        writer.element("folder", ManagedObjectReference(type: "Folder", value: folder))
        writer.element("name", escapedName(name))
        writer.element("spec") { writer in
            writer.element("location", writeLocation)
            writer.element("template", isTemplate)
            if !change.isEmpty || instanceUUID != nil {
                writer.element("config") { change.write(to: &$0, instanceUUID: instanceUUID, isNew: true) }
            }
            if let customization { writer.element("customization", customization.write) }
            writer.element("powerOn", powersOn)
            if case .linked(let snapshot) = disks {
                writer.element("snapshot", ManagedObjectReference(type: "VirtualMachineSnapshot", value: snapshot))
            }
        }
    }

    /// VirtualMachineRelocateSpec.
    private func writeLocation(to writer: inout ElementWriter) {
        if let datastore { writer.element("datastore", ManagedObjectReference(type: "Datastore", value: datastore)) }
        switch disks {
        case .full: writer.element("diskMoveType", "moveAllDiskBackingsAndConsolidate")
        case .linked: writer.element("diskMoveType", "createNewChildDiskBacking")
        }
        writer.element("pool", ManagedObjectReference(type: "ResourcePool", value: pool))
        if let host { writer.element("host", ManagedObjectReference(type: "HostSystem", value: host)) }
    }
}

extension MachineChange {
    var isEmpty: Bool {
        cpus == nil && coresPerSocket == nil && memoryMB == nil && adapters.isEmpty && extraConfig.isEmpty
            && !removesVAppConfig
    }

    /// VirtualMachineConfigSpec. `isNew`: of a clone, whose adapters get MAC addresses of their own; where a VM is
    /// changed they are repeated, or the server may replace them.
    func write(to writer: inout ElementWriter, instanceUUID: String? = nil, isNew: Bool) {
        if let instanceUUID { writer.element("instanceUuid", instanceUUID) }
        if let cpus { writer.element("numCPUs", cpus) }
        if let coresPerSocket { writer.element("numCoresPerSocket", coresPerSocket) }
        if let memoryMB { writer.element("memoryMB", memoryMB) }
        for adapter in adapters {
            writer.element("deviceChange") { adapter.write(to: &$0, isNew: isNew) }
        }
        for entry in extraConfig {
            writer.element("extraConfig", type: "OptionValue") { writer in
                writer.element("key", entry.key)
                writer.anyElement("value", string: entry.value.revealed)
            }
        }
        if removesVAppConfig { writer.element("vAppConfigRemoved", true) }
    }
}

extension AdapterChange {
    /// VirtualDeviceConfigSpec.
    fileprivate func write(to writer: inout ElementWriter, isNew: Bool) {
        switch self {
        case .edit(let adapter, let backing):
            writer.element("operation", "edit")
            writer.element("device", typeNamed: adapter.type) { writer in
                writer.element("key", adapter.key)
                // The simulator cannot do without, and real servers take it.
                writer.element("deviceInfo") { writer in
                    writer.element("label", adapter.label ?? "Network adapter")
                    writer.element("summary", backing.summary)
                }
                backing.write(to: &writer)
                writer.element("connectable") { writer in
                    writer.element("startConnected", true)
                    writer.element("allowGuestControl", true)
                    writer.element("connected", true)
                }
                adapter.writePlace(to: &writer)
                // A clone's is made by vCenter; what was read of a VM is repeated.
                writer.element("addressType", isNew ? "assigned" : adapter.addressType ?? "assigned")
                if !isNew, let mac = adapter.mac { writer.element("macAddress", mac) }
            }
        case .remove(let adapter):
            writer.element("operation", "remove")
            writer.element("device", typeNamed: adapter.type) { writer in
                writer.element("key", adapter.key)
                adapter.writePlace(to: &writer)
            }
        }
    }
}

extension NetworkAdapter {
    fileprivate func writePlace(to writer: inout ElementWriter) {
        if let controllerKey { writer.element("controllerKey", controllerKey) }
        if let unitNumber { writer.element("unitNumber", unitNumber) }
    }
}

extension VirtualMachineRecord.Adapter.Backing {
    /// What the vSphere Client shows under the adapter.
    fileprivate var summary: String {
        switch self {
        case .network(let name, _): name
        case .distributedPort(let uuid, _): "DVSwitch: \(uuid)"
        case .opaque(let id, let type): "\(type): \(id)"
        case .none: "none"
        }
    }

    /// The element `backing`; nothing for `.none`. A distributed port's key is vCenter's to choose.
    fileprivate func write(to writer: inout ElementWriter) {
        switch self {
        case .network(let name, let id):
            writer.element("backing", type: "VirtualEthernetCardNetworkBackingInfo") { writer in
                writer.element("deviceName", name)
                if let id { writer.element("network", ManagedObjectReference(type: "Network", value: id)) }
            }
        case .distributedPort(let switchUUID, let portGroupKey):
            writer.element("backing", type: "VirtualEthernetCardDistributedVirtualPortBackingInfo") { writer in
                writer.element("port") { writer in
                    writer.element("switchUuid", switchUUID)
                    if let portGroupKey { writer.element("portgroupKey", portGroupKey) }
                }
            }
        case .opaque(let id, let type):
            writer.element("backing", type: "VirtualEthernetCardOpaqueNetworkBackingInfo") { writer in
                writer.element("opaqueNetworkId", id)
                writer.element("opaqueNetworkType", type)
            }
        case .none: break
        }
    }
}

/// The three escapes of inventory names, which the server undoes where it shows them.
func escapedName(_ name: String) -> String {
    var escaped = ""
    for character in name {
        switch character {
        case "/": escaped += "%2f"
        case "\\": escaped += "%5c"
        case "%": escaped += "%25"
        default: escaped.append(character)
        }
    }
    return escaped
}
