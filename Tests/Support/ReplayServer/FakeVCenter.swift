private import Locking

/// Just enough of a vCenter's SOAP to hold a conversation with, over a `ReplayServer`.
///
/// It keeps sessions as a vCenter does: a login under a living cookie is refused, calls without one are not
/// authenticated, collectors and views die with their session. Everything else is the test's, by `intercept`.
package final class FakeVCenter: Sendable {
    package struct Call: Sendable {
        /// The method's name, or `GET`.
        package var operation: String
        /// How often this method was called before, in the fake's life.
        package var occurrence: Int
        /// The `<version>` of a WaitForUpdatesEx.
        package var version: String
        package var request: ReplayServer.Request
    }

    private struct State {
        var calls: [String: Int] = [:]
        var sessions: Set<String> = []
        var logins = 0
    }

    package let server: ReplayServer
    private let core: Core

    /// `pages` are the contents of `<filterSet>`s of the reading, in order; all but the last are announced as truncated.
    package init(
        pages: [String] = [], about: String = FakeVCenter.about, versions: String = FakeVCenter.versions,
        intercept: @escaping @Sendable (Call) -> ReplayServer.Reply? = { _ in nil }
    ) throws {
        let core = Core(pages: pages, about: about, versions: versions, intercept: intercept)
        self.core = core
        server = try ReplayServer { core.reply($0) }
    }

    package var url: String { server.url }
    package func stop() { server.stop() }

    /// Ends all sessions, as an administrator or a restart does.
    package func endSessions() { core.state.withLock { $0.sessions.removeAll() } }

    /// How often a method was called.
    package func count(_ operation: String) -> Int { core.state.withLock { $0.calls[operation] ?? 0 } }

    /// Sessions that were not logged out.
    package var openSessions: Int { core.state.withLock { $0.sessions.count } }

    package static let instanceUUID = "0A1B2C3D-0000-4000-8000-00000000BEEF"
    package static let about = """
        <name>VMware vCenter Server</name><fullName>VMware vCenter Server 8.0.2 build-1</fullName>\
        <vendor>VMware, Inc.</vendor><version>8.0.2</version><build>1</build><apiType>VirtualCenter</apiType>\
        <apiVersion>8.0.2.0</apiVersion><instanceUuid>\(instanceUUID)</instanceUuid>
        """
    package static let versions = """
        <?xml version="1.0" encoding="UTF-8" ?><namespaces version="1.0"><namespace><name>urn:vim25</name>\
        <version>uA046D008</version><priorVersions><version>8.0.1.0</version><version>7.0</version>\
        <version>6.5</version></priorVersions></namespace></namespaces>
        """

    /// The objects of a reading when nothing else is given: the root folder alone.
    package static let rootFolder = """
        <objectSet><kind>enter</kind><obj type="Folder">group-d1</obj>\
        <changeSet><name>name</name><op>assign</op><val xsi:type="xsd:string">Datacenters</val></changeSet></objectSet>
        """

    /// An answer with the body of an operation's response element.
    package static func answer(_ operation: String, _ content: String) -> ReplayServer.Reply {
        ReplayServer.Reply(envelope("<\(operation)Response xmlns=\"urn:vim25\">\(content)</\(operation)Response>"))
    }

    package static func envelope(_ body: String) -> String {
        """
        <?xml version="1.0" encoding="UTF-8"?>
        <soapenv:Envelope xmlns:soapenc="http://schemas.xmlsoap.org/soap/encoding/" \
        xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" \
        xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
        <soapenv:Body>
        \(body)
        </soapenv:Body>
        </soapenv:Envelope>
        """
    }

    /// A SOAP fault of a type, with fields.
    package static func fault(_ type: String, _ fields: String = "", text: String = "") -> ReplayServer.Reply {
        ReplayServer.Reply(
            envelope(
                "<soapenv:Fault><faultcode>ServerFaultCode</faultcode><faultstring>\(text)</faultstring><detail>"
                    + "<\(type)Fault xmlns=\"urn:vim25\" xsi:type=\"\(type)\">\(fields)</\(type)Fault></detail>"
                    + "</soapenv:Fault>"), status: 500)
    }

    /// A page of updates.
    package static func updates(_ objectSets: String, version: String, isTruncated: Bool) -> ReplayServer.Reply {
        answer(
            "WaitForUpdatesEx",
            "<returnval><version>\(version)</version><filterSet><filter type=\"PropertyFilter\">f</filter>\(objectSets)"
                + "</filterSet>\(isTruncated ? "<truncated>true</truncated>" : "")</returnval>")
    }

    /// The conversation's state and its rules.
    private final class Core: Sendable {
        let state = Mutex(State())
        let pages: [String]
        let about: String
        let versions: String
        let intercept: @Sendable (Call) -> ReplayServer.Reply?

        init(
            pages: [String], about: String, versions: String,
            intercept: @escaping @Sendable (Call) -> ReplayServer.Reply?
        ) {
            self.pages = pages
            self.about = about
            self.versions = versions
            self.intercept = intercept
        }

        func reply(_ request: ReplayServer.Request) -> ReplayServer.Reply {
            let operation = request.method == "GET" ? "GET" : Self.operation(request.body)
            let occurrence = state.withLock { state in
                state.calls[operation, default: 0] += 1
                return state.calls[operation, default: 0] - 1
            }
            let version = Self.between("<version>", "</version>", request.body) ?? ""
            let call = Call(operation: operation, occurrence: occurrence, version: version, request: request)
            if let reply = intercept(call) { return reply }
            switch operation {
            case "GET": return ReplayServer.Reply(versions)
            case "RetrieveServiceContent": return serviceContent
            case "Login": return logIn(request)
            default: break
            }
            let cookie = Self.cookie(request)
            guard let cookie, state.withLock({ $0.sessions.contains(cookie) }) else {
                return FakeVCenter.fault("NotAuthenticated", "<object type=\"Folder\">group-d1</object>")
            }
            switch operation {
            case "Logout":
                _ = state.withLock { $0.sessions.remove(cookie) }
                return FakeVCenter.answer(operation, "")
            case "CreatePropertyCollector": return owned(operation, "PropertyCollector", cookie)
            case "CreateContainerView": return owned(operation, "ContainerView", cookie)
            case "CreateFilter": return owned(operation, "PropertyFilter", cookie)
            case "WaitForUpdatesEx": return page(version)
            case "CurrentTime": return FakeVCenter.answer(operation, "<returnval>2024-05-01T12:00:00Z</returnval>")
            default: return FakeVCenter.answer(operation, "")
            }
        }

        private func logIn(_ request: ReplayServer.Request) -> ReplayServer.Reply {
            let session = state.withLock { state -> String? in
                if let cookie = Self.cookie(request), state.sessions.contains(cookie) { return nil }
                state.logins += 1
                state.sessions.insert("\"session-\(state.logins)\"")
                return "\"session-\(state.logins)\""
            }
            guard let session else { return FakeVCenter.fault("InvalidLogin") }
            var reply = FakeVCenter.answer("Login", "<returnval><key>k</key><userName>u</userName></returnval>")
            reply.headers["Set-Cookie"] = "vmware_soap_session=\(session); Path=/; HttpOnly"
            return reply
        }

        private func page(_ version: String) -> ReplayServer.Reply {
            if pages.isEmpty { return FakeVCenter.updates(FakeVCenter.rootFolder, version: "1", isTruncated: false) }
            let number = version.isEmpty ? 0 : Int(version.dropFirst(2)) ?? -1
            guard pages.indices.contains(number) else { return FakeVCenter.fault("InvalidCollectorVersion") }
            return FakeVCenter.updates(
                pages[number], version: "0_\(number + 1)", isTruncated: number + 1 < pages.count)
        }

        /// A new object of the session: its value tells the session, as a vCenter's does.
        private func owned(_ operation: String, _ type: String, _ cookie: String) -> ReplayServer.Reply {
            let name = cookie.filter { $0 != "\"" }
            return FakeVCenter.answer(
                operation, "<returnval type=\"\(type)\" xsi:type=\"ManagedObjectReference\">\(name)/\(type)</returnval>"
            )
        }

        private var serviceContent: ReplayServer.Reply {
            FakeVCenter.answer(
                "RetrieveServiceContent",
                """
                <returnval><rootFolder type="Folder">group-d1</rootFolder>\
                <propertyCollector type="PropertyCollector">the-collector</propertyCollector>\
                <viewManager type="ViewManager">the-views</viewManager><about>\(about)</about>\
                <sessionManager type="SessionManager">the-sessions</sessionManager>\
                <searchIndex type="SearchIndex">the-index</searchIndex></returnval>
                """)
        }

        private static func cookie(_ request: ReplayServer.Request) -> String? {
            guard let header = request.headers["cookie"], let equals = header.firstIndex(of: "=") else { return nil }
            return String(header[header.index(after: equals)...])
        }

        private static func operation(_ body: String) -> String {
            let rest = between("<soapenv:Body><", ">", body) ?? ""
            return String(rest.prefix { $0 != " " })
        }

        static func between(_ start: String, _ end: String, _ text: String) -> String? {
            guard let from = text.firstRange(of: start) else { return nil }
            let rest = text[from.upperBound...]
            guard let to = String(rest).firstRange(of: end) else { return nil }
            return String(String(rest)[..<to.lowerBound])
        }
    }
}
