/// What is wanted of an answer: the elements to keep, as a tree; every other element is skipped unseen.
///
/// A shape is written down once per kind of answer, compiled into a `Projection`, and drives the parser. Names are
/// matched within their parent, so that `name` of a switch and `name` of a property are different things.
struct Shape {
    /// What the parser does at an element beside keeping its place in the tree.
    struct Traits: OptionSet {
        let rawValue: UInt16
        /// Keep the character data.
        static let text = Traits(rawValue: 1 << 0)
        /// Keep the type named by `xsi:type`, without its prefix.
        static let schemaType = Traits(rawValue: 1 << 1)
        /// Keep the `type` attribute of a managed object reference, which is in no namespace.
        static let referenceType = Traits(rawValue: 1 << 2)
        /// Keep the element's own name: for elements matched by `any`.
        static let localName = Traits(rawValue: 1 << 3)
        /// Hand the element over when it ends, and forget it.
        static let emit = Traits(rawValue: 1 << 4)
        /// The text is a property path, which decides the shape of the `value` that follows.
        static let propertyName = Traits(rawValue: 1 << 5)
        /// The content is shaped by the property path before it.
        static let propertyValue = Traits(rawValue: 1 << 6)
        /// Skip the element whole where its `xsi:type` is one of the projection's `needless` types.
        static let mayBeNeedless = Traits(rawValue: 1 << 7)
    }

    var traits: Traits
    var fields: [(ElementName, Shape)] = []
    /// The shape of children that `fields` does not name; zero or one.
    var others: [Shape] = []

    static let text = Shape(traits: .text)
    static let reference = Shape(traits: [.text, .referenceType])
    /// Kept for its presence and its `xsi:type` alone.
    static let typed = Shape(traits: .schemaType)

    static func object(_ fields: KeyValuePairs<ElementName, Shape>) -> Shape { object([], fields) }

    static func object(_ traits: Traits, _ fields: KeyValuePairs<ElementName, Shape>) -> Shape {
        Shape(traits: traits, fields: fields.map { ($0.key, $0.value) })
    }

    /// Children of any name, all of one shape: `ArrayOfX` names its items after their type.
    static func array(of item: Shape) -> Shape {
        Shape(traits: [], others: [item])
    }
}
