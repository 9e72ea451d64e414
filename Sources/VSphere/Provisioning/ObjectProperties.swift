internal import Logging

/// What is asked of objects, and which parts of the values are kept: a projection for answers of the property collector.
///
/// The inventory has its own, which is bound to its properties for speed; this one serves readings of a few objects.
struct PropertyQuery {
    /// The paths of each type, its base types' among them.
    let paths: [(type: String, paths: [String])]
    fileprivate let names: [String]
    fileprivate let projection: Projection

    /// `properties` names, for each type, the paths and the shapes of their values. A path has one shape, whatever the
    /// type.
    init(_ properties: KeyValuePairs<String, KeyValuePairs<String, Shape>>) {
        paths = properties.map { ($0.key, $0.value.map(\.key)) }
        var shapes: [(path: String, shape: Shape)] = []
        for (path, shape) in properties.flatMap(\.value) where !shapes.contains(where: { $0.path == path }) {
            shapes.append((path, shape))
        }
        names = shapes.map(\.path)
        projection = Projection.objects(properties: shapes)
    }

    fileprivate func specs(without unknown: Set<String>) -> [PropertySpec] {
        paths.map { type, paths in PropertySpec(type: type, paths: paths.filter { !unknown.contains($0) }) }
    }
}

/// Properties of one object as they came in an answer; valid within the visit alone.
struct ObjectProperties {
    private(set) var object = ManagedObjectReference(type: "", value: "")
    /// The object left the filter: it is gone, or hidden from the user.
    private(set) var hasLeft = false
    /// Something came under a name that was not asked for: only a part of a property, or more than one.
    private(set) var hasIrregularNames = false
    private var values: [String: ElementView] = [:]
    private var assigned: Set<String> = []
    private(set) var unreadable: UnreadableProperties = [:]

    /// Throws a `SOAPFault` where a property is missing because the session is gone.
    fileprivate init(_ element: ElementView, of query: PropertyQuery) throws {
        for child in element.children {
            switch child.name {
            case .kind: hasLeft = child.textIs("leave")
            case .obj: object = child.reference ?? object
            case .changeSet, .propSet:
                guard let name = child.child(.name) else { continue }
                guard query.names.indices.contains(name.property), child.child(.op)?.textIs("add") != true,
                    child.child(.op)?.textIs("remove") != true
                else {
                    hasIrregularNames = true
                    continue
                }
                let path = query.names[name.property]
                assigned.insert(path)
                values[path] = child.child(.val)
            case .missingSet:
                let fault = child.child(.methodFault)?.child(.methodFault).map(SOAPFault.init(missing:))
                if let fault, fault.type == "NotAuthenticated" { throw fault }
                if let path = child.child(.path)?.text { unreadable[path] = fault?.type ?? "MethodFault" }
            default: break
            }
        }
    }

    /// `nil` where the property is unset, was not readable or not sent.
    subscript(path: String) -> ElementView? { values[path] }

    /// The property came in this answer, if only to say that it is unset.
    func has(_ path: String) -> Bool { assigned.contains(path) }

    func text(_ path: String) -> String? { values[path]?.text }

    func items(_ path: String) -> [ElementView] { values[path].map { Array($0.children) } ?? [] }

    /// The objects of a list of references.
    func references(_ path: String) -> [String] { items(path).compactMap(\.text) }
}

extension VSphereSession {
    /// Reads what a query asks of objects, page by page. `visit` gets each object as it is parsed.
    ///
    /// - Parameter optional: paths that some versions do not know. The reading does without those that the server
    ///   refuses, and starts again: an object may then be visited twice.
    func retrieve(
        _ query: PropertyQuery, of objects: [ObjectSpec], optional: Set<String> = [],
        _ visit: @escaping (ObjectProperties) throws -> Void
    ) throws {
        var unknown: Set<String> = []
        while true {
            do {
                return try retrievePages(query, objects, unknown, visit)
            } catch let fault as SOAPFault {
                guard let path = fault.unknownPath(of: optional.subtracting(unknown)) else { throw fault }
                unknown.insert(path)
            }
        }
    }

    private func retrievePages(
        _ query: PropertyQuery, _ objects: [ObjectSpec], _ unknown: Set<String>,
        _ visit: @escaping (ObjectProperties) throws -> Void
    ) throws {
        let spec = PropertyFilterSpec(properties: query.specs(without: unknown), objects: objects)
        var request = SOAPRequest("RetrievePropertiesEx", on: content.propertyCollector) { writer in
            spec.write("specSet", to: &writer)
            writer.element("options") { _ in }
        }
        while true {
            let token = try client.call(
                request, query.projection, onObject: { try visit(ObjectProperties($0, of: query)) },
                read: { $0.child(.returnval)?.child(.token)?.text })
            guard let token else { return }
            request = SOAPRequest("ContinueRetrievePropertiesEx", on: content.propertyCollector) { writer in
                writer.element("token", token)
            }
        }
    }
}

/// An object watched by a property filter of its own, on a collector of its own: what others wait for is left alone.
final class ObjectFilter {
    private let session: VSphereSession
    private let query: PropertyQuery
    private let collector: ManagedObjectReference
    private var filter: ManagedObjectReference?
    private var version = ""

    /// How much longer than it was asked to the server may hold a call, in seconds.
    private static let grace = 30

    init(_ session: VSphereSession, _ query: PropertyQuery, of object: ManagedObjectReference, without: Set<String>)
        throws
    {
        self.session = session
        self.query = query
        collector = try session.reference(
            SOAPRequest("CreatePropertyCollector", on: session.content.propertyCollector))
        let spec = PropertyFilterSpec(properties: query.specs(without: without), objects: [ObjectSpec(object: object)])
        filter = try session.reference(
            SOAPRequest("CreateFilter", on: collector) { writer in
                spec.write("spec", to: &writer)
                writer.element("partialUpdates", false)
            })
    }

    func owns(_ object: ManagedObjectReference?) -> Bool {
        object.map { $0 == collector || $0 == filter } ?? false
    }

    /// Asks for updates since the last ones; at first, for everything.
    ///
    /// - Returns: whether any came.
    func wait(seconds: Int, _ visit: @escaping (ObjectProperties) throws -> Void) throws -> Bool {
        let request = SOAPRequest("WaitForUpdatesEx", on: collector) { [version] writer in
            writer.element("version", version)
            writer.element("options") { $0.element("maxWaitSeconds", seconds) }
        }
        let query = query
        return try session.client.call(
            request, query.projection, within: .seconds(seconds + Self.grace),
            onObject: { try visit(ObjectProperties($0, of: query)) },
            read: { response in
                guard let update = response.child(.returnval) else { return false }
                for filter in update.children(.filterSet) {
                    for missing in filter.children(.missingSet) {
                        guard let fault = missing.child(.methodFault)?.child(.methodFault) else { continue }
                        throw SOAPFault(missing: fault)
                    }
                }
                guard let next = update.child(.version)?.text else {
                    throw VSphereError(
                        .protocolViolation, "\(session.endpoint.url) sent updates without a version")
                }
                version = next
                return true
            })
    }

    /// Gives the server its memory back; the session's end would do it as well.
    func destroy() {
        do { try session.call(SOAPRequest("DestroyPropertyCollector", on: collector)) } catch {
            session.logger.debug("a property collector was left behind", metadata: ["reason": "\(error)"])
        }
    }
}
