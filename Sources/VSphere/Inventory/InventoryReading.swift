internal import Logging

/// One reading of an account's inventory, from version "" until the server says that nothing is left.
///
/// The records are handed over as their objects are parsed, so a reading that throws has handed over a part: whoever
/// stages them drops them. What changes on the server in the meantime comes as updates within the same reading; those
/// objects are read again as a whole at its end, and the last record of an object is the one that counts.
final class InventoryReading {
    private let session: VSphereSession
    private let client: SOAPClient
    private let progress: (Int) -> Void
    private let visit: (InventoryRecord) throws -> Void
    /// Paths that this server does not know.
    private let unsupported: Set<String>

    private var collector: ManagedObjectReference?
    private var view: ManagedObjectReference?
    private var change = ObjectChange()
    private var recordCount = 0
    /// Objects whose records are not the last word, in the order of their first change.
    private var unsettled: [ManagedObjectReference] = []
    /// The root folder, or anything, was seen: the server did read.
    private var sawObject = false

    /// Objects per page. Servers cap it at 100 or so by themselves.
    static let pageSize = 500
    private static let progressStep = 500
    /// How often in a row an announced page may fail to come, and how long the server may wait for it.
    private static let patience = (times: 3, seconds: 10)

    init(
        _ session: VSphereSession, unsupported: Set<String>, progress: @escaping (Int) -> Void,
        visit: @escaping (InventoryRecord) throws -> Void
    ) {
        self.session = session
        client = session.client
        self.unsupported = unsupported
        self.progress = progress
        self.visit = visit
    }

    /// The server's own objects of this reading: where one is not found, the session is gone.
    func owns(_ object: ManagedObjectReference?) -> Bool {
        guard let object else { return false }
        return object == collector || object == view
    }

    func run() throws {
        let collector = try session.reference(
            SOAPRequest("CreatePropertyCollector", on: session.content.propertyCollector))
        self.collector = collector
        let view = try createView()
        self.view = view
        _ = try session.reference(
            SOAPRequest("CreateFilter", on: collector) { [spec = spec(view)] writer in
                spec.write("spec", to: &writer)
                writer.element("partialUpdates", false)
            })
        try readPages(collector)
        try settle(collector)
        progress(recordCount)
    }

    /// Gives the server its memory back; the session's end would do it as well.
    func cleanUp() {
        let requests = [
            collector.map { SOAPRequest("DestroyPropertyCollector", on: $0) },
            view.map { SOAPRequest("DestroyView", on: $0) },
        ]
        for request in requests.compactMap(\.self) {
            do { try session.call(request) } catch {
                session.logger.debug("an object of the reading was left behind", metadata: ["reason": "\(error)"])
                return
            }
        }
    }

    private var types: [(type: String, properties: [InventoryProperty])] {
        InventoryProperty.byType.filter {
            session.about.kind == .vCenter || !InventoryProperty.vCenterTypes.contains($0.type)
        }
    }

    private func createView() throws -> ManagedObjectReference {
        let types = types.map(\.type)
        return try session.reference(
            SOAPRequest("CreateContainerView", on: session.content.viewManager) { [session] writer in
                writer.element("container", session.content.rootFolder)
                for type in types { writer.element("type", type) }
                writer.element("recursive", true)
            })
    }

    /// What is in the view, and the root folder itself: with it, an answer without any object cannot be a whole one.
    private func spec(_ view: ManagedObjectReference) -> PropertyFilterSpec {
        PropertyFilterSpec(
            properties: propertySpecs,
            objects: [ObjectSpec(object: view, isView: true), ObjectSpec(object: session.content.rootFolder)])
    }

    private var propertySpecs: [PropertySpec] {
        types.map { type, properties in
            PropertySpec(type: type, paths: properties.map(\.path).filter { !unsupported.contains($0) })
        }
    }

    // MARK: Pages

    /// What came of asking for a page.
    private enum Page {
        /// More follow this version.
        case truncated(version: String)
        case last
        /// Nothing was new within the time to wait.
        case nothing
    }

