/// What a server says of itself (AboutInfo).
package struct AboutInfo: Hashable, Sendable {
    package enum Kind: String, Sendable { case vCenter, esxi }

    /// `VirtualCenter` or `HostAgent`.
    package var apiType: String
    package var kind: Kind
    /// Of a vCenter, in lower case: the account's identity. ESXi has none.
    package var instanceUUID: String?
    package var name: String
    package var version: String
    package var build: String
    package var fullName: String
}

/// The objects that everything starts from; their names differ between vCenter and ESXi.
struct ServiceContent {
    var about: AboutInfo
    var rootFolder: ManagedObjectReference
    var propertyCollector: ManagedObjectReference
    var viewManager: ManagedObjectReference
    var sessionManager: ManagedObjectReference
    /// ESXi and vCenter have one; it is not needed to read an inventory.
    var searchIndex: ManagedObjectReference?

    static let serviceInstance = ManagedObjectReference(type: "ServiceInstance", value: "ServiceInstance")

    static let projection = Projection.soap(
        .object([
            .returnval: .object([
                .rootFolder: .reference, .propertyCollector: .reference, .viewManager: .reference,
                .sessionManager: .reference, .searchIndex: .reference,
                .about: .object([
                    .name: .text, .fullName: .text, .version: .text, .build: .text, .apiType: .text,
                    .instanceUuid: .text,
                ]),
            ])
        ]))

    init(_ response: ElementView, url: String) throws {
        func missing(_ what: String) -> VSphereError {
            VSphereError(.protocolViolation, "\(url) named no \(what) in its ServiceContent")
        }
        guard let content = response.child(.returnval) else { throw missing("content") }
        func reference(_ name: ElementName) throws -> ManagedObjectReference {
            guard let reference = content.child(name)?.reference else { throw missing(name.rawValue) }
            return reference
        }
        rootFolder = try reference(.rootFolder)
        propertyCollector = try reference(.propertyCollector)
        viewManager = try reference(.viewManager)
        sessionManager = try reference(.sessionManager)
        searchIndex = content.child(.searchIndex)?.reference
        guard let told = content.child(.about) else { throw missing("about") }
        let apiType = told.child(.apiType)?.text ?? ""
        let kinds: [String: AboutInfo.Kind] = ["VirtualCenter": .vCenter, "HostAgent": .esxi]
        guard let kind = kinds[apiType] else {
            throw VSphereError(
                .notVSphere, "\(url) is \"\(apiType)\", neither a vCenter nor an ESXi host: check the address")
        }
        about = AboutInfo(
            apiType: apiType, kind: kind,
            instanceUUID: kind == .vCenter ? told.child(.instanceUuid)?.text?.lowercased() : nil,
            name: told.child(.name)?.text ?? "", version: told.child(.version)?.text ?? "",
            build: told.child(.build)?.text ?? "", fullName: told.child(.fullName)?.text ?? "")
    }
}
