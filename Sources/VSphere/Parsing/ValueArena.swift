/// The kept elements of one answer, or of one object of it, flat and in document order.
///
/// Storage is reused from object to object, so that an answer of any size is parsed in the memory of its largest
/// object. An element's children follow it directly; `end` is the place after the last of them.
struct ValueArena {
    struct Node {
        var name: ElementName
        /// The property a value belongs to, as its index in the projection; -1 elsewhere.
        var property: Int16
        var end: Int32
        var text: Span
        /// `xsi:type` without prefix, or a reference's `type`, whichever the shape asks for; both: the reference's.
        var type: Span
        var localName: Span
    }

    /// A range of `bytes`.
    struct Span {
        var start: Int32 = 0
        var count: Int32 = 0
    }

    private(set) var nodes: UnsafeMutablePointer<Node>
    private(set) var nodeCount = 0
    private var nodeCapacity: Int
    private(set) var bytes: UnsafeMutablePointer<UInt8>
    private(set) var byteCount = 0
    private var byteCapacity: Int

    /// One object's kept text never comes near this; an answer that exceeds it is not an answer.
    static let largestText = 64 << 20

    init() {
        nodeCapacity = 1024
        byteCapacity = 16 << 10
        nodes = .allocate(capacity: nodeCapacity)
        bytes = .allocate(capacity: byteCapacity)
    }

    var capacityInBytes: Int { nodeCapacity * MemoryLayout<Node>.stride + byteCapacity }

    func deallocate() {
        nodes.deallocate()
        bytes.deallocate()
    }

    mutating func append(_ node: Node) -> Int32 {
        if nodeCount == nodeCapacity {
            let larger = UnsafeMutablePointer<Node>.allocate(capacity: nodeCapacity * 2)
            larger.moveInitialize(from: nodes, count: nodeCount)
            nodes.deallocate()
            nodes = larger
            nodeCapacity *= 2
        }
        (nodes + nodeCount).initialize(to: node)
        nodeCount += 1
        return Int32(truncatingIfNeeded: nodeCount - 1)
    }

    /// `false` where the text would be larger than any answer's.
    mutating func append(_ source: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        let needed = byteCount + count
        if needed > byteCapacity {
            guard needed <= Self.largestText else { return false }
            byteCapacity = max(needed, byteCapacity * 2)
            let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: byteCapacity)
            larger.moveInitialize(from: bytes, count: byteCount)
            bytes.deallocate()
            bytes = larger
        }
        (bytes + byteCount).initialize(from: source, count: count)
        byteCount = needed
        return true
    }

    /// Forgets everything from a node on.
    mutating func truncate(nodes count: Int, bytes byteCount: Int) {
        nodeCount = count
        self.byteCount = byteCount
    }
}

/// A kept element. Valid only while the parser stands still: within the visit of an object, or after the document.
struct ElementView {
    let nodes: UnsafeMutablePointer<ValueArena.Node>
    let bytes: UnsafeMutablePointer<UInt8>
    let index: Int

    private var node: ValueArena.Node { nodes[index] }

    var name: ElementName { nodes[index].name }
    var property: Int { Int(nodes[index].property) }

    /// The character data; `nil` where there is none, because an empty element means the same as an absent one.
    var text: String? { string(nodes[index].text) }
    /// The character data, which may be empty.
    var rawText: String { string(nodes[index].text) ?? "" }
    /// The same, for what is compared whatever its case, as UUIDs are.
    var lowercasedText: String? {
        let span = nodes[index].text
        guard span.count > 0 else { return nil }
        let source = bytes + Int(span.start)
        return String(unsafeUninitializedCapacity: Int(span.count)) { buffer in
            for offset in 0..<Int(span.count) {
                let byte = source[offset]
                buffer[offset] = byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
            }
            return Int(span.count)
        }
    }
    var type: String? { string(nodes[index].type) }
    var localName: String? { string(nodes[index].localName) }

    var hasText: Bool { nodes[index].text.count > 0 }

    func typeIs(_ name: StaticString) -> Bool {
        let span = nodes[index].type
        return Int(span.count) == name.utf8CodeUnitCount
            && equalBytes(bytes + Int(span.start), name.utf8Start, Int(span.count))
    }

    func textIs(_ name: StaticString) -> Bool {
        let span = nodes[index].text
        return Int(span.count) == name.utf8CodeUnitCount
            && equalBytes(bytes + Int(span.start), name.utf8Start, Int(span.count))
    }

    var int: Int? {
        let span = nodes[index].text
        var position = bytes + Int(span.start)
        var remaining = Int(span.count)
        guard remaining > 0 else { return nil }
        let isNegative = position.pointee == UInt8(ascii: "-")
        if isNegative || position.pointee == UInt8(ascii: "+") {
            position += 1
            remaining -= 1
        }
        guard remaining > 0, remaining <= 18 else { return nil }
        var value = 0
        while remaining > 0 {
            let digit = position.pointee &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            value = value * 10 + Int(digit)
            position += 1
            remaining -= 1
        }
        return isNegative ? -value : value
    }

    var bool: Bool? {
        if textIs("true") || textIs("1") { return true }
        if textIs("false") || textIs("0") { return false }
        return nil
    }

    var children: ElementChildren { ElementChildren(parent: self) }

    func child(_ name: ElementName) -> ElementView? {
        var position = index + 1
        let end = Int(nodes[index].end)
        while position < end {
            if nodes[position].name == name { return ElementView(nodes: nodes, bytes: bytes, index: position) }
            position = Int(nodes[position].end)
        }
        return nil
    }

    var reference: ManagedObjectReference? {
        guard let value = text else { return nil }
        return ManagedObjectReference(type: type ?? "", value: value)
    }

    private func string(_ span: ValueArena.Span) -> String? {
        guard span.count > 0 else { return nil }
        let buffer = UnsafeBufferPointer(start: bytes + Int(span.start), count: Int(span.count))
        return String(decoding: buffer, as: UTF8.self)
    }

    private func equalBytes(_ left: UnsafePointer<UInt8>, _ right: UnsafePointer<UInt8>, _ count: Int) -> Bool {
        for offset in 0..<count where left[offset] != right[offset] { return false }
        return true
    }
}

/// The children of an element, in document order.
struct ElementChildren: Sequence, IteratorProtocol {
    private let nodes: UnsafeMutablePointer<ValueArena.Node>
    private let bytes: UnsafeMutablePointer<UInt8>
    private var position: Int
    private let end: Int

    init(parent: ElementView) {
        nodes = parent.nodes
        bytes = parent.bytes
        position = parent.index + 1
        end = Int(parent.nodes[parent.index].end)
    }

    mutating func next() -> ElementView? {
        guard position < end else { return nil }
        defer { position = Int(nodes[position].end) }
        return ElementView(nodes: nodes, bytes: bytes, index: position)
    }
}
