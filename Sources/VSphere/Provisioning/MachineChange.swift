/// A network adapter of a VM (VirtualEthernetCard), as far as a change of it must repeat it.
package struct NetworkAdapter: Hashable, Sendable {
    /// VirtualDevice.key, such as 4000: unique within the VM, kept by its clones.
    package var key: Int
    /// The concrete class, such as `VirtualVmxnet3`.
    package var type: String
    /// `Network adapter 1`.
    package var label: String?
    package var controllerKey: Int?
    package var unitNumber: Int?
    /// As received; `nil` where it has none yet.
    package var mac: String?
    /// `manual`, `generated` or `assigned`, in whatever case.
    package var addressType: String?
    package var backing: VirtualMachineRecord.Adapter.Backing
    /// `connectable.connected`: now, in a VM that runs.
    package var isConnected: Bool?
    /// `connectable.startConnected`.
    package var startsConnected: Bool?

    package init(
        key: Int, type: String, label: String? = nil, controllerKey: Int? = nil, unitNumber: Int? = nil,
        mac: String? = nil, addressType: String? = nil, backing: VirtualMachineRecord.Adapter.Backing = .none,
        isConnected: Bool? = nil, startsConnected: Bool? = nil
    ) {
        self.key = key
        self.type = type
        self.label = label
        self.controllerKey = controllerKey
        self.unitNumber = unitNumber
        self.mac = mac
        self.addressType = addressType
        self.backing = backing
        self.isConnected = isConnected
        self.startsConnected = startsConnected
    }
}

/// What becomes of one adapter.
package enum AdapterChange: Hashable, Sendable {
    /// The adapter goes on a port group and is connected at power-on.
    ///
    /// A standard port group is `.network(name:id:)`, a distributed one `.distributedPort(switchUUID:portGroupKey:)`
    /// without a port: vCenter takes a free one, or makes it. `.none` leaves the backing to the server.
    case edit(NetworkAdapter, backing: VirtualMachineRecord.Adapter.Backing)
    case remove(NetworkAdapter)
}

/// An entry of `config.extraConfig` (OptionValue). Whoever may read the VM can read it; descriptions do not show it.
package struct ExtraConfig: Sendable {
    package var key: String
    /// Empty: the entry is removed.
    package var value: Secret

    package init(_ key: String, _ value: String) {
        self.key = key
        self.value = Secret(value)
    }
}

/// What changes of a VM's configuration (VirtualMachineConfigSpec). What is `nil` or empty stays as it is.
package struct MachineChange: Sendable {
    package var cpus: Int?
    /// `cpus` must be a multiple of it.
    package var coresPerSocket: Int?
    package var memoryMB: Int?
    package var adapters: [AdapterChange] = []
    package var extraConfig: [ExtraConfig] = []
    /// Takes the OVF properties away, which cloud-init in the guest would prefer to `guestinfo`.
    package var removesVAppConfig = false

    package init(
        cpus: Int? = nil, coresPerSocket: Int? = nil, memoryMB: Int? = nil, adapters: [AdapterChange] = [],
        extraConfig: [ExtraConfig] = [], removesVAppConfig: Bool = false
    ) {
        self.cpus = cpus
        self.coresPerSocket = coresPerSocket
        self.memoryMB = memoryMB
        self.adapters = adapters
        self.extraConfig = extraConfig
        self.removesVAppConfig = removesVAppConfig
    }
}

/// How a VM is made from a template or another VM (CloneVM_Task with a VirtualMachineCloneSpec).
package struct CloneSpecification: Sendable {
    package enum Disks: Hashable, Sendable {
        /// `moveAllDiskBackingsAndConsolidate`: disks of its own.
        case full
        /// `createNewChildDiskBacking`: it writes beside the disks of this snapshot of the source, which must stay.
        case linked(snapshot: String)
    }

    /// In the folder's language: `/`, `\` and `%` are escaped for the server.
    package var name: String
    /// The Folder's id: in the datacenter of the host and the pool.
    package var folder: String
    /// The ResourcePool's id. A template has none to inherit.
    package var pool: String
    /// The HostSystem's id; `nil` lets DRS choose.
    package var host: String?
    /// The Datastore's id; `nil`: where the source is.
    package var datastore: String?
    package var disks: Disks
    /// `config.instanceUuid`, by which the VM is found again: vCenter keeps them unique within itself.
    package var instanceUUID: String?
    /// Changes of the source's configuration. An adapter gets a new MAC address in any case.
    package var change: MachineChange
    /// What the guest does at its first start; `nil`: nothing.
    package var customization: GuestCustomization?
    package var isTemplate = false
    package var powersOn = false

    package init(
        name: String, folder: String, pool: String, host: String? = nil, datastore: String? = nil,
        disks: Disks = .full, instanceUUID: String? = nil, change: MachineChange = MachineChange(),
        customization: GuestCustomization? = nil
    ) {
        self.name = name
        self.folder = folder
        self.pool = pool
        self.host = host
        self.datastore = datastore
        self.disks = disks
        self.instanceUUID = instanceUUID
        self.change = change
        self.customization = customization
    }
}
