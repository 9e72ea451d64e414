/// A server's name for one of its objects: a type and an opaque value, such as `VirtualMachine` and `vm-12`.
package struct ManagedObjectReference: Hashable, Sendable, CustomStringConvertible {
    package var type: String
    package var value: String

    package init(type: String, value: String) {
        self.type = type
        self.value = value
    }

    package var description: String { "\(type):\(value)" }
}
