internal import CXML

/// Parses one answer as it arrives, keeping what a projection asks for.
///
/// Bytes go straight to libxml2's push parser. Until `finish` returned, everything that was handed over is provisional:
/// only the end of the document tells that it was whole.
final class DocumentParser {
    /// The document was not what was expected; `finish` and `feed` throw it.
    enum Failure: Error {
        /// Not well-formed, or it ended too soon: what libxml2 says, and the line.
        case malformed(String)
        case documentType
        case foreignRoot
        case tooDeep
        case tooLarge
    }

    private let state: UnsafeMutablePointer<ParserState>
    private let projection: Projection
    private(set) var isFinished = false

    init(_ projection: Projection, onObject: ((ElementView) throws -> Void)? = nil) throws {
        self.projection = projection
        xmlInitParser()
        state = .allocate(capacity: 1)
        var handler = xmlSAXHandler()
        handler.initialized = UInt32(XML_SAX2_MAGIC)
        handler.startElementNs = startElement
        handler.endElementNs = endElement
        handler.characters = characters
        // The same function for both, or libxml2 examines every run of white space.
        handler.ignorableWhitespace = characters
        handler.cdataBlock = characters
        handler.internalSubset = internalSubset
        handler.serror = { _, _ in }
        guard let context = xmlCreatePushParserCtxt(&handler, state, nil, 0, nil) else {
            state.deallocate()
            throw Failure.malformed("no memory for a parser")
        }
        xmlCtxtUseOptions(context, Int32(XML_PARSE_NONET.rawValue | XML_PARSE_HUGE.rawValue))
        let dictionary = context.pointee.dict
        state.initialize(
            to: ParserState(
                node: projection.root,
                transitions: Self.copy(projection.transitions), traits: Self.copy(projection.traits),
                names: NameTable(dictionary: dictionary),
                frames: .allocate(capacity: ParserState.deepest),
                propertyNodes: Self.copy(projection.propertyNodes), properties: TextTable(projection.properties),
                needlessTypes: TextTable(projection.needlessTypes),
                envelopeNamespace: intern("http://schemas.xmlsoap.org/soap/envelope/", in: dictionary),
                vimNamespace: intern("urn:vim25", in: dictionary),
                instanceNamespace: intern("http://www.w3.org/2001/XMLSchema-instance", in: dictionary),
                emit: onObject.map(EmitBox.init), context: context))
        // The document is a node like any other, so that the root element has a parent.
        let root = ValueArena.Node(
            name: .other, property: -1, end: 1, text: .init(), type: .init(), localName: .init())
        _ = state.pointee.arena.append(root)
    }

    deinit {
        xmlFreeParserCtxt(state.pointee.context)
        state.pointee.transitions.deallocate()
        state.pointee.traits.deallocate()
        state.pointee.names.deallocate()
        state.pointee.frames.deallocate()
        state.pointee.propertyNodes.deallocate()
        state.pointee.properties.deallocate()
        state.pointee.needlessTypes.deallocate()
        state.pointee.arena.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// `true` once the root element was seen and is one of ours.
    var hasRoot: Bool { state.pointee.rootSeen && state.pointee.stop == nil }

    /// The most that was kept of the document at one time.
    var heldBytes: Int { state.pointee.arena.capacityInBytes }

    func feed(_ bytes: UnsafeBufferPointer<UInt8>) throws {
        guard let start = bytes.baseAddress, bytes.count > 0 else { return }
        let result = start.withMemoryRebound(to: CChar.self, capacity: bytes.count) {
            xmlParseChunk(state.pointee.context, $0, Int32(bytes.count), 0)
        }
        try check(result)
    }

    /// Ends the document, and returns it; its children are the root element alone.
    func finish() throws -> ElementView {
        try check(xmlParseChunk(state.pointee.context, nil, 0, 1))
        guard state.pointee.context.pointee.wellFormed == 1 else { throw malformed() }
        isFinished = true
        state.pointee.arena.nodes[0].end = Int32(state.pointee.arena.nodeCount)
        return ElementView(nodes: state.pointee.arena.nodes, bytes: state.pointee.arena.bytes, index: 0)
    }

    private func check(_ result: Int32) throws {
        switch state.pointee.stop {
        case .documentType: throw Failure.documentType
        case .foreignRoot: throw Failure.foreignRoot
        case .tooDeep: throw Failure.tooDeep
        case .tooLarge: throw Failure.tooLarge
        case .thrown(let error): throw error
        case nil: break
        }
        // A namespace error leaves the document well-formed; anything else does not.
        if result != 0, state.pointee.context.pointee.wellFormed == 0 { throw malformed() }
    }

    private func malformed() -> Failure {
        guard let error = xmlCtxtGetLastError(state.pointee.context), let message = error.pointee.message else {
            return .malformed("it ended too soon")
        }
        var text = String(cString: message)
        while text.last?.isWhitespace == true { text.removeLast() }
        return .malformed("line \(error.pointee.line): \(text)")
    }

    private static func copy<Element>(_ array: [Element]) -> UnsafeMutablePointer<Element> {
        let pointer = UnsafeMutablePointer<Element>.allocate(capacity: max(array.count, 1))
        array.withUnsafeBufferPointer { source in
            if let start = source.baseAddress { pointer.initialize(from: start, count: source.count) }
        }
        return pointer
    }
}
