/// Writes a request's elements, in the order of the calls.
///
/// vSphere's elements are sequences of the schema, base type first: whoever writes a type writes its fields in that
/// order (a test holds every request against the table).
struct ElementWriter {
    private(set) var bytes: [UInt8] = []

    mutating func element(_ name: StaticString, _ text: String) {
        open(name, nil)
        escaped(text)
        close(name)
    }

    mutating func element(_ name: StaticString, _ value: Bool) { element(name, value ? "true" : "false") }

    mutating func element(_ name: StaticString, _ value: Int) { element(name, String(value)) }

    /// A managed object reference.
    mutating func element(_ name: StaticString, _ reference: ManagedObjectReference) {
        raw("<")
        raw(name)
        raw(" type=\"")
        escaped(reference.type)
        raw("\">")
        escaped(reference.value)
        close(name)
    }

    /// An element with fields. `type` names its class where the schema declares a base class only.
    mutating func element(_ name: StaticString, type: StaticString? = nil, _ fields: (inout ElementWriter) -> Void) {
        open(name, type)
        fields(&self)
        close(name)
    }

    /// An element whose class only the server knows the name of: a device's, as it was read.
    mutating func element(_ name: StaticString, typeNamed type: String, _ fields: (inout ElementWriter) -> Void) {
        raw("<")
        raw(name)
        raw(" xsi:type=\"")
        escaped(type)
        raw("\">")
        fields(&self)
        close(name)
    }

    /// Text where the schema declares any type.
    mutating func anyElement(_ name: StaticString, string text: String) {
        open(name, "xsd:string")
        escaped(text)
        close(name)
    }

    mutating func raw(_ text: StaticString) {
        bytes.append(contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    private mutating func open(_ name: StaticString, _ type: StaticString?) {
        raw("<")
        raw(name)
        if let type {
            raw(" xsi:type=\"")
            raw(type)
            raw("\"")
        }
        raw(">")
    }

    private mutating func close(_ name: StaticString) {
        raw("</")
        raw(name)
        raw(">")
    }

    /// Text or an attribute's value. Characters that XML 1.0 cannot carry become U+FFFD: the server would refuse the
    /// whole request for them.
    private mutating func escaped(_ text: String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": raw("&amp;")
            case "<": raw("&lt;")
            case ">": raw("&gt;")
            case "\"": raw("&quot;")
            case "\r": raw("&#13;")
            case "\t", "\n": bytes.append(UInt8(ascii: scalar))
            case "\u{0}"..<"\u{20}", "\u{FFFE}", "\u{FFFF}": bytes.append(contentsOf: "\u{FFFD}".utf8)
            default: bytes.append(contentsOf: UTF8.encode(scalar)!)
            }
        }
    }
}
