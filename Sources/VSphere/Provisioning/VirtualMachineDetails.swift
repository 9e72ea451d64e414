/// A template or VM as vCenter has it now: what must be known before it is cloned, changed or deleted.
package struct VirtualMachineDetails: Sendable {
    package enum GuestFamily: String, Sendable { case linux, windows, unknown }

    /// VirtualDisk.
    package struct Disk: Hashable, Sendable {
        package var key: Int
        /// `Hard disk 1`.
        package var label: String?
        package var capacityInBytes: Int?
        /// The id of the Datastore its file is on.
        package var datastore: String?
    }

    /// VirtualMachineSnapshotTree, flattened: parents before children.
    package struct Snapshot: Hashable, Sendable {
        /// The VirtualMachineSnapshot's id.
        package var id: String
        package var name: String
        /// The names from the root to this one with `/` between: names alone may repeat.
        package var path: String
        /// `snapshot.currentSnapshot`: the one whose disks the VM goes on from.
        package var isCurrent: Bool
    }

    /// The VirtualMachine's id.
    package var id: String
    package var name: String
    /// The Folder's id; `nil` in a vApp.
    package var folder: String?
    /// The Datacenter's id; `nil` where the user does not see that far up.
    package var datacenter: String?
    /// `config.template`.
    package var isTemplate: Bool
    /// `config.instanceUuid`, lower case; `nil` where `config` is unset: being made, orphaned or inaccessible.
    package var instanceUUID: String?
    /// `config.uuid`, lower case.
    package var biosUUID: String?
    /// `config.guestId`, such as `ubuntu64Guest`.
    package var guestID: String?
    /// From `guest.guestFamily`, else from `config.guestId`.
    package var guestFamily: GuestFamily
    /// `guest.toolsVersionStatus2`, such as `guestToolsNotInstalled`, `guestToolsCurrent`, `guestToolsUnmanaged` (of
    /// open-vm-tools). A template keeps what it was when it ran; `nil` where it never did.
    package var toolsVersionStatus: String?
    /// `guest.toolsRunningStatus`.
    package var toolsRunningStatus: String?
    /// `config.tools.toolsVersion` or `guest.toolsVersion`, such as `12352`; `nil` where unknown or 0.
    package var toolsVersion: String?
    package var cpus: Int?
    package var coresPerSocket: Int?
    package var memoryMB: Int?
    /// In the order of the devices, which customization follows.
    package var adapters: [NetworkAdapter]
    package var disks: [Disk]
    package var snapshots: [Snapshot]
    /// poweredOn, poweredOff, suspended.
    package var powerState: String?
    /// `runtime.connectionState`: connected, disconnected, orphaned, inaccessible, invalid.
    package var connectionState: String?
    /// The HostSystem's id.
    package var host: String?
    /// The ResourcePool's id; `nil` of a template.
    package var pool: String?
    /// The Datastores' ids.
    package var datastores: [String]
    /// Those entries of `config.extraConfig` that were asked for.
    package var marks: [String: String]
    /// What the user may not read of it, with the fault: never the same as empty.
    package var unreadable: UnreadableProperties

    /// Whether Tools were ever seen in it: without them no customization happens and no address is reported. `true` where
    /// the user may not read that: what is unknown is not missing.
    package var hasTools: Bool {
        if let status = toolsVersionStatus { return status != "guestToolsNotInstalled" }
        if toolsVersion != nil { return true }
        return unreadable.contains { path, fault in
            fault != "InvalidProperty" && (path.hasPrefix("guest.tools") || path.hasPrefix("config.tools"))
        }
    }

    /// The snapshot with a name or a path. Throws `notFound` or `ambiguous` with the paths that there are.
    package func snapshot(named name: String) throws -> Snapshot {
        try find(
            name, "snapshot", in: "VM \(self.name)", among: snapshots, name: \.name, path: \.path)
    }
}

extension VirtualMachineDetails.GuestFamily {
    /// By what Tools said (`linuxGuest`), else by the prefixes of VirtualMachineGuestOsIdentifier.
    init(reported: String?, guestID: String?) {
        switch reported {
        case "linuxGuest":
            self = .linux
            return
        case "windowsGuest":
            self = .windows
            return
        default: break
        }
        let id = guestID?.lowercased() ?? ""
        if id.hasPrefix("win") {
            self = .windows
        } else if id.contains("linux") || Self.linuxes.contains(where: id.hasPrefix) {
            self = .linux
        } else {
            self = .unknown
        }
    }