    private func readPages(_ collector: ManagedObjectReference) throws {
        var version = ""
        var emptyAnswers = 0
        pages: while true {
            let page = try readPage(
                collector, after: version, waiting: emptyAnswers == 0 ? 0 : Self.patience.seconds)
            progress(recordCount)
            switch page {
            case .truncated(let next):
                version = next
                emptyAnswers = 0
            case .last: break pages
            // The first page has the root folder at least, which is asked for below.
            case .nothing where version.isEmpty: break pages
            case .nothing:
                // The server said that more would come: nothing is not the end.
                emptyAnswers += 1
                guard emptyAnswers <= Self.patience.times else {
                    throw VSphereError(
                        .unfinished,
                        "\(session.endpoint.url) announced more of its inventory after \(recordCount) objects "
                            + "and did not send it: try again")
                }
            }
        }
        guard sawObject else {
            throw VSphereError(
                .unfinished,
                "\(session.endpoint.url) showed no object at all, not even its root folder: "
                    + "try again, and check that the user may see the inventory")
        }
    }

    private func readPage(
        _ collector: ManagedObjectReference, after version: String, waiting seconds: Int
    ) throws -> Page {
        let request = SOAPRequest("WaitForUpdatesEx", on: collector) { writer in
            writer.element("version", version)
            writer.element("options") { writer in
                writer.element("maxWaitSeconds", seconds)
                writer.element("maxObjectUpdates", Self.pageSize)
            }
        }
        return try client.call(request, Projection.inventory, onObject: readUpdate) { response in
            guard let update = response.child(.returnval) else { return .nothing }
            try checkFilters(update)
            guard let next = update.child(.version)?.text else {
                throw VSphereError(.protocolViolation, "\(session.endpoint.url) sent updates without a version")
            }
            return update.child(.truncated)?.bool == true ? .truncated(version: next) : .last
        }
    }

    /// Complaints about whole objects: the root folder or the view could not be read.
    private func checkFilters(_ update: ElementView) throws {
        for filter in update.children(.filterSet) {
            for missing in filter.children(.missingSet) {
                if let fault = missing.child(.methodFault)?.child(.methodFault) { throw SOAPFault(missing: fault) }
            }
        }
    }

    private func readUpdate(_ element: ElementView) throws {
        try change.read(element)
        sawObject = true
        // Its name is the same everywhere, and no path shows it.
        if change.object == session.content.rootFolder { return }
        switch change.kind {
        case .leave:
            unsettled.removeAll { $0 == change.object }
            try visit(.removed(id: change.object.value))
        case .modify:
            if !unsettled.contains(change.object) { unsettled.append(change.object) }
        case .enter:
            if change.hasIrregularNames, !unsettled.contains(change.object) { unsettled.append(change.object) }
            try handOver()
        }
    }

    private func handOver() throws {
        guard let record = InventoryRecord(change) else { return }
        try visit(record)
        recordCount += 1
        if recordCount % Self.progressStep == 0 { progress(recordCount) }
    }

    // MARK: Objects read again

    /// Reads the unsettled objects once more, each with all its properties.
    private func settle(_ collector: ManagedObjectReference) throws {
        while !unsettled.isEmpty {
            let batch = Array(unsettled.prefix(Self.pageSize))
            do {
                try retrieve(batch, collector)
                unsettled.removeFirst(batch.count)
            } catch let fault as SOAPFault where fault.type == "ManagedObjectNotFound" && !owns(fault.object) {
                guard let gone = fault.object, let place = unsettled.firstIndex(of: gone) else { throw fault }
                unsettled.remove(at: place)
                try visit(.removed(id: gone.value))
            }
        }
    }

    private func retrieve(_ objects: [ManagedObjectReference], _ collector: ManagedObjectReference) throws {
        let spec = PropertyFilterSpec(properties: propertySpecs, objects: objects.map { ObjectSpec(object: $0) })
        var request = SOAPRequest("RetrievePropertiesEx", on: collector) { writer in
            spec.write("specSet", to: &writer)
            writer.element("options") { writer in writer.element("maxObjects", Self.pageSize) }
        }
        while true {
            let token = try client.call(request, Projection.inventory, onObject: readAgain) { response in
                response.child(.returnval)?.child(.token)?.text
            }
            guard let token else { return }
            request = SOAPRequest("ContinueRetrievePropertiesEx", on: collector) { writer in
                writer.element("token", token)
            }
        }
    }

    /// Irregular names for the second time stay in the record as unreadable: what is not understood is not empty.
    private func readAgain(_ element: ElementView) throws {
        try change.read(element)
        try handOver()
    }
}
