extension VSphereSession {
    /// Reads one VM as a reading of the whole inventory tells it; `nil` where it is gone, or hidden from the user.
    package func readRecord(ofVirtualMachine id: String) throws -> VirtualMachineRecord? {
        let reference = ManagedObjectReference(type: "VirtualMachine", value: id)
        return try renewingOnce("the reading of VM \(id)") {
            do {
                return try record(of: reference, without: [])
            } catch let fault as SOAPFault where fault.type == "ManagedObjectNotFound" {
                return nil
            }
        }
    }

    private func record(
        of reference: ManagedObjectReference, without unknown: Set<String>
    ) throws -> VirtualMachineRecord? {
        let asked = InventoryProperty.byType.first { $0.type == reference.type }?.properties ?? []
        let paths = asked.map(\.path).filter { !unknown.contains($0) }
        let spec = PropertyFilterSpec(
            properties: [PropertySpec(type: reference.type, paths: paths)], objects: [ObjectSpec(object: reference)])
        let request = SOAPRequest("RetrievePropertiesEx", on: content.propertyCollector) { writer in
            spec.write("specSet", to: &writer)
            writer.element("options") { _ in }
        }
        var record: VirtualMachineRecord?
        do {
            try client.call(
                request, Projection.inventory,
                onObject: { element in
                    var change = ObjectChange()
                    try change.read(element)
                    record = VirtualMachineRecord(change)
                }, read: { _ in })
        } catch let fault as SOAPFault {
            let optional = Set(asked.filter(\.isOptional).map(\.path)).subtracting(unknown)
            guard let path = fault.unknownPath(of: optional) else { throw fault }
            return try self.record(of: reference, without: unknown.union([path]))
        }
        return record
    }
}

extension VSphereSession {
    /// A distributed switch's UUID as the server writes it, with spaces: so it is wanted where an adapter is put on the switch.
    ///
    /// - Throws: `notFound` where it is gone, or hidden from the user.
    package func readSwitchUUID(_ id: String) throws -> String {
        let reference = ManagedObjectReference(type: "VmwareDistributedVirtualSwitch", value: id)
        return try renewingOnce("the reading of switch \(id)") {
            var uuid: String?
            try withoutActuallyEscaping({ (found: ObjectProperties) in uuid = found.text("uuid") }) { visit in
                try retrieve(.switchUUID, of: [ObjectSpec(object: reference)], visit)
            }
            guard let uuid else { throw missing(reference) }
            return uuid
        }
    }
}

extension PropertyQuery {
    fileprivate static let switchUUID = PropertyQuery(["DistributedVirtualSwitch": ["uuid": .text]])
}
