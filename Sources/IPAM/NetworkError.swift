/// Why a request about wires, subnets or links was not done, in a sentence for the operator.
package struct NetworkError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        case notFound = "not_found"
        case ambiguousName = "ambiguous_name"
        case duplicate
        /// A subnet of the same wire and VLAN has some of the addresses.
        case overlap
        case invalid
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }
}
