internal import CXML

/// What the SAX callbacks read and write, behind a pointer: as a class, every touch would cost a retain and an
/// exclusivity check, which together are dearer than the parsing.
struct ParserState {
    /// An element that is kept and not yet ended.
    struct Frame {
        var node: UInt16
        /// The element's node in the arena.
        var kept: Int32
        /// Bytes of the arena when the element began.
        var bytesBefore: Int32
        /// The text is complete: a child began.
        var isTextClosed: Bool
    }

    // Read at every element, so first.
    /// Depth below an element that is not wanted; 0 while wanted elements are open.
    var skipped = 0
    var node: UInt16
    /// Character data goes to the arena.
    var capturesText = false
    let transitions: UnsafeMutablePointer<UInt16>
    let traits: UnsafeMutablePointer<Shape.Traits>
    let names: NameTable

    var arena = ValueArena()
    var frames: UnsafeMutablePointer<Frame>
    var frameCount = 0
    /// The node that shapes the next `propertyValue`; `Projection.unwanted` for a property nobody asked for.
    var valueNode = Projection.unwanted
    var valueProperty: Int16 = -1
    let propertyNodes: UnsafeMutablePointer<UInt16>
    let properties: PropertyTable

    /// Interned in the document's dictionary.
    let envelopeNamespace: UnsafePointer<xmlChar>?
    let vimNamespace: UnsafePointer<xmlChar>?
    let instanceNamespace: UnsafePointer<xmlChar>?

    var rootSeen = false
    var stop: Stop?
    var emit: EmitBox?
    let context: xmlParserCtxtPtr

    /// Why a document was given up before its end.
    enum Stop {
        case documentType
        /// The root element is no SOAP envelope.
        case foreignRoot
        case tooDeep
        case tooLarge
        case thrown(any Error)
    }

    /// Deeper nesting of wanted elements than any projection has.
    static let deepest = 64
    /// Deeper nesting of anything than any answer has.
    static let deepestSkipped = 512
}

/// The visitor of emitted objects, in a box that a struct behind a pointer can hold.
final class EmitBox {
    let body: (ElementView) throws -> Void

    init(_ body: @escaping (ElementView) throws -> Void) { self.body = body }
}

/// Element names by the address of their interned text: equal names of one document have one address.
struct NameTable {
    private struct Entry {
        var address: UInt
        var name: ElementName
        var ordinal: UInt8
    }

    private let entries: UnsafeMutablePointer<Entry>
    private static let mask: UInt = 1023

    init(dictionary: xmlDictPtr?) {
        let capacity = Int(Self.mask) + 1
        entries = .allocate(capacity: capacity)
        entries.initialize(repeating: Entry(address: 0, name: .other, ordinal: 0), count: capacity)
        for (ordinal, name) in ElementName.allCases.enumerated() where name != .other {
            guard let interned = intern(name.rawValue, in: dictionary) else { continue }
            let address = UInt(bitPattern: interned)
            var slot = Self.slot(address)
            while entries[Int(slot)].address != 0 { slot = (slot &+ 1) & Self.mask }
            entries[Int(slot)] = Entry(address: address, name: name, ordinal: UInt8(ordinal))
        }
    }

    func deallocate() { entries.deallocate() }

    @inline(__always)
    func lookUp(_ interned: UnsafePointer<xmlChar>) -> (name: ElementName, ordinal: Int) {
        let address = UInt(bitPattern: interned)
        var slot = Self.slot(address)
        while true {
            let entry = entries[Int(slot)]
            if entry.address == address { return (entry.name, Int(entry.ordinal)) }
            if entry.address == 0 { return (.other, 0) }
            slot = (slot &+ 1) & Self.mask
        }
    }

    @inline(__always)
    private static func slot(_ address: UInt) -> UInt {
        ((address &* 0x9E37_79B9_7F4A_7C15) >> 40) & mask
    }
}

/// The dictionary's own copy of a name.
func intern(_ name: String, in dictionary: xmlDictPtr?) -> UnsafePointer<xmlChar>? {
    var name = name
    return name.withUTF8 { xmlDictLookup(dictionary, $0.baseAddress, Int32($0.count)) }
}

/// The property paths of a projection, found by their bytes.
struct PropertyTable {
    private let slots: UnsafeMutablePointer<Int16>
    private let paths: [[UInt8]]
    private let mask: Int

    init(_ properties: [String]) {
        paths = properties.map { Array($0.utf8) }
        var capacity = 16
        while capacity < properties.count * 4 { capacity *= 2 }
        mask = capacity - 1
        slots = .allocate(capacity: capacity)
        slots.initialize(repeating: -1, count: capacity)
        for (index, path) in paths.enumerated() {
            var slot = path.withUnsafeBufferPointer { Self.hash($0) } & mask
            while slots[slot] >= 0 { slot = (slot + 1) & mask }
            slots[slot] = Int16(index)
        }
    }

    func deallocate() { slots.deallocate() }

    /// The property's index, or -1.
    func index(of path: UnsafeBufferPointer<UInt8>) -> Int16 {
        var slot = Self.hash(path) & mask
        while slots[slot] >= 0 {
            let index = slots[slot]
            if paths[Int(index)].elementsEqual(path) { return index }
            slot = (slot + 1) & mask
        }
        return -1
    }

    private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
        var value: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: value >> 17)
    }
}
