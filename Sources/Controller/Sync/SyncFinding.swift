/// Something on an account that a person should see; it never stops a sync.
package struct SyncFinding: Hashable, Sendable {
    /// Stable, without values.
    package let code: String
    /// What it is about, as a person would name it.
    package let subject: String
    /// One sentence.
    package let message: String
    /// The command that mends it; `nil` where no command does.
    package let fix: String?

    package init(code: String, subject: String, message: String, fix: String? = nil) {
        self.code = code
        self.subject = subject
        self.message = message
        self.fix = fix
    }
}
