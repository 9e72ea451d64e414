/// A method's refusal: the content of `soapenv:Fault`, or of a property's `missingSet`.
struct SOAPFault: Error {
    /// The fault's class, such as `NotAuthenticated`; empty where the server names none.
    var type: String
    /// The server's sentence, perhaps localized or empty.
    var message: String
    /// The object it is about.
    var object: ManagedObjectReference?
    /// `NoPermission.privilegeId`.
    var privilege: String?
    /// `InvalidProperty.name`, `DuplicateName.name`, `InvalidArgument.invalidProperty`, `InvalidDeviceSpec.property`.
    var name: String?

    init(type: String, message: String) {
        self.type = type
        self.message = message
    }

    /// From `<soapenv:Fault>`.
    init(_ fault: ElementView) {
        message = fault.child(.faultstring)?.rawText ?? ""
        type = ""
        guard let detail = fault.child(.detail) else { return }
        var children = detail.children
        if let content = children.next() { read(content) }
    }

    /// From a LocalizedMethodFault, such as a task's `info.error`.
    init(localized error: ElementView) {
        message = error.child(.localizedMessage)?.rawText ?? ""
        type = ""
        if let content = error.child(.methodFault) { read(content) }
    }

    /// From `<fault xsi:type="…">` of a MissingProperty's LocalizedMethodFault.
    init(missing: ElementView) {
        message = ""
        type = ""
        read(missing)
    }

    private mutating func read(_ content: ElementView) {
        // The element is named after the type, with "Fault" behind it.
        var local = content.localName ?? ""
        if local.hasSuffix("Fault") { local.removeLast("Fault".count) }
        type = content.type ?? local
        object = (content.child(.obj) ?? content.child(.object))?.reference
        privilege = content.child(.privilegeId)?.text
        name = (content.child(.name) ?? content.child(.invalidProperty) ?? content.child(.property))?.text
    }

    /// Which of some optional paths this fault says that the server does not know, by the whole path or its last parts.
    func unknownPath(of paths: some Sequence<String>) -> String? {
        guard type == "InvalidProperty", let name else { return nil }
        return paths.first { $0 == name } ?? paths.first { $0.hasSuffix(".\(name)") }
    }
}
