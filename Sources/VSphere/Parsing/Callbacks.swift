internal import CXML

// The SAX2 callbacks. They run once per element of a document of a million, so they touch nothing but the state behind
// their pointer; a skipped element costs one increment.

func startElement(
    _ context: UnsafeMutableRawPointer?, _ localName: UnsafePointer<xmlChar>?, _: UnsafePointer<xmlChar>?,
    _ uri: UnsafePointer<xmlChar>?, _: Int32, _: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?,
    _ attributeCount: Int32, _: Int32, _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?
) {
    guard let context, let localName else { return }
    let state = context.assumingMemoryBound(to: ParserState.self)
    if state.pointee.skipped > 0 {
        state.pointee.skipped += 1
        if state.pointee.skipped > ParserState.deepestSkipped { halt(state, .tooDeep) }
        return
    }
    let (name, ordinal) = state.pointee.names.lookUp(localName)
    var next = state.pointee.transitions[Int(state.pointee.node) * state.pointee.width + ordinal]
    if next == Projection.unwanted || !isOurs(state, uri) {
        if !state.pointee.rootSeen { halt(state, .foreignRoot) }
        state.pointee.skipped = 1
        return
    }
    var traits = state.pointee.traits[Int(next)]
    var property: Int16 = -1
    if traits.contains(.propertyValue) {
        property = state.pointee.valueProperty
        next = state.pointee.valueNode
        if next == Projection.unwanted {
            // A property that nobody asked for, or only a part of one: that it came is kept, what it holds is not.
            next = state.pointee.transitions[Int(state.pointee.node) * state.pointee.width + ordinal]
            property = -1
        }
        traits = state.pointee.traits[Int(next)]
    }
    if traits.contains(.mayBeNeedless), let attributes, isNeedless(state, attributeCount, attributes) {
        state.pointee.skipped = 1
        return
    }
    open(state, next, traits, name, property, localName, attributeCount, attributes)
}

private func isNeedless(
    _ state: UnsafeMutablePointer<ParserState>, _ count: Int32,
    _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>
) -> Bool {
    guard let type = schemaType(state, count, attributes) else { return false }
    return state.pointee.needlessTypes.index(of: type) >= 0
}

/// Elements of other vocabularies are none of ours, whatever their names. Faults' details and version lists may be in
/// any namespace, so only a foreign one beside the two is refused below the envelope.
@inline(__always)
private func isOurs(_ state: UnsafeMutablePointer<ParserState>, _ uri: UnsafePointer<xmlChar>?) -> Bool {
    if uri == state.pointee.vimNamespace || uri == nil { return true }
    if uri == state.pointee.envelopeNamespace { return state.pointee.frameCount < 4 }
    return false
}

@inline(__always)
private func open(
    _ state: UnsafeMutablePointer<ParserState>, _ node: UInt16, _ traits: Shape.Traits, _ name: ElementName,
    _ property: Int16, _ localName: UnsafePointer<xmlChar>, _ attributeCount: Int32,
    _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?
) {
    let depth = state.pointee.frameCount
    guard depth < ParserState.deepest else { return halt(state, .tooDeep) }
    state.pointee.rootSeen = true
    if depth > 0, state.pointee.capturesText { closeText(state, state.pointee.frames + (depth - 1)) }

    var kept = ValueArena.Node(
        name: name, property: property, end: 0, text: .init(), type: .init(), localName: .init())
    let bytesBefore = Int32(truncatingIfNeeded: state.pointee.arena.byteCount)
    if attributeCount > 0, let attributes, !traits.isDisjoint(with: [.schemaType, .referenceType]) {
        kept.type = typeAttribute(state, traits, attributeCount, attributes)
    }
    if traits.contains(.localName) {
        kept.localName = append(state, localName, cStringLength(localName))
    }
    kept.text.start = Int32(truncatingIfNeeded: state.pointee.arena.byteCount)
    let index = state.pointee.arena.append(kept)
    state.pointee.frames[depth] = ParserState.Frame(
        node: state.pointee.node, kept: index, bytesBefore: bytesBefore, isTextClosed: false)
    state.pointee.frameCount = depth + 1
    state.pointee.node = node
    state.pointee.capturesText = traits.contains(.text)
}

func endElement(
    _ context: UnsafeMutableRawPointer?, _: UnsafePointer<xmlChar>?, _: UnsafePointer<xmlChar>?,
    _: UnsafePointer<xmlChar>?
) {
    guard let context else { return }
    let state = context.assumingMemoryBound(to: ParserState.self)
    if state.pointee.skipped > 0 {
        state.pointee.skipped -= 1
        return
    }
    guard state.pointee.frameCount > 0 else { return }
    let frame = state.pointee.frames + (state.pointee.frameCount - 1)
    let traits = state.pointee.traits[Int(state.pointee.node)]
    if traits.contains(.text) { closeText(state, frame) }
    state.pointee.arena.nodes[Int(frame.pointee.kept)].end =
        Int32(truncatingIfNeeded: state.pointee.arena.nodeCount)
    if traits.contains(.propertyName) { resolveProperty(state, frame.pointee) }
    if traits.contains(.emit) { handOver(state, frame.pointee) }
    state.pointee.node = frame.pointee.node
    state.pointee.frameCount -= 1
    state.pointee.capturesText = false
}

