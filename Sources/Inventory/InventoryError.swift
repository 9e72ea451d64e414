/// Why a request about accounts or inventory was not done, in a sentence for the operator.
package struct InventoryError: Error, Sendable, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// There is no such thing.
        case notFound = "not_found"
        /// The name fits several things; the sentence lists them.
        case ambiguousName = "ambiguous_name"
        /// The endpoint or name is another account's already.
        case duplicate
        /// A rule forbids it.
        case refused
        /// What was given is not valid.
        case invalid
        /// The key file is missing, open to others, or the wrong one.
        case key
    }

    package let code: Code
    package let detail: String

    package init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    package var description: String { detail }
}
