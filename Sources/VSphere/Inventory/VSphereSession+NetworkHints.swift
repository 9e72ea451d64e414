/// What a host saw on one of its physical adapters: a hint, never a fact.
package struct NetworkHint: Sendable, Hashable {
    /// The physical switch that the adapter is plugged into.
    package struct Neighbour: Sendable, Hashable {
        /// The system's name, else its id.
        package let name: String
        package let port: String?
    }

    /// Addresses seen in broadcasts.
    package struct Subnet: Sendable, Hashable {
        /// 0: untagged.
        package let vlan: Int
        /// As the host writes it: `10.1.20.1-10.1.20.254`.
        package let range: String
    }

    package let device: String
    package let cdp: Neighbour?
    package let lldp: Neighbour?
    package let subnets: [Subnet]

    init?(_ element: ElementView) {
        guard let device = element.child(.device)?.text else { return nil }
        self.device = device
        func neighbour(_ item: ElementView?, _ name: (ElementView) -> String?) -> Neighbour? {
            item.flatMap { item in name(item).map { Neighbour(name: $0, port: item.child(.portId)?.text) } }
        }
        cdp = neighbour(element.child(.connectedSwitchPort)) {
            $0.child(.systemName)?.text ?? $0.child(.devId)?.text
        }
        lldp = neighbour(element.child(.lldpInfo)) { info in
            info.children(.parameter).first { $0.child(.key)?.textIs("System Name") == true }?.child(.value)?.text
                ?? info.child(.chassisId)?.text
        }
        subnets = element.children(.subnet).compactMap { item in
            item.child(.ipSubnet)?.text.map { Subnet(vlan: item.child(.vlanId)?.int ?? 0, range: $0) }
        }
    }
}

extension VSphereSession {
    /// Asks hosts what they see of the physical network, in no particular order, until `deadline` is over.
    ///
    /// A host that does not answer, or not in time, because it is not connected or the user may not ask, is left out.
    ///
    /// - Parameter each: how long one host may take.
    /// - Returns: the hints by the host's id, of those that answered.
    package func networkHints(
        deadline: Duration = .seconds(30), each: Duration = .seconds(10)
    ) throws -> [String: [NetworkHint]] {
        let started = ContinuousClock.now
        var hints: [String: [NetworkHint]] = [:]
        var late: VSphereError?
        var wasRenewed = false
        var remaining = try renewingOnce("listing the hosts' network systems", networkSystems).shuffled()
        while let (host, system) = remaining.last {
            let left = deadline - started.duration(to: .now)
            guard left > .zero else { break }
            do {
                hints[host] = try ask(system, within: min(each, left))
            } catch let fault as SOAPFault where fault.type == "NotAuthenticated" {
                // It is about the session, not the host; one that is lost again is not worth another try.
                guard !wasRenewed else { break }
                wasRenewed = true
                try renew()
                continue
            } catch is SOAPFault {
                // This host has none to tell.
            } catch let error as VSphereError where error.code == .timedOut {
                late = error
            } catch let error as VSphereError where !hints.isEmpty && error.code != .canceled {
                break
            }
            remaining.removeLast()
        }
        if hints.isEmpty, let late { throw late }
        return hints
    }

    private func ask(_ system: ManagedObjectReference, within limit: Duration) throws -> [NetworkHint] {
        try client.call(
            SOAPRequest("QueryNetworkHint", on: system), Projection.networkHints, within: limit
        ) { response in
            response.children.filter { $0.name == .returnval }.compactMap(NetworkHint.init)
        }
    }

    private func networkSystems() throws -> [(host: String, system: ManagedObjectReference)] {
        let path = "configManager.networkSystem"
        let view = try reference(
            SOAPRequest("CreateContainerView", on: content.viewManager) { [content] writer in
                writer.element("container", content.rootFolder)
                writer.element("type", "HostSystem")
                writer.element("recursive", true)
            })
        let spec = PropertyFilterSpec(
            properties: [PropertySpec(type: "HostSystem", paths: [path])],
            objects: [ObjectSpec(object: view, isView: true)])
        var request = SOAPRequest("RetrievePropertiesEx", on: content.propertyCollector) { writer in
            spec.write("specSet", to: &writer)
            writer.element("options") { _ in }
        }
        var systems: [(String, ManagedObjectReference)] = []
        while true {
            let token = try client.call(request, Projection.hostReferences) { response -> String? in
                let page = response.child(.returnval)
                for object in page.map({ Array($0.children(.objects)) }) ?? [] {
                    for missing in object.children(.missingSet) {
                        let fault = missing.child(.methodFault)?.child(.methodFault).map(SOAPFault.init(missing:))
                        if let fault, fault.type == "NotAuthenticated" { throw fault }
                    }
                    guard let host = object.child(.obj)?.text,
                        let system = object.child(.propSet)?.child(.val)?.reference
                    else { continue }
                    systems.append((host, system))
                }
                return page?.child(.token)?.text
            }
            guard let token else { break }
            request = SOAPRequest("ContinueRetrievePropertiesEx", on: content.propertyCollector) { writer in
                writer.element("token", token)
            }
        }
        try call(SOAPRequest("DestroyView", on: view))
        return systems
    }
}

extension Projection {
    fileprivate static let hostReferences = Projection.soap(
        .object([
            .returnval: .object([
                .token: .text,
                .objects: .object([
                    .obj: .reference, .propSet: .object([.val: .reference]),
                    .missingSet: .object([.methodFault: .object([.methodFault: Projection.faultShape])]),
                ]),
            ])
        ]))

    fileprivate static let networkHints = Projection.soap(
        .object([
            .returnval: .object([
                .device: .text, .subnet: .object([.vlanId: .text, .ipSubnet: .text]),
                .connectedSwitchPort: .object([.devId: .text, .portId: .text, .systemName: .text]),
                .lldpInfo: .object([
                    .chassisId: .text, .portId: .text, .parameter: .object([.key: .text, .value: .text]),
                ]),
            ])
        ]))
}
