/// The element names that some answer is read for; every other name is `other`.
enum ElementName: String, CaseIterable {
    case other = ""

    // SOAP and its faults.
    case envelope = "Envelope"
    case body = "Body"
    case fault = "Fault"
    case faultcode, faultstring, detail, object, obj, privilegeId, invalidProperty

    // Versions.
    case namespaces, namespace, version, priorVersions

    // ServiceContent.
    case returnval, about, rootFolder, propertyCollector, viewManager, sessionManager, searchIndex
    case fullName, build, apiType, apiVersion, instanceUuid, productLineId

    // UpdateSet and RetrieveResult.
    case filterSet, objectSet, objects, kind, changeSet, propSet, op, val, missingSet, path, token, truncated
    case methodFault = "fault"

    // Properties.
    case name, key, device, mac, linkSpeed, speedMb, mtu, nicDevice, bridge, spec, pnic, portgroup, vlanId, vswitchName
    case ip, ipAddress, subnetMask, ipV6Config, ipV6Address, prefixLength, origin, dadState, state
    case distributedVirtualPort, switchUuid, portgroupKey, opaqueNetwork, id, type, netStackInstanceKey
    case ipRouteConfig, defaultGateway, ipV6DefaultGateway
    case dvsUuid, backing, pnicSpec, pnicDevice
    case nicType, selectedVnic, candidateVnic
    case deviceInfo, label, macAddress, addressType, connectable, connected
    case deviceName, network, port, opaqueNetworkId, opaqueNetworkType
    case extensionKey, deviceConfigId, ipConfig
    case config, host, uplinkPortgroup, pvlanConfig, primaryVlanId, secondaryVlanId, maxMtu
    case vlan, start, end, pvlanId

    // Network hints.
    case subnet, ipSubnet, connectedSwitchPort, devId, portId, systemName, lldpInfo, chassisId, parameter, value

    // Machines, and what they are placed on.
    case localizedMessage, property, controllerKey, unitNumber, startConnected
    case capacityInBytes, capacityInKB, datastore, fileName
    case currentSnapshot, rootSnapshotList, childSnapshotList, snapshot
    case customizationStatus, startTime, endTime, errorMsg

    /// The name's column in a `Projection`.
    var ordinal: Int { Self.ordinals[self] ?? 0 }

    private static let ordinals = Dictionary(uniqueKeysWithValues: zip(allCases, allCases.indices))
}
