extension VSphereError {
    /// What a fault means to whoever asked for a change, whatever its exact class. `VSphereError.fault` keeps the class.
    package enum FaultKind: String, Sendable, CaseIterable {
        /// `DuplicateName`: `object` is what has the name already.
        case duplicateName = "duplicate_name"
        /// `InvalidName`.
        case invalidName = "invalid_name"
        /// `InsufficientResourcesFault` and its subclasses: memory, CPU, failover capacity.
        case insufficientResources = "insufficient_resources"
        /// `NoDiskSpace`, `InsufficientStorageSpace`.
        case noDiskSpace = "no_disk_space"
        /// `FileAlreadyExists`: files of another VM are in the way.
        case fileExists = "file_exists"
        /// `InvalidDatastore`, or one that the host cannot use.
        case invalidDatastore = "invalid_datastore"
        /// `InvalidArgument`, and what the server does not understand of a request.
        case invalidArgument = "invalid_argument"
        /// `InvalidDeviceSpec` and its subclasses, such as `InvalidDeviceBacking`.
        case invalidDevice = "invalid_device"
        /// `CannotAccessNetwork`, `CannotUseNetwork`, `DvsFault`, `LimitExceeded`: no port, or none that the host has.
        case network
        /// `InvalidPowerState`: on where it must be off, or off where it must be on.
        case invalidPowerState = "invalid_power_state"
        /// `InvalidState` and other subclasses of it.
        case invalidState = "invalid_state"
        /// `TaskInProgress`, `ResourceInUse`, `ConcurrentAccess`: something else is at it. Worth another try.
        case busy
        /// `NoPermission`.
        case noPermission = "no_permission"
        /// `NoCompatibleHost`, or a host that cannot run the VM.
        case noCompatibleHost = "no_compatible_host"
        /// `HostNotConnected`, `HostCommunication`, `Timedout`. Worth another try.
        case hostUnavailable = "host_unavailable"
        /// `NotSupported`, `MethodNotFound`, `NotImplemented`.
        case notSupported = "not_supported"
        /// `NotEnoughLicenses` and other faults of licenses.
        case license
        /// `CustomizationFault` and its subclasses, such as `NicSettingMismatch`.
        case customization
        /// `ToolsUnavailable`: Tools do not run, or are not there.
        case toolsUnavailable = "tools_unavailable"
        /// `ManagedObjectNotFound`.
        case notFound = "not_found"
        /// `RequestCanceled`: an administrator canceled the task.
        case canceled
        /// Any other: `VSphereError.fault` and the message say it.
        case other

        /// The kind of a fault class. Classes that no version is known to have are told by how vSphere builds names.
        package init(_ fault: String) {
            self = Self.byName[fault] ?? Self.byPattern(fault)
        }

        /// Whether the same request may succeed a little later.
        package var isPassing: Bool { self == .busy || self == .hostUnavailable }

        private static let byName: [String: FaultKind] = {
            let names: [FaultKind: [String]] = [
                .duplicateName: ["DuplicateName"],
                .invalidName: ["InvalidName", "NameTooLong"],
                .noDiskSpace: ["NoDiskSpace", "InsufficientStorageSpace", "InsufficientStorageIops"],
                .fileExists: ["FileAlreadyExists", "AlreadyExists"],
                .invalidDatastore: [
                    "InvalidDatastore", "InvalidDatastorePath", "InvalidDatastoreState", "DatastoreNotWritableOnHost",
                    "InaccessibleDatastore",
                ],
                .invalidArgument: [
                    "InvalidArgument", "InvalidRequest", "InvalidType", "InvalidProperty", "InvalidFolder",
                    "InvalidVmConfig",
                ],
                .network: [
                    "CannotAccessNetwork", "CannotUseNetwork", "CannotAccessLocalSource", "DvsFault",
                    "DvsNotAuthorized",
                    "LimitExceeded", "InvalidNetworkInType", "InvalidNetworkResource",
                ],
                .invalidPowerState: ["InvalidPowerState", "VmPowerOnDisabled"],
                .invalidState: ["InvalidState", "InvalidHostState", "InMaintenanceMode", "InvalidVmState"],
                .busy: [
                    "TaskInProgress", "ResourceInUse", "ConcurrentAccess", "FileLocked",
                    "TooManyConcurrentNativeClones",
                ],
                .noPermission: ["NoPermission"],
                .noCompatibleHost: [
                    "NoCompatibleHost", "NoCompatibleHostWithAccessToDevice", "NoHost", "NoHostSuitableForFtSecondary",
                    "MigrationFault", "CpuIncompatible",
                ],
                .hostUnavailable: [
                    "HostNotConnected", "HostNotReachable", "HostCommunication", "Timedout", "HostCommunicationFault",
                ],
                .notSupported: ["NotSupported", "MethodNotFound", "NotImplemented", "NotSupportedHost"],
                .license: [
                    "LicenseFault", "NotEnoughLicenses", "LicenseExpired", "LicenseRestricted", "NoLicenseEntity",
                    "FeatureNotLicensed",
                ],
                .customization: [
                    "CustomizationFault", "NicSettingMismatch", "CustomizationPending", "LinuxVolumeNotClean",
                    "MissingLinuxCustResources", "MissingWindowsCustResources", "UncustomizableGuest",
                    "IpHostnameGeneratorError", "CannotDecryptPasswords", "CustomizationFailed", "MountError",
                    "UnexpectedCustomizationFault", "NoDisksToCustomize",
                ],
                .toolsUnavailable: ["ToolsUnavailable", "VmToolsUpgradeFault"],
                .notFound: ["ManagedObjectNotFound"],
                .canceled: ["RequestCanceled"],
            ]
            return Dictionary(uniqueKeysWithValues: names.flatMap { kind, names in names.map { ($0, kind) } })
        }()

        private static func byPattern(_ fault: String) -> FaultKind {
            if fault.hasPrefix("Insufficient") { return .insufficientResources }
            if fault.hasPrefix("InvalidDevice") || fault.hasPrefix("DeviceNot") || fault.hasPrefix("DeviceUnsupported")
            {
                return .invalidDevice
            }
            if fault.hasPrefix("Customization") { return .customization }
            if fault.hasPrefix("Dvs") { return .network }
            if fault.hasSuffix("PowerState") { return .invalidPowerState }
            if fault.hasSuffix("State") { return .invalidState }
            return .other
        }
    }

    /// The kind of `fault`; `nil` where the error is none of vSphere's, but the connection's or the session's.
    package var faultKind: FaultKind? {
        switch code {
        case .fault, .permission, .notFound: fault.map(FaultKind.init)
        default: nil
        }
    }
}
