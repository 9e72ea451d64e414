/// A shape compiled into tables: one row of transitions per node, one column per known element name.
///
/// The parser's whole decision at an element is one load from `transitions`.
struct Projection {
    /// Row 0 is "not wanted"; the column of a name is its place in `ElementName.allCases`.
    private(set) var transitions: [UInt16] = []
    private(set) var traits: [Shape.Traits] = []
    /// The node of each property's value, by `properties` index.
    private(set) var propertyNodes: [UInt16] = []
    /// The property paths whose values are kept.
    let properties: [String]
    /// The types whose elements are skipped where the shape allows that.
    let needlessTypes: [String]
    let root: UInt16 = 1

    static let width = ElementName.allCases.count
    static let unwanted: UInt16 = 0

    init(root: Shape, properties: [(path: String, shape: Shape)] = [], needlessTypes: [String] = []) {
        self.properties = properties.map(\.path)
        self.needlessTypes = needlessTypes
        addNode([])
        // The document itself is the node above its root element.
        compile(root)
        propertyNodes = properties.map { compile($0.shape) }
    }

    /// The shape of a SOAP answer with `response` in its body.
    static func soap(
        _ response: Shape, properties: [(path: String, shape: Shape)] = [], needlessTypes: [String] = []
    ) -> Projection {
        var response = response
        response.traits.insert(.localName)
        let fault = Shape.object([
            .faultcode: .text, .faultstring: .text, .detail: .array(of: faultShape),
        ])
        let body = Shape(traits: [], fields: [(.fault, fault)], others: [response])
        return Projection(
            root: .object([.envelope: .object([.body: body])]), properties: properties, needlessTypes: needlessTypes)
    }

    /// A fault's type and those of its fields that say what it is about.
    static let faultShape = Shape.object(
        [.schemaType, .localName],
        [
            .object: .reference, .obj: .reference, .privilegeId: .text, .name: .text, .invalidProperty: .text,
            .property: .text,
        ])

    @discardableResult
    private mutating func addNode(_ traits: Shape.Traits) -> UInt16 {
        self.traits.append(traits)
        transitions.append(contentsOf: repeatElement(Self.unwanted, count: Self.width))
        return UInt16(self.traits.count - 1)
    }

    @discardableResult
    private mutating func compile(_ shape: Shape) -> UInt16 {
        let node = addNode(shape.traits)
        let row = Int(node) * Self.width
        if let other = shape.others.first {
            let target = compile(other)
            for column in 0..<Self.width { transitions[row + column] = target }
        }
        for (name, field) in shape.fields {
            transitions[row + name.ordinal] = compile(field)
        }
        return node
    }
}
