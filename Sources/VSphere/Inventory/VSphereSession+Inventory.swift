internal import Logging

/// Why a reading begins anew.
package enum ReadingRestart: Sendable, Equatable {
    /// The server forgot the session, or the reading in it.
    case sessionLost
    /// The server does not know this optional property.
    case unknownProperty(String)
}

extension VSphereSession {
    /// Reads the whole inventory.
    ///
    /// `visit` gets each record as its object is parsed; an object may come more than once, then its last record
    /// counts, and `.removed` undoes those before. Nothing is final until this returns. `restart` is called where the
    /// reading begins anew, with the reason: whatever was visited until then is to be dropped. `progress` gets the number
    /// of records so far.
    package func readInventory(
        progress: @escaping (Int) -> Void = { _ in }, restart: (ReadingRestart) throws -> Void,
        _ visit: @escaping (InventoryRecord) throws -> Void
    ) throws {
        var unsupported: Set<String> = []
        var restarts = 0
        while true {
            let reading = InventoryReading(self, unsupported: unsupported, progress: progress, visit: visit)
            do {
                try reading.run()
                reading.cleanUp()
                return
            } catch let fault as SOAPFault {
                if let path = Self.unsupportedPath(fault, known: unsupported) {
                    logger.info(
                        "the server does not know a property; reading without it",
                        metadata: ["property": "\(path)", "version": "\(apiVersion)"])
                    unsupported.insert(path)
                    reading.cleanUp()
                    try restart(.unknownProperty(path))
                    continue
                }
                guard let loss = SessionLoss(fault, of: reading) else {
                    throw VSphereError(fault, operation: "the reading of the inventory", url: endpoint.url)
                }
                guard restarts == 0 else {
                    throw VSphereError(
                        .sessionLost,
                        "\(endpoint.url) ended the session twice in one reading (\(fault.type)): it is "
                            + "restarting, or its session limits are too tight; try again later", fault: fault.type)
                }
                restarts += 1
                logger.warning(
                    "the server forgot the session; reading again from the start",
                    metadata: ["fault": "\(fault.type)"])
                try restart(.sessionLost)
                if loss == .session { try renew() }
            }
        }
    }

    /// The optional property that a fault says is unknown.
    private static func unsupportedPath(_ fault: SOAPFault, known: Set<String>) -> String? {
        fault.unknownPath(
            of: InventoryProperty.allCases.filter { $0.isOptional && !known.contains($0.path) }.map(\.path))
    }

    /// Who this is, whatever its name and address: a vCenter's instance UUID, or an ESXi host's hardware UUID. Lower case.
    package func identity() throws -> String {
        if let uuid = about.instanceUUID { return uuid }
        return try renewingOnce("reading the host's hardware UUID") { try hardwareUUID() }
    }

    private func hardwareUUID() throws -> String {
        let view = try reference(
            SOAPRequest("CreateContainerView", on: content.viewManager) { [content] writer in
                writer.element("container", content.rootFolder)
                writer.element("type", "HostSystem")
                writer.element("recursive", true)
            })
        let spec = PropertyFilterSpec(
            properties: [PropertySpec(type: "HostSystem", paths: [InventoryProperty.hostUUID.path])],
            objects: [ObjectSpec(object: view, isView: true)])
        let request = SOAPRequest("RetrievePropertiesEx", on: content.propertyCollector) { writer in
            spec.write("specSet", to: &writer)
            writer.element("options") { _ in }
        }
        var uuid: String?
        try client.call(
            request, Projection.inventory,
            onObject: { element in
                var change = ObjectChange()
                try change.read(element)
                uuid = change.text(.hostUUID) ?? uuid
            }, read: { _ in })
        try call(SOAPRequest("DestroyView", on: view))
        guard let uuid else {
            throw VSphereError(
                .protocolViolation,
                "\(endpoint.url) tells no hardware UUID, and so cannot be told from other hosts: "
                    + "check that the user may see the host")
        }
        return uuid.lowercased()
    }
}

/// The ways in which a server forgets a reading.
enum SessionLoss {
    /// The session is gone, and everything in it.
    case session
    /// The session stands, the collector's memory is gone.
    case collector

    init?(_ fault: SOAPFault, of reading: InventoryReading) {
        switch fault.type {
        case "NotAuthenticated": self = .session
        case "ManagedObjectNotFound" where reading.owns(fault.object): self = .session
        case "InvalidCollectorVersion": self = .collector
        default: return nil
        }
    }
}
