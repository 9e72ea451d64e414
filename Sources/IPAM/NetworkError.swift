/// Why a request about wires, subnets, links or addresses was not done, in a sentence for the operator.
package struct NetworkError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case notFound = "not_found"
        case ambiguousName = "ambiguous_name"
        case duplicate
        /// A subnet of the same wire and VLAN has some of the addresses.
        case overlap
        case invalid
        /// Something still uses it.
        case inUse = "in_use"
        /// Nothing of the subnet's pools is left.
        case exhausted
        /// Somebody else has the address, or may have it.
        case held
        /// There is nothing to release.
        case notHeld = "not_held"
        /// The key was used for another request, or its addresses were released.
        case key
        /// What is to be undone or merged is not as it has to be.
        case clash
        /// Others were faster for as long as was waited; try again.
        case busy
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }
}