    private static let linuxes = [
        "centos", "coreos", "debian", "fedora", "mandrake", "mandriva", "nld", "oes", "opensuse", "other24x",
        "other26x",
        "other3x", "other4x", "other5x", "other6x", "other7x", "redhat", "rhel", "sjds", "sles", "suse", "ubuntu",
        "vmwarephoton", "flatcar", "kylin", "pardus",
    ]
}

extension VSphereSession {
    /// Reads one VM or template afresh.
    ///
    /// - Parameters:
    ///   - id: the VirtualMachine's.
    ///   - marks: the keys of `config.extraConfig` to tell; the others, among which are secrets, are not kept.
    /// - Throws: `notFound` where it is gone, or hidden from the user.
    package func readVirtualMachine(_ id: String, marks: Set<String> = []) throws -> VirtualMachineDetails {
        let reference = ManagedObjectReference(type: "VirtualMachine", value: id)
        return try renewingOnce("the reading of VM \(id)") {
            var details: VirtualMachineDetails?
            try withoutActuallyEscaping({ details = VirtualMachineDetails($0, marks: marks) }) { visit in
                try retrieve(
                    .machine, of: [ObjectSpec(object: reference)], optional: ["guest.toolsVersionStatus2"], visit)
            }
            guard var details else { throw missing(reference) }
            details.datacenter = try ancestors(of: reference).first { $0.type == "Datacenter" }?.value
            return details
        }
    }

    /// The objects that contain another, nearest first.
    private func ancestors(of object: ManagedObjectReference) throws -> [ManagedObjectReference] {
        var parents: [ManagedObjectReference: ManagedObjectReference] = [:]
        try withoutActuallyEscaping({ (found: ObjectProperties) in parents[found.object] = found["parent"]?.reference })
        {
            try retrieve(.parents, of: [ObjectSpec(object: object, selection: .ancestors)], $0)
        }
        var chain: [ManagedObjectReference] = []
        var next = parents[object]
        while let parent = next, !chain.contains(parent) {
            chain.append(parent)
            next = parents[parent]
        }
        return chain
    }

    /// A reading without an answer: the object is hidden from the user.
    func missing(_ object: ManagedObjectReference) -> VSphereError {
        VSphereError(
            .notFound,
            "\(endpoint.url) shows no \(object.type) \(object.value): it is gone, or the user may not see it",
            object: object)
    }
}

extension VirtualMachineDetails {
    init(_ properties: ObjectProperties, marks wanted: Set<String>) {
        let guestID = properties.text("config.guestId")
        var adapters: [NetworkAdapter] = []
        var disks: [Disk] = []
        for device in properties.items("config.hardware.device") {
            if let mac = device.child(.macAddress) {
                adapters.append(NetworkAdapter(device, mac: mac.text))
            } else if device.typeIs("VirtualDisk") {
                disks.append(Disk(device))
            }
        }
        var marks: [String: String] = [:]
        for entry in properties.items("config.extraConfig") {
            guard let key = entry.child(.key)?.text, wanted.contains(key) else { continue }
            marks[key] = entry.child(.value)?.text ?? ""
        }
        let versions = ["config.tools.toolsVersion", "guest.toolsVersion"].map { properties.text($0) }
        self.init(
            id: properties.object.value, name: unescapedName(properties.text("name") ?? ""),
            folder: properties["parent"]?.reference?.value, datacenter: nil,
            isTemplate: properties["config.template"]?.bool ?? false,
            instanceUUID: properties["config.instanceUuid"]?.lowercasedText,
            biosUUID: properties["config.uuid"]?.lowercasedText, guestID: guestID,
            guestFamily: GuestFamily(reported: properties.text("guest.guestFamily"), guestID: guestID),
            toolsVersionStatus: properties.text("guest.toolsVersionStatus2"),
            toolsRunningStatus: properties.text("guest.toolsRunningStatus"),
            toolsVersion: versions.compactMap(\.self).first { $0 != "0" },
            cpus: properties["config.hardware.numCPU"]?.int,
            coresPerSocket: properties["config.hardware.numCoresPerSocket"]?.int,
            memoryMB: properties["config.hardware.memoryMB"]?.int,
            adapters: adapters, disks: disks, snapshots: Self.snapshots(properties["snapshot"]),
            powerState: properties.text("runtime.powerState"),
            connectionState: properties.text("runtime.connectionState"),
            host: properties.text("runtime.host"), pool: properties.text("resourcePool"),
            datastores: properties.references("datastore"), marks: marks, unreadable: properties.unreadable)
    }

