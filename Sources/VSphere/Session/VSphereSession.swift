package import Logging

/// A login at a vCenter or ESXi host.
///
/// Not Sendable: one thread at a time. Calls block; the cancellation token ends them from elsewhere. A session that the
/// server forgot (idle, terminated, restarted) is renewed once per task, by logging in again.
package final class VSphereSession {
    let endpoint: VSphereEndpoint
    let client: SOAPClient
    let logger: Logger
    private(set) var content: ServiceContent
    private var isLoggedIn = false

    /// Finds out what answers there, agrees on a version and logs in.
    package static func connect(
        to endpoint: VSphereEndpoint, cancellation: CancellationToken = CancellationToken(), logger: Logger
    ) throws -> VSphereSession {
        let transport = try HTTPTransport(endpoint, cancellation)
        let client = SOAPClient(transport, version: APIVersion.fallback, logger: logger)
        if let version = try offeredVersion(client) { client.version = version }
        let content = try retrieveContent(client)
        let session = VSphereSession(endpoint, client, content, logger)
        try session.logIn()
        return session
    }

    private init(_ endpoint: VSphereEndpoint, _ client: SOAPClient, _ content: ServiceContent, _ logger: Logger) {
        self.endpoint = endpoint
        self.client = client
        self.content = content
        self.logger = logger
    }

    package var about: AboutInfo { content.about }
    /// The API version agreed on, such as `8.0.2.0`.
    package var apiVersion: String { client.version }

    /// `nil` where the server has no list of versions, or one without any that is known here.
    private static func offeredVersion(_ client: SOAPClient) throws -> String? {
        do {
            return try client.get(client.transport.url + "/vimServiceVersions.xml", APIVersion.projection) {
                APIVersion.negotiate($0)
            }
        } catch let error as VSphereError {
            switch error.code {
            // The list may be missing or odd; RetrieveServiceContent says better what answers there.
            case .notVSphere, .protocolViolation, .unavailable, .unfinished: return nil
            default: throw error
            }
        }
    }

    private static func retrieveContent(_ client: SOAPClient) throws -> ServiceContent {
        let url = client.transport.url
        do {
            return try client.call(
                SOAPRequest("RetrieveServiceContent", on: ServiceContent.serviceInstance), ServiceContent.projection
            ) { try ServiceContent($0, url: url) }
        } catch let fault as SOAPFault {
            throw VSphereError(fault, operation: "RetrieveServiceContent", url: url)
        }
    }

    private func logIn() throws {
        let request = SOAPRequest("Login", on: content.sessionManager) { [endpoint] writer in
            writer.element("userName", endpoint.username)
            writer.element("password", endpoint.password.revealed)
        }
        do {
            try call(request)
        } catch let fault as SOAPFault {
            throw VSphereError(fault, operation: "the login of \"\(endpoint.username)\"", url: endpoint.url)
        }
        isLoggedIn = true
    }

    /// Logs in again after the server forgot the session. The cookie goes first: with it, a login fails.
    func renew() throws {
        isLoggedIn = false
        client.transport.forgetCookies()
        let renewed = try Self.retrieveContent(client)
        guard renewed.about.instanceUUID == content.about.instanceUUID else {
            throw VSphereError(
                .protocolViolation,
                "\(endpoint.url) became another vCenter in the middle of a conversation "
                    + "(instance UUID \(renewed.about.instanceUUID ?? "none")): sync the account again")
        }
        content = renewed
        try logIn()
    }

    /// Ends the session on the server, which keeps only so many; also after a cancellation. Never throws: a session
    /// that cannot be ended expires.
    package func logOut() {
        guard isLoggedIn else { return }
        isLoggedIn = false
        let request = SOAPRequest("Logout", on: content.sessionManager)
        do {
            try client.call(
                request, Projection.ignored, within: endpoint.timeouts.logOut, canBeCanceled: false
            ) { _ in }
        } catch {
            logger.debug("the session was not ended", metadata: ["reason": "\(error)"])
        }
        client.transport.forgetCookies()
    }

    /// Lets time pass, until the token is canceled: then it throws.
    func pause(_ duration: Duration) throws { try client.transport.pause(duration) }

    /// A call whose answer does not matter beyond its success.
    func call(_ request: SOAPRequest) throws {
        try client.call(request, Projection.ignored) { _ in }
    }

    /// A call that returns a reference.
    func reference(_ request: SOAPRequest) throws -> ManagedObjectReference {
        try client.call(request, Projection.returnedText) { response in
            guard let reference = response.child(.returnval)?.reference else {
                throw VSphereError(
                    .protocolViolation, "\(endpoint.url) answered \(request.operation) without an object")
            }
            return reference
        }
    }

    /// Runs a task that is safe to repeat, and once more with a new login where the server forgot the session.
    func renewingOnce<Value>(_ operation: String, _ task: () throws -> Value) throws -> Value {
        do {
            do {
                return try task()
            } catch let fault as SOAPFault where fault.type == "NotAuthenticated" {
                try renew()
                return try task()
            }
        } catch let fault as SOAPFault {
            throw VSphereError(fault, operation: operation, url: endpoint.url)
        }
    }
}

extension Projection {
    /// Nothing is wanted but the end of the answer.
    static let ignored = Projection.soap(Shape(traits: []))
    /// `returnval` is text or a reference.
    static let returnedText = Projection.soap(.object([.returnval: .reference]))
}
