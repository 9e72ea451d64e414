/// Why the database did not do what was asked: a stable code, a sentence for the operator, and the cause.
///
/// `description` is safe to show to anyone: it quotes no stored value, no parameter and no password.
/// `debugDescription` adds what the server said and which statement was running (statements carry no values).
package struct DatabaseError: Error, Sendable {
    /// What a caller can decide on. Codes carry no values, so they fit metric labels.
    package enum Code: String, Sendable, CaseIterable {
        /// A unique, exclusion, foreign-key or check constraint, or a rule of a trigger, refused the change.
        case conflict
        /// The transaction lost a race (serialization, deadlock) and may be run again from its start.
        case retryable
        /// No connection, or it was lost; the server is away, starting, stopping or refuses us.
        case unavailable
        /// The server is a standby or was made read-only.
        case readOnly = "read_only"
        /// The server is out of disk, memory or another resource.
        case full
        /// The statement was cancelled on request.
        case canceled
        /// A lock, a statement or a free connection took longer than allowed.
        case timeout
        /// A table or column that the statement needs is not there.
        case schema
        /// The role may not do what the statement does.
        case permission
        /// The database was migrated by a newer wireloom than this one.
        case newerSchema = "newer_schema"
        /// The server is older than the oldest that is supported.
        case tooOld = "too_old"
        /// The database keeps text in an encoding that has not every character.
        case encoding
        /// A value does not fit its type: an overlong number, an impossible date, a NUL character.
        case invalidValue = "invalid_value"
        /// A mistake of ours.
        case bug
    }

    package let code: Code
    /// The five characters of the server's SQLSTATE; `nil` where the error arose on our side.
    package let sqlState: String?
    /// The name of the constraint that refused, where the server told.
    package let constraint: String?
    /// What was tried, on which thing, and what stood in the way.
    package let detail: String
    /// The connection was lost while COMMIT was on its way: the change may have been made or not.
    package let commitUnknown: Bool
    /// What the server or libpq said, and the statement; for `debugDescription` alone.
    let underlying: String?

    package init(
        _ code: Code, _ detail: String, sqlState: String? = nil, constraint: String? = nil,
        commitUnknown: Bool = false, underlying: String? = nil
    ) {
        self.code = code
        self.sqlState = sqlState
        self.constraint = constraint
        self.detail = detail
        self.commitUnknown = commitUnknown
        self.underlying = underlying
    }

    /// What is wrong with a server's version; `nil` if it is supported.
    ///
    /// - Parameter version: as libpq writes it: 15.4 is 150004.
    package static func unsupported(server version: Int32, of database: String) -> DatabaseError? {
        guard version < 150_000 else { return nil }
        return DatabaseError(
            .tooOld,
            "the server of \(database) is PostgreSQL \(version / 10_000); "
                + "wireloom needs PostgreSQL 15 or newer: upgrade the server")
    }

    /// What is wrong with the encoding that a database keeps text in; `nil` if it has every character.
    ///
    /// - Parameter encoding: as the server reports it; `nil` where it does not.
    package static func unsupported(encoding: String?, of database: String) -> DatabaseError? {
        guard let encoding, encoding != "UTF8" else { return nil }
        return DatabaseError(
            .encoding,
            "the database \(database) keeps text as \(encoding), which has not every character that a name may have; "
                + "make one that has: CREATE DATABASE wireloom ENCODING 'UTF8' TEMPLATE template0 LOCALE 'C'")
    }

    func whileCommitting() -> DatabaseError {
        DatabaseError(
            code, "the connection was lost during a commit, so the change may have been made or not: \(detail)",
            sqlState: sqlState, constraint: constraint, commitUnknown: true, underlying: underlying)
    }
}

extension DatabaseError: CustomStringConvertible, CustomDebugStringConvertible {
    package var description: String { detail }

    package var debugDescription: String {
        let state = sqlState.map { " \($0)" } ?? ""
        return "\(code.rawValue)\(state): \(detail)" + (underlying.map { " [\($0)]" } ?? "")
    }
}
