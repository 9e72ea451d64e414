extension InventoryProperty {
    /// The parts of the property's value that are kept.
    var shape: Shape {
        switch self {
        case .name, .hostUUID, .hostConnectionState, .machineConnectionState, .hostInMaintenanceMode,
            .hostManagementServer, .hostVersion, .machinePowerState, .machineBIOSUUID, .machineInstanceUUID,
            .machineIsTemplate, .machineToolsStatus, .machineGuestHostName, .switchUUID, .portGroupKey,
            .portGroupUplink, .portGroupBacking, .portGroupLogicalSwitch:
            .text
        case .parent, .machineHost, .portGroupSwitch: .reference
        case .hostPhysicalNICs:
            .array(of: .object([.key: .text, .device: .text, .mac: .text, .linkSpeed: .object([.speedMb: .text])]))
        case .hostVMkernelAdapters: .array(of: Self.vmkernelAdapter)
        case .hostSwitches:
            .array(
                of: .object([
                    .name: .text, .key: .text, .mtu: .text, .pnic: .text,
                    .spec: .object([.bridge: .object(.schemaType, [.nicDevice: .text])]),
                ]))
        case .hostPortGroups:
            .array(of: .object([.key: .text, .spec: .object([.name: .text, .vlanId: .text, .vswitchName: .text])]))
        case .hostProxySwitches:
            .array(
                of: .object([
                    .dvsUuid: .text, .pnic: .text,
                    .spec: .object([.backing: .object([.pnicSpec: .object([.pnicDevice: .text])])]),
                ]))
        case .hostRoutes: Self.routes
        case .hostNetStacks: .array(of: .object([.key: .text, .ipRouteConfig: Self.routes]))
        case .hostServices:
            .array(
                of: .object([
                    .nicType: .text, .selectedVnic: .text,
                    .candidateVnic: .object([.device: .text, .key: .text]),
                ]))
        case .machineManagedBy: .object([.extensionKey: .text])
        case .machineDevices: .array(of: Self.device)
        case .machineGuestNICs: .array(of: Self.guestNIC)
        case .opaqueSummary: .object([.opaqueNetworkId: .text, .opaqueNetworkType: .text])
        case .switchConfig:
            .object(
                .schemaType,
                [
                    .uplinkPortgroup: .reference, .maxMtu: .text,
                    .host: .object([.config: .object([.host: .reference])]),
                    .pvlanConfig: .object([.primaryVlanId: .text, .secondaryVlanId: .text]),
                ])
        case .switchHostMembers: .array(of: .reference)
        case .portGroupDefaults:
            .object([
                .vlan: .object(
                    .schemaType,
                    [
                        // A number in a VLAN spec, a range in a trunk's.
                        .vlanId: .object(.text, [.start: .text, .end: .text]),
                        .pvlanId: .text,
                    ])
            ])
        case .portGroupTags: .array(of: .object([.key: .text]))
        }
    }

    private static let routes = Shape.object([.defaultGateway: .text, .ipV6DefaultGateway: .text])

    private static let vmkernelAdapter = Shape.object([
        .device: .text, .key: .text, .portgroup: .text,
        .spec: .object([
            .ip: .object([
                .ipAddress: .text, .subnetMask: .text,
                .ipV6Config: .object([
                    .ipV6Address: .object([
                        .ipAddress: .text, .prefixLength: .text, .origin: .text, .dadState: .text,
                    ])
                ]),
            ]),
            .mac: .text,
            .distributedVirtualPort: .object([.switchUuid: .text, .portgroupKey: .text]),
            .opaqueNetwork: .object([.id: .text]),
            .netStackInstanceKey: .text,
        ]),
    ])

    /// Classes of `VirtualDevice` that have no MAC address, which most devices of a VM are of. A class that is not here
    /// is looked into, so that adapters of classes yet to come are found.
    static let otherDevices = [
        "VirtualAHCIController", "VirtualBusLogicController", "VirtualCdrom", "VirtualDisk", "VirtualFloppy",
        "VirtualHdAudioCard", "VirtualIDEController", "VirtualKeyboard", "VirtualLsiLogicController",
        "VirtualLsiLogicSASController", "VirtualMachineVideoCard", "VirtualMachineVMCIDevice", "VirtualNVMEController",
        "VirtualPCIController", "VirtualPS2Controller", "VirtualParallelPort", "VirtualPointingDevice",
        "VirtualSIOController", "VirtualSerialPort", "VirtualTPM", "VirtualUSBController", "VirtualUSBXHCIController",
        "ParaVirtualSCSIController",
    ]

    private static let device = Shape.object(
        [.schemaType, .mayBeNeedless],
        [
            .key: .text, .deviceInfo: .object([.label: .text]), .macAddress: .text,
            .backing: .object(
                .schemaType,
                [
                    .deviceName: .text, .network: .reference,
                    .port: .object([.switchUuid: .text, .portgroupKey: .text]),
                    .opaqueNetworkId: .text, .opaqueNetworkType: .text,
                ]),
            .connectable: .object([.connected: .text]),
        ])

    private static let guestNIC = Shape.object([
        .ipAddress: .text, .macAddress: .text, .connected: .text, .deviceConfigId: .text,
        .ipConfig: .object([
            .ipAddress: .object([.ipAddress: .text, .prefixLength: .text, .origin: .text, .state: .text])
        ]),
    ])
}

extension Projection {
    /// A page of a reading: WaitForUpdatesEx, RetrievePropertiesEx or ContinueRetrievePropertiesEx.
    static let inventory: Projection = {
        var shapes: [String: Shape] = [:]
        for property in InventoryProperty.allCases where shapes[property.path] == nil {
            shapes[property.path] = property.shape
        }
        return objects(
            properties: InventoryProperty.paths.map { ($0, shapes[$0] ?? .text) },
            needlessTypes: InventoryProperty.otherDevices)
    }()

    /// The property collector's answers, with each object handed over as it ends.
    static func objects(properties: [(path: String, shape: Shape)], needlessTypes: [String] = []) -> Projection {
        let missing = Shape.object([
            .path: .text, .obj: .reference, .methodFault: .object([.methodFault: Projection.faultShape]),
        ])
        let name = Shape(traits: [.text, .propertyName])
        let value = Shape(traits: .propertyValue)
        let update = Shape.object(
            .emit,
            [
                .kind: .text, .obj: .reference,
                .changeSet: .object([.name: name, .op: .text, .val: value]), .missingSet: missing,
            ])
        let object = Shape.object(
            .emit, [.obj: .reference, .propSet: .object([.name: name, .val: value]), .missingSet: missing])
        return Projection.soap(
            .object([
                .returnval: .object([
                    .version: .text, .truncated: .text,
                    .filterSet: .object([.objectSet: update, .missingSet: missing]),
                    .token: .text, .objects: object,
                ])
            ]), properties: properties, needlessTypes: needlessTypes)
    }
}
