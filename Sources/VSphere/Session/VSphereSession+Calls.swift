extension VSphereSession {
    /// The server's clock, as it writes it (`2024-05-01T12:00:00.123Z`). The cheapest sign of life.
    package func currentTime() throws -> String {
        try renewingOnce("CurrentTime") {
            let request = SOAPRequest("CurrentTime", on: ServiceContent.serviceInstance)
            return try client.call(request, Projection.returnedText) { response in
                guard let time = response.child(.returnval)?.text else {
                    throw VSphereError(.protocolViolation, "\(endpoint.url) answered CurrentTime without a time")
                }
                return time
            }
        }
    }

    /// The virtual machine with a UUID: `config.instanceUuid`, or the BIOS's.
    package func findVirtualMachine(uuid: String, isInstanceUUID: Bool = true) throws -> ManagedObjectReference? {
        guard let index = content.searchIndex else { return nil }
        return try renewingOnce("FindByUuid") {
            let request = SOAPRequest("FindByUuid", on: index) { writer in
                writer.element("uuid", uuid)
                writer.element("vmSearch", true)
                writer.element("instanceUuid", isInstanceUUID)
            }
            return try client.call(request, Projection.returnedText) { $0.child(.returnval)?.reference }
        }
    }
}
