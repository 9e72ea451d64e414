internal import Topology

/// Why a VM was not made or deleted, in a sentence for the operator.
package struct ProvisioningError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        /// What was asked cannot be, whatever the inventory is.
        case invalid
        case notFound = "not_found"
        case ambiguousName = "ambiguous_name"
        /// The template is none that this can be made from.
        case template
        /// No host has a port group for every adapter.
        case noHost = "no_host"
        /// The key was used for another request, or its VM failed.
        case key
        /// A rule forbids it.
        case refused
        /// A step went wrong; the message names it.
        case failed
        /// A step took longer than it may.
        case timedOut = "timed_out"
        /// The guest has another address than it was given.
        case otherAddress = "other_address"
    }

    package let code: Code
    package let detail: String
    /// The vSphere fault's type where one stood in the way.
    package let fault: String?

    package init(_ code: Code, _ detail: String, fault: String? = nil) {
        self.code = code
        self.detail = detail
        self.fault = fault
    }

    package var description: String { detail }

    /// A VM is there of which the server does not tell whether it is the one that is looked for.
    init(unknown facts: MachineFacts, title: String) {
        self.init(
            .failed,
            "\(title): the server shows \(facts.name.isEmpty ? "a VM" : facts.name) (\(facts.id)) and not its instance UUID, as of a VM "
                + "that is inaccessible: it may be this one, so nothing was released; make it accessible, or remove it there"
        )
    }

    init(_ refusal: NoAttachment, of name: String) {
        let hint = refusal.fix.isEmpty ? "" : "; see: " + refusal.fix.split(separator: "\n").joined(separator: ", ")
        self.init(.noHost, "VM \(name) finds no place: \(refusal.sentence)\(hint)")
    }
}
