/// Why the sync of an account failed, with the code that its job shows.
package struct SyncError: Error, Sendable, CustomStringConvertible {
    package let code: String
    package let message: String

    package init(code: String, message: String) {
        self.code = code
        self.message = message
    }

    package var description: String { message }
}
