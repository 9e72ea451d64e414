internal import Logging

/// Calls methods of one server: writes the request, parses the answer as it arrives, tells faults from other troubles.
final class SOAPClient {
    let transport: HTTPTransport
    /// The API version that requests claim, such as `6.5`.
    var version: String
    private let logger: Logger

    init(_ transport: HTTPTransport, version: String, logger: Logger) {
        self.transport = transport
        self.version = version
        self.logger = logger
    }

    /// Calls a method. `read` gets the response element once the document is whole; `onObject` gets each object that
    /// the projection emits, before that. Throws `SOAPFault` as it is, everything else as `VSphereError`.
    func call<Value>(
        _ request: SOAPRequest, _ projection: Projection, within limit: Duration? = nil, canBeCanceled: Bool = true,
        onObject: ((ElementView) throws -> Void)? = nil, read: (ElementView) throws -> Value
    ) throws -> Value {
        let headers = [
            "Content-Type: text/xml; charset=utf-8", "SOAPAction: urn:vim25/\(version)",
        ]
        let exchange = Request(
            url: transport.url, headers: headers, body: request.envelope, isRepeatable: request.isRepeatable)
        let started = ContinuousClock.now
        let (parser, document, status) = try fetch(exchange, projection, limit, canBeCanceled, onObject)
        logger.trace(
            "called the vSphere API",
            metadata: [
                "operation": "\(request.operation)", "status": "\(status)",
                "duration": "\((ContinuousClock.now - started).inWords)",
            ])
        return try withExtendedLifetime(parser) {
            guard let body = document.child(.envelope)?.child(.body), let content = body.firstChild else {
                throw VSphereError(.protocolViolation, "\(transport.url) answered \(request.operation) without a body")
            }
            if content.name == .fault { throw SOAPFault(content) }
            guard content.localName == "\(request.operation)Response", status == 200 else {
                throw VSphereError(
                    .protocolViolation,
                    "\(transport.url) answered \(request.operation) with \(content.localName ?? "something else") "
                        + "and HTTP \(status)")
            }
            return try read(content)
        }
    }

    /// Fetches a document that is no SOAP.
    func get<Value>(_ url: String, _ projection: Projection, read: (ElementView) throws -> Value) throws -> Value {
        let (parser, document, _) = try fetch(Request(url: url), projection, nil, true, nil)
        return try withExtendedLifetime(parser) { try read(document) }
    }

    private func fetch(
        _ request: Request, _ projection: Projection, _ limit: Duration?, _ canBeCanceled: Bool,
        _ onObject: ((ElementView) throws -> Void)?
    ) throws -> (DocumentParser, ElementView, Int) {
        let parser = try DocumentParser(projection, onObject: onObject)
        var head: [UInt8] = []
        var status = 0
        let answer: HTTPTransport.Answer
        do {
            answer = try transport.perform(request, within: limit, canBeCanceled: canBeCanceled) { bytes, told in
                status = told
                if head.count < 2048 { head.append(contentsOf: bytes.prefix(2048 - head.count)) }
                try parser.feed(bytes)
            }
        } catch let failure as DocumentParser.Failure {
            throw error(failure, head: head, hasRoot: parser.hasRoot, atEnd: false, status: status)
        }
        guard answer.status == 200 || answer.status == 500 else {
            throw foreignAnswerError(status: answer.status, head: answer.head, url: transport.url)
        }
        do {
            return (parser, try parser.finish(), answer.status)
        } catch let failure as DocumentParser.Failure {
            throw error(failure, head: answer.head, hasRoot: parser.hasRoot, atEnd: true, status: answer.status)
        }
    }

    private func error(
        _ failure: DocumentParser.Failure, head: [UInt8], hasRoot: Bool, atEnd: Bool, status: Int
    ) -> VSphereError {
        let url = transport.url
        if !hasRoot, isHTML(head) || status == 500 { return foreignAnswerError(status: status, head: head, url: url) }
        switch failure {
        case .documentType:
            return VSphereError(.protocolViolation, "\(url) sent a document type, which no vSphere answer has")
        case .foreignRoot:
            return foreignAnswerError(status: 200, head: head, url: url)
        case .tooDeep:
            return VSphereError(.protocolViolation, "\(url) sent an answer nested deeper than any of vSphere's")
        case .tooLarge:
            return VSphereError(.protocolViolation, "\(url) sent an object larger than any of vSphere's")
        case .malformed(let why):
            if head.isEmpty { return VSphereError(.unfinished, "\(url) sent an empty answer: try again") }
            if !hasRoot { return foreignAnswerError(status: 200, head: head, url: url) }
            return atEnd
                ? VSphereError(.unfinished, "\(url) sent an answer that ends too soon (\(why)): try again")
                : VSphereError(.protocolViolation, "\(url) sent an answer that is no well-formed XML (\(why))")
        }
    }
}

extension ElementView {
    var firstChild: ElementView? {
        var children = children
        return children.next()
    }
}
