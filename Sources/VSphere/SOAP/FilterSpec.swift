/// PropertyFilterSpec: which properties of which objects.
struct PropertyFilterSpec {
    var properties: [PropertySpec]
    var objects: [ObjectSpec]

    func write(_ name: StaticString, to writer: inout ElementWriter) {
        writer.element(name) { writer in
            for property in properties { property.write(to: &writer) }
            for object in objects { object.write(to: &writer) }
        }
    }
}

/// PropertySpec: the property paths of one type and those derived from it.
struct PropertySpec {
    var type: String
    var paths: [String]

    func write(to writer: inout ElementWriter) {
        writer.element("propSet") { writer in
            writer.element("type", type)
            for path in paths { writer.element("pathSet", path) }
        }
    }
}

/// ObjectSpec: an object, or what a view of it contains.
struct ObjectSpec {
    var object: ManagedObjectReference
    /// The object is a view: not itself is meant, but the objects in it.
    var isView = false

    func write(to writer: inout ElementWriter) {
        writer.element("objectSet") { writer in
            writer.element("obj", object)
            writer.element("skip", isView)
            if isView {
                writer.element("selectSet", type: "TraversalSpec") { writer in
                    writer.element("name", "view")
                    writer.element("type", object.type)
                    writer.element("path", "view")
                    writer.element("skip", false)
                }
            }
        }
    }
}