    private static func snapshots(_ info: ElementView?) -> [Snapshot] {
        guard let info else { return [] }
        let current = info.child(.currentSnapshot)?.text
        var list: [Snapshot] = []
        func add(_ trees: [ElementView], below path: String) {
            for tree in trees {
                guard let id = tree.child(.snapshot)?.text else { continue }
                let name = unescapedName(tree.child(.name)?.text ?? "")
                let place = path.isEmpty ? name : "\(path)/\(name)"
                list.append(Snapshot(id: id, name: name, path: place, isCurrent: id == current))
                add(tree.children(.childSnapshotList), below: place)
            }
        }
        add(info.children(.rootSnapshotList), below: "")
        return list
    }
}

extension VirtualMachineDetails.Disk {
    fileprivate init(_ device: ElementView) {
        self.init(
            key: device.child(.key)?.int ?? 0, label: device.child(.deviceInfo)?.child(.label)?.text,
            // Since 5.5 in bytes; before, and in some answers still, in KB.
            capacityInBytes: device.child(.capacityInBytes)?.int ?? device.child(.capacityInKB)?.int.map { $0 * 1024 },
            datastore: device.child(.backing)?.child(.datastore)?.text)
    }
}

extension NetworkAdapter {
    fileprivate init(_ device: ElementView, mac: String?) {
        self.init(
            key: device.child(.key)?.int ?? 0, type: device.type ?? "",
            label: device.child(.deviceInfo)?.child(.label)?.text, controllerKey: device.child(.controllerKey)?.int,
            unitNumber: device.child(.unitNumber)?.int, mac: mac, addressType: device.child(.addressType)?.text,
            backing: VirtualMachineRecord.Adapter.Backing(device.child(.backing)),
            isConnected: device.child(.connectable)?.child(.connected)?.bool,
            startsConnected: device.child(.connectable)?.child(.startConnected)?.bool)
    }
}

extension PropertyQuery {
    fileprivate static let machine = PropertyQuery([
        "VirtualMachine": [
            "name": .text, "parent": .reference, "config.template": .text, "config.instanceUuid": .text,
            "config.uuid": .text, "config.guestId": .text, "config.tools.toolsVersion": .text,
            "config.hardware.numCPU": .text, "config.hardware.numCoresPerSocket": .text,
            "config.hardware.memoryMB": .text,
            "config.hardware.device": .array(
                of: .object(
                    .schemaType,
                    [
                        .key: .text, .deviceInfo: .object([.label: .text]), .controllerKey: .text, .unitNumber: .text,
                        .macAddress: .text, .addressType: .text, .capacityInBytes: .text, .capacityInKB: .text,
                        .backing: .object(
                            .schemaType,
                            [
                                .deviceName: .text, .network: .reference, .datastore: .reference,
                                .port: .object([.switchUuid: .text, .portgroupKey: .text]),
                                .opaqueNetworkId: .text, .opaqueNetworkType: .text,
                            ]),
                        .connectable: .object([.connected: .text, .startConnected: .text]),
                    ])),
            "config.extraConfig": .array(of: .object([.key: .text, .value: .text])),
            "guest.guestFamily": .text, "guest.toolsVersionStatus2": .text, "guest.toolsRunningStatus": .text,
            "guest.toolsVersion": .text, "runtime.powerState": .text, "runtime.connectionState": .text,
            "runtime.host": .reference, "resourcePool": .reference, "datastore": .array(of: .reference),
            "snapshot": .object([.currentSnapshot: .reference, .rootSnapshotList: snapshotTree(depth: 32)]),
        ]
    ])

    /// vSphere allows 32 snapshots in a chain.
    private static func snapshotTree(depth: Int) -> Shape {
        var shape = Shape.object([.snapshot: .reference, .name: .text])
        if depth > 1 { shape.fields.append((.childSnapshotList, snapshotTree(depth: depth - 1))) }
        return shape
    }

    fileprivate static let parents = PropertyQuery(["ManagedEntity": ["parent": .reference]])
}