func characters(_ context: UnsafeMutableRawPointer?, _ text: UnsafePointer<xmlChar>?, _ count: Int32) {
    guard let context, let text else { return }
    let state = context.assumingMemoryBound(to: ParserState.self)
    guard state.pointee.capturesText, state.pointee.skipped == 0 else { return }
    if !state.pointee.arena.append(text, Int(count)) { halt(state, .tooLarge) }
}

/// A DOCTYPE brings entities; no vSphere answer has one.
func internalSubset(
    _ context: UnsafeMutableRawPointer?, _: UnsafePointer<xmlChar>?, _: UnsafePointer<xmlChar>?,
    _: UnsafePointer<xmlChar>?
) {
    guard let context else { return }
    halt(context.assumingMemoryBound(to: ParserState.self), .documentType)
}

func halt(_ state: UnsafeMutablePointer<ParserState>, _ reason: ParserState.Stop) {
    if state.pointee.stop == nil { state.pointee.stop = reason }
    xmlStopParser(state.pointee.context)
}

@inline(__always)
private func closeText(_ state: UnsafeMutablePointer<ParserState>, _ frame: UnsafeMutablePointer<ParserState.Frame>) {
    guard !frame.pointee.isTextClosed else { return }
    frame.pointee.isTextClosed = true
    let kept = state.pointee.arena.nodes + Int(frame.pointee.kept)
    kept.pointee.text.count = Int32(truncatingIfNeeded: state.pointee.arena.byteCount) - kept.pointee.text.start
}

/// `xsi:type`, known by its namespace and not its prefix, or the `type` of a reference, which has no namespace.
private func typeAttribute(
    _ state: UnsafeMutablePointer<ParserState>, _ traits: Shape.Traits, _ count: Int32,
    _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>
) -> ValueArena.Span {
    let type =
        traits.contains(.referenceType)
        ? typeValue(in: nil, count, attributes) : schemaType(state, count, attributes)
    guard let type, let start = type.baseAddress else { return .init() }
    return append(state, start, type.count)
}

/// The value of `xsi:type` without its prefix.
@inline(__always)
private func schemaType(
    _ state: UnsafeMutablePointer<ParserState>, _ count: Int32,
    _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>
) -> UnsafeBufferPointer<xmlChar>? {
    guard let value = typeValue(in: state.pointee.instanceNamespace, count, attributes) else { return nil }
    var first = 0
    for position in 0..<value.count where value[position] == UInt8(ascii: ":") { first = position + 1 }
    return UnsafeBufferPointer(rebasing: value[first...])
}

@inline(__always)
private func typeValue(
    in namespace: UnsafePointer<xmlChar>?, _ count: Int32,
    _ attributes: UnsafeMutablePointer<UnsafePointer<xmlChar>?>
) -> UnsafeBufferPointer<xmlChar>? {
    for index in 0..<Int(count) {
        let attribute = attributes + index * 5
        guard attribute[2] == namespace, let name = attribute[0], isType(name), let start = attribute[3],
            let end = attribute[4]
        else { continue }
        return UnsafeBufferPointer(start: start, count: end - start)
    }
    return nil
}

@inline(__always)
private func isType(_ name: UnsafePointer<xmlChar>) -> Bool {
    name[0] == UInt8(ascii: "t") && name[1] == UInt8(ascii: "y") && name[2] == UInt8(ascii: "p")
        && name[3] == UInt8(ascii: "e") && name[4] == 0
}

@inline(__always)
private func append(
    _ state: UnsafeMutablePointer<ParserState>, _ text: UnsafePointer<xmlChar>, _ count: Int
) -> ValueArena.Span {
    let start = Int32(truncatingIfNeeded: state.pointee.arena.byteCount)
    guard state.pointee.arena.append(text, count) else {
        halt(state, .tooLarge)
        return .init()
    }
    return ValueArena.Span(start: start, count: Int32(truncatingIfNeeded: count))
}

private func cStringLength(_ text: UnsafePointer<xmlChar>) -> Int {
    var count = 0
    while text[count] != 0 { count += 1 }
    return count
}

/// The property path just ended says what the value after it is.
private func resolveProperty(_ state: UnsafeMutablePointer<ParserState>, _ frame: ParserState.Frame) {
    let span = state.pointee.arena.nodes[Int(frame.kept)].text
    let path = UnsafeBufferPointer(
        start: UnsafePointer(state.pointee.arena.bytes) + Int(span.start), count: Int(span.count))
    let property = state.pointee.properties.index(of: path)
    state.pointee.valueProperty = property
    state.pointee.valueNode = property < 0 ? Projection.unwanted : state.pointee.propertyNodes[Int(property)]
    state.pointee.arena.nodes[Int(frame.kept)].property = property
}

/// An object is whole: it goes to the visitor, and its storage to the next one.
private func handOver(_ state: UnsafeMutablePointer<ParserState>, _ frame: ParserState.Frame) {
    if let emit = state.pointee.emit {
        let view = ElementView(
            nodes: state.pointee.arena.nodes, bytes: state.pointee.arena.bytes, index: Int(frame.kept))
        do {
            try emit.body(view)
        } catch {
            halt(state, .thrown(error))
        }
    }
    state.pointee.arena.truncate(nodes: Int(frame.kept), bytes: Int(frame.bytesBefore))
}
