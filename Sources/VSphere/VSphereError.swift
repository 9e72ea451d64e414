/// Why a conversation with a vCenter or an ESXi host did not succeed.
package struct VSphereError: Error, Sendable, CustomStringConvertible {
    /// Stable: metrics, job reports and tests know it.
    package enum Code: String, Sendable, CaseIterable {
        /// The account's URL, thumbprint or certificate is not one.
        case invalidURL = "invalid_url"
        /// No such host name, no route, or nobody listens.
        case unreachable
        /// Connecting, or the answer, took longer than is allowed.
        case timedOut = "timed_out"
        /// The server's certificate is not trusted, or is another one than was pinned.
        case certificate
        /// The user name or password was refused. Never tried again: that would lock the user out.
        case login
        /// The user lacks a privilege.
        case permission
        /// Something else answers there: a web page, a redirect, another service.
        case notVSphere = "not_vsphere"
        /// The service is starting, stopping or overloaded (HTTP 502, 503, 504).
        case unavailable
        /// The connection ended within an answer.
        case unfinished
        /// The answer is not one that vSphere gives.
        case protocolViolation = "protocol_violation"
        /// The session ended twice: it expired, was terminated, or the server restarted.
        case sessionLost = "session_lost"
        /// The object is not there, or not any more: by its id, or by the name it was asked for.
        case notFound = "not_found"
        /// More than one object has the name.
        case ambiguous
        /// The server does not know the task any more, nor how it ended: ask for what it should have made.
        case taskForgotten = "task_forgotten"
        /// A fault that has no code of its own: see `fault` and `faultKind`.
        case fault
        /// The caller's token was canceled.
        case canceled
    }

    package let code: Code
    /// What was tried, where, what stood in the way and what to do. Safe to show.
    package let detail: String
    /// The vSphere fault's type, such as `NoPermission`.
    package let fault: String?
    /// The object that the fault names: the one that has the name already (`DuplicateName`), that is gone
    /// (`ManagedObjectNotFound`), that a privilege is lacking on (`NoPermission`). `nil` where it names none.
    package let object: ManagedObjectReference?

    package init(_ code: Code, _ detail: String, fault: String? = nil, object: ManagedObjectReference? = nil) {
        self.code = code
        self.detail = detail
        self.fault = fault
        self.object = object
    }

    package var description: String { detail }
}
