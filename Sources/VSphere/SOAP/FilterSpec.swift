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

/// ObjectSpec: an object, or what a view of it contains, or what it is contained in.
struct ObjectSpec {
    enum Selection { case itself, view, ancestors }

    var object: ManagedObjectReference
    /// `view`: the object is a view, and not itself is meant, but the objects in it. `ancestors`: itself and whatever
    /// contains it.
    var selection = Selection.itself

    init(object: ManagedObjectReference, selection: Selection = .itself) {
        self.object = object
        self.selection = selection
    }

    init(object: ManagedObjectReference, isView: Bool) {
        self.init(object: object, selection: isView ? .view : .itself)
    }

    func write(to writer: inout ElementWriter) {
        writer.element("objectSet") { writer in
            writer.element("obj", object)
            writer.element("skip", selection == .view)
            switch selection {
            case .itself: break
            case .view: Self.traversal("view", of: object.type, along: "view", then: nil, to: &writer)
            case .ancestors:
                Self.traversal("parent", of: "ManagedEntity", along: "parent", then: "parent", to: &writer)
                // A VM in a vApp has no parent.
                Self.traversal("vApp", of: "VirtualMachine", along: "parentVApp", then: "parent", to: &writer)
            }
        }
    }

    /// A TraversalSpec; `next` names the traversal that goes on from where this one leads.
    private static func traversal(
        _ name: String, of type: String, along path: String, then next: String?, to writer: inout ElementWriter
    ) {
        writer.element("selectSet", type: "TraversalSpec") { writer in
            writer.element("name", name)
            writer.element("type", type)
            writer.element("path", path)
            writer.element("skip", false)
            if let next { writer.element("selectSet", type: "SelectionSpec") { $0.element("name", next) } }
        }
    }
}
