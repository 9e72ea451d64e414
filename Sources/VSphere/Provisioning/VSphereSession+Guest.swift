/// What VMware Tools and vCenter tell of a VM's guest (GuestInfo).
package struct GuestState: Sendable {
    /// GuestInfoCustomizationInfo: servers since 7.0.2 have it.
    package struct Customization: Hashable, Sendable {
        package enum Status: String, Sendable {
            case idle = "TOOLSDEPLOYPKG_IDLE"
            case pending = "TOOLSDEPLOYPKG_PENDING"
            case running = "TOOLSDEPLOYPKG_RUNNING"
            case succeeded = "TOOLSDEPLOYPKG_SUCCEEDED"
            case failed = "TOOLSDEPLOYPKG_FAILED"
        }

        /// `nil` where it is one that is not known here: `text` has it.
        package var status: Status?
        package var text: String
        /// As the server writes times; `nil` before.
        package var startTime: String?
        package var endTime: String?
        /// What the guest says went wrong.
        package var errorMessage: String?

        package init(
            _ status: Status?, text: String? = nil, startTime: String? = nil, endTime: String? = nil,
            errorMessage: String? = nil
        ) {
            self.status = status
            self.text = text ?? status?.rawValue ?? ""
            self.startTime = startTime
            self.endTime = endTime
            self.errorMessage = errorMessage
        }
    }

    /// `runtime.powerState`: poweredOn, poweredOff, suspended.
    package var powerState: String?
    /// `guest.toolsRunningStatus`.
    package var toolsRunningStatus: String?
    package var hostName: String?
    /// `guest.net`; empty where nothing is reported, `nil` where it was not readable.
    package var nics: [VirtualMachineRecord.GuestNIC]?
    /// `nil` before, without customization, and where the server is too old to tell.
    package var customization: Customization?

    package init(
        powerState: String? = nil, toolsRunningStatus: String? = nil, hostName: String? = nil,
        nics: [VirtualMachineRecord.GuestNIC]? = [], customization: Customization? = nil
    ) {
        self.powerState = powerState
        self.toolsRunningStatus = toolsRunningStatus
        self.hostName = hostName
        self.nics = nics
        self.customization = customization
    }

    /// `guestToolsRunning`, or executing the scripts of a start or a shutdown. Addresses of others are from before.
    package var areToolsRunning: Bool {
        toolsRunningStatus == "guestToolsRunning" || toolsRunningStatus == "guestToolsExecutingScripts"
    }
}

extension VSphereSession {
    /// Waits until a VM's guest is as the caller wants it.
    ///
    /// - Parameters:
    ///   - id: the VirtualMachine's.
    ///   - decide: gets the present state, and each later one. Returns a value when it is done, `nil` to go on; what it
    ///     throws ends the wait.
    /// - Throws: `notFound` where the VM is removed meanwhile; `timedOut` at the deadline, with the guest seen until then;
    ///   `canceled`; or why the server stays out of reach, which is never `timedOut`.
    package func waitForGuest<Value>(
        of id: String, limits: WaitLimits, _ decide: (GuestState) throws -> Value?
    ) throws -> Value {
        let machine = ManagedObjectReference(type: "VirtualMachine", value: id)
        let tellsCustomization = APIVersion.isAtLeast(apiVersion, "7.0.2.0")
        let watch = PropertyWatch(
            self, tellsCustomization ? .customizedGuest : .guest, of: machine, for: "the guest of VM \(id)",
            limits: limits, optional: [GuestState.customizationPath])
        defer { watch.finish() }
        var state = GuestState()
        while true {
            try watch.next { state.read($0) }
            if let value = try decide(state) { return value }
        }
    }
}

extension GuestState {
    fileprivate static let customizationPath = "guest.customizationInfo"

    fileprivate mutating func read(_ properties: ObjectProperties) {
        if properties.has("runtime.powerState") { powerState = properties.text("runtime.powerState") }
        if properties.has("guest.toolsRunningStatus") {
            toolsRunningStatus = properties.text("guest.toolsRunningStatus")
        }
        if properties.has("guest.hostName") { hostName = properties.text("guest.hostName") }
        if properties.has("guest.net") {
            nics = VirtualMachineRecord.guestNICs(properties["guest.net"])
        } else if properties.unreadable["guest.net"] != nil {
            nics = nil
        }
        if properties.has(Self.customizationPath) {
            customization = properties[Self.customizationPath].flatMap(Customization.init)
        }
    }
}

extension GuestState.Customization {
    fileprivate init?(_ info: ElementView) {
        guard let text = info.child(.customizationStatus)?.text else { return nil }
        self.init(
            Status(rawValue: text), text: text, startTime: info.child(.startTime)?.text,
            endTime: info.child(.endTime)?.text, errorMessage: info.child(.errorMsg)?.text)
    }
}

extension PropertyQuery {
    fileprivate static let guest = PropertyQuery([
        "VirtualMachine": [
            "runtime.powerState": .text, "guest.toolsRunningStatus": .text, "guest.hostName": .text,
            "guest.net": InventoryProperty.machineGuestNICs.shape,
        ]
    ])

    fileprivate static let customizedGuest = PropertyQuery([
        "VirtualMachine": [
            "runtime.powerState": .text, "guest.toolsRunningStatus": .text, "guest.hostName": .text,
            "guest.net": InventoryProperty.machineGuestNICs.shape,
            GuestState.customizationPath: .object([
                .customizationStatus: .text, .startTime: .text, .endTime: .text, .errorMsg: .text,
            ]),
        ]
    ])
}
