import Support
import Testing
import VSphere

/// Every request follows the schema's sequences. The simulator takes any order, real servers may not.
@Suite struct RequestOrderTests {
    /// The fields of each element in the schema's order; `*` where it repeats. Simple elements have none.
    private static let sequences: [String: [String]] = [
        "RetrieveServiceContent": ["_this"],
        "Login": ["_this", "userName", "password", "locale"],
        "Logout": ["_this"],
        "CurrentTime": ["_this"],
        "FindByUuid": ["_this", "datacenter", "uuid", "vmSearch", "instanceUuid"],
        "CreatePropertyCollector": ["_this"],
        "DestroyPropertyCollector": ["_this"],
        "DestroyView": ["_this"],
        "CreateContainerView": ["_this", "container", "type*", "recursive"],
        "CreateFilter": ["_this", "spec", "partialUpdates"],
        "WaitForUpdatesEx": ["_this", "version", "options"],
        "RetrievePropertiesEx": ["_this", "specSet*", "options"],
        "ContinueRetrievePropertiesEx": ["_this", "token"],
        "spec": ["propSet*", "objectSet*", "reportMissingObjectsInResults"],
        "specSet": ["propSet*", "objectSet*", "reportMissingObjectsInResults"],
        "propSet": ["type", "all", "pathSet*"],
        "objectSet": ["obj", "skip", "selectSet*"],
        "selectSet": ["name", "type", "path", "skip", "selectSet*"],
        "options": ["maxObjects", "maxWaitSeconds", "maxObjectUpdates"],
    ]

    @Test("every request has its fields in the schema's order")
    func order() throws {
        let conversation = try Conversation(pages: [
            FakeVCenter.rootFolder + machine("vm-1"),
            object("VirtualMachine", "vm-1", kind: "modify", assign("name", "x")),
        ]) { call in
            guard call.operation == "RetrievePropertiesEx" else { return nil }
            return FakeVCenter.answer(call.operation, "<returnval><token>t</token></returnval>")
        }
        let session = try conversation.connect()
        _ = try conversation.read(session)
        _ = try session.currentTime()
        _ = try session.findVirtualMachine(uuid: "u")
        session.logOut()

        var operations: Set<String> = []
        for request in conversation.vCenter.server.requests where request.method == "POST" {
            let body = try #require(Element(request.body)?.descendant("soapenv:Body"))
            let operation = try #require(body.children.first)
            operations.insert(operation.name)
            #expect(operation.children.first?.name == "_this")
            check(operation)
        }
        #expect(
            operations.isSuperset(of: [
                "Login", "CreateFilter", "WaitForUpdatesEx", "RetrievePropertiesEx", "ContinueRetrievePropertiesEx",
                "FindByUuid", "DestroyView", "Logout",
            ]))
    }

    private func check(_ element: Element) {
        guard let sequence = Self.sequences[element.name] else {
            #expect(element.children.isEmpty, "\(element.name) is in no table")
            return
        }
        var place = 0
        for child in element.children {
            while place < sequence.count, sequence[place] != child.name, sequence[place] != child.name + "*" {
                place += 1
            }
            #expect(place < sequence.count, "\(child.name) is out of order in \(element.name)")
            if place < sequence.count, !sequence[place].hasSuffix("*") { place += 1 }
            check(child)
        }
    }

    @Test("a traversal names its class, and text is escaped")
    func typesAndText() throws {
        let conversation = try Conversation()
        _ = try conversation.read()
        let bodies = conversation.vCenter.server.requests.map(\.body)
        #expect(bodies.contains { $0.contains("<selectSet xsi:type=\"TraversalSpec\">") })
        #expect(bodies.contains { $0.contains("<password>p&lt;&amp;&gt;&quot;w</password>") })
    }

    /// An element of one of our own requests, which have no comments, entities in names or other surprises.
    private struct Element {
        var name: String
        var children: [Element] = []

        init?(_ document: String) {
            var open: [Element] = [Element(name: "")]
            for piece in document.split(separator: "<").dropFirst() {
                let tag = piece.prefix { $0 != ">" }
                if tag.hasPrefix("?") { continue }
                if tag.hasPrefix("/") {
                    guard open.count > 1, let ended = open.popLast(), tag.dropFirst() == ended.name else { return nil }
                    open[open.count - 1].children.append(ended)
                } else {
                    open.append(Element(name: String(tag.prefix { $0 != " " })))
                }
            }
            guard open.count == 1, let root = open[0].children.first else { return nil }
            self = root
        }

        private init(name: String) { self.name = name }

        func descendant(_ wanted: String) -> Element? {
            if name == wanted { return self }
            for child in children {
                if let found = child.descendant(wanted) { return found }
            }
            return nil
        }
    }
}
