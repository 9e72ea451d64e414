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
                    + "give it to the user's role, propagating to children", fault: fault.type, object: fault.object)
        case "NotAuthenticated":
            self.init(.sessionLost, "\(url) ended the session before \(operation): try again", fault: fault.type)
        case "ManagedObjectNotFound":
            let object = fault.object.map { " (\($0))" } ?? ""
            self.init(
                .notFound, "\(url) refused \(operation): the object\(object) is not there any more",
                fault: fault.type, object: fault.object)
        default:
            let type = fault.type.isEmpty ? "a fault without a type" : fault.type
            let about = fault.name.map { " (\($0))" } ?? ""
            self.init(
                .fault, "\(url) refused \(operation) with \(type)\(about)\(said)", fault: fault.type,
                object: fault.object)
        }
    }
}
