internal import CXML
internal import Glibc

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
    /// `Projection.width`, without asking each time whether that was computed already.
    let width = Projection.width
    let traits: UnsafeMutablePointer<Shape.Traits>
    let names: NameTable

    var arena = ValueArena()
    var frames: UnsafeMutablePointer<Frame>
    var frameCount = 0
    /// The node that shapes the next `propertyValue`; `Projection.unwanted` for a property nobody asked for.
    var valueNode = Projection.unwanted
    var valueProperty: Int16 = -1
    let propertyNodes: UnsafeMutablePointer<UInt16>
    let properties: TextTable
    let needlessTypes: TextTable

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

/// Texts found by their bytes.
struct TextTable {
    private struct Entry {
        /// The place of the text in the list; -1 for none.
        var index: Int16
        var start: Int32
        var count: Int32
    }

    private let entries: UnsafeMutablePointer<Entry>
    private let bytes: UnsafeMutablePointer<UInt8>
    private let mask: Int

    init(_ texts: [String]) {
        var capacity = 16
        while capacity < texts.count * 4 { capacity *= 2 }
        mask = capacity - 1
        entries = .allocate(capacity: capacity)
        entries.initialize(repeating: Entry(index: -1, start: 0, count: 0), count: capacity)
        bytes = .allocate(capacity: max(1, texts.reduce(0) { $0 + $1.utf8.count }))
        var end = 0
        for (index, text) in texts.enumerated() {
            let utf8 = Array(text.utf8)
            var slot = utf8.withUnsafeBufferPointer { Self.hash($0) } & mask
            while entries[slot].index >= 0 { slot = (slot + 1) & mask }
            entries[slot] = Entry(index: Int16(index), start: Int32(end), count: Int32(utf8.count))
            for byte in utf8 {
                bytes[end] = byte
                end += 1
            }
        }
    }

    func deallocate() {
        entries.deallocate()
        bytes.deallocate()
    }

    /// The text's place in the list, or -1.
    func index(of text: UnsafeBufferPointer<UInt8>) -> Int16 {
        guard let start = text.baseAddress else { return -1 }
        var slot = Self.hash(text) & mask
        while true {
            let entry = entries[slot]
            if entry.index < 0 { return -1 }
            if Int(entry.count) == text.count, memcmp(bytes + Int(entry.start), start, text.count) == 0 {
                return entry.index
            }
            slot = (slot + 1) & mask
        }
    }

    /// Of the length and the last bytes, in which paths differ that begin alike.
    private static func hash(_ text: UnsafeBufferPointer<UInt8>) -> Int {
        var value = UInt64(truncatingIfNeeded: text.count)
        for byte in text.suffix(8) { value = (value &<< 8 | value &>> 56) ^ UInt64(byte) }
        return Int(truncatingIfNeeded: (value &* 0x9E37_79B9_7F4A_7C15) >> 40)
    }
}
