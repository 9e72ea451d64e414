/// One object of a page: its properties by path, as far as they came.
///
/// Reused from object to object; the views in it are valid within the visit alone.
struct ObjectChange {
    enum Kind { case enter, modify, leave }

    private(set) var object = ManagedObjectReference(type: "", value: "")
    private(set) var kind = Kind.enter
    /// Property path to fault type; only paths that were asked for.
    private(set) var unreadable: UnreadableProperties = [:]
    /// A property came under a name that was not asked for: only a part of one, or more than one.
    private(set) var hasIrregularNames = false
    private var asked = AskedProperties.none
    private var values = [ElementView?](repeating: nil, count: InventoryProperty.paths.count)

    /// The property's value; `nil` where it is unset, was not sent or not readable.
    subscript(property: InventoryProperty) -> ElementView? { values[property.pathIndex] }

    func isUnreadable(_ property: InventoryProperty) -> Bool {
        !unreadable.isEmpty && unreadable[property.path] != nil
    }

    /// Reads an `objectSet` or an `objects` element. Throws a `SOAPFault` where a property is missing because the
    /// session is gone.
    mutating func read(_ element: ElementView) throws {
        for index in values.indices { values[index] = nil }
        object = ManagedObjectReference(type: "", value: "")
        asked = .none
        kind = .enter
        unreadable.removeAll(keepingCapacity: true)
        hasIrregularNames = false
        for child in element.children {
            switch child.name {
            case .kind: kind = child.textIs("modify") ? .modify : child.textIs("leave") ? .leave : .enter
            case .obj:
                object = child.reference ?? object
                asked = AskedProperties(of: object.type)
            case .changeSet, .propSet: readProperty(child)
            case .missingSet: try readMissing(child)
            default: break
            }
        }
        if hasIrregularNames || unreadable.isEmpty { return }
        for property in InventoryProperty.paths.indices where values[property] != nil {
            // A value beats a complaint about the same path.
            unreadable[InventoryProperty.paths[property]] = nil
        }
    }

    /// `assign` without a value and `indirectRemove` both mean: unset.
    private mutating func readProperty(_ change: ElementView) {
        guard let name = change.child(.name) else { return }
        let property = name.property
        guard property >= 0, asked.contains(pathIndex: property) else {
            if let path = name.text, asked.list.contains(where: { Self.related($0.path, path) }) {
                hasIrregularNames = true
                markUnreadable(path, "UnexpectedPath")
            }
            return
        }
        if let op = change.child(.op), op.textIs("add") || op.textIs("remove") {
            hasIrregularNames = true
            return
        }
        values[property] = change.child(.val)
    }

    private mutating func readMissing(_ missing: ElementView) throws {
        let fault = missing.child(.methodFault)?.child(.methodFault).map(SOAPFault.init(missing:))
        if let fault, fault.type == "NotAuthenticated" { throw fault }
        guard let path = missing.child(.path)?.text else { return }
        markUnreadable(path, fault?.type ?? "")
    }

    private mutating func markUnreadable(_ path: String, _ fault: String) {
        for property in asked.list where Self.related(property.path, path) {
            if fault == "InvalidProperty", property.isOptional { continue }
            unreadable[property.path] = fault.isEmpty ? "MethodFault" : fault
        }
    }

    /// `true` where one path is the other, or contains it.
    private static func related(_ left: String, _ right: String) -> Bool {
        left == right || contains(left, right) || contains(right, left)
    }

    private static func contains(_ outer: String, _ inner: String) -> Bool {
        guard inner.utf8.count > outer.utf8.count, inner.hasPrefix(outer) else { return false }
        let next = inner.utf8[inner.utf8.index(inner.utf8.startIndex, offsetBy: outer.utf8.count)]
        return next == UInt8(ascii: ".") || next == UInt8(ascii: "[")
    }
}
