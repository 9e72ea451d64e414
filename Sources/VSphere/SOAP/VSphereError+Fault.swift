extension VSphereError {
    /// A method's fault, for whoever reads a job's report. `url` and `operation` say what was tried.
    init(_ fault: SOAPFault, operation: String, url: String) {
        let said = fault.message.isEmpty ? "" : ": \(fault.message)"
        switch fault.type {
        case "InvalidLogin":
            self.init(
                .login, "\(url) refused the user name or password: check both, and that the user is not locked out",
                fault: fault.type)
        case "NoPermission":
            let privilege = fault.privilege.map { " \($0)" } ?? ""
            let object = fault.object.map { " on \($0)" } ?? ""
            self.init(
                .permission,
                "\(url) refused \(operation): the user lacks the privilege\(privilege)\(object); "
                    + "give it to the user's role, propagating to children", fault: fault.type)
        case "NotAuthenticated":
            self.init(.sessionLost, "\(url) ended the session before \(operation): try again", fault: fault.type)
        default:
            let type = fault.type.isEmpty ? "a fault without a type" : fault.type
            self.init(.fault, "\(url) refused \(operation) with \(type)\(said)", fault: fault.type)
        }
    }
}
