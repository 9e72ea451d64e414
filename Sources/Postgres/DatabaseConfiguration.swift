import CPostgres

/// How to reach the database, and how much of it to use.
package struct DatabaseConfiguration: Sendable {
    /// A libpq URI (`postgresql://user@host/name`) or `key=value` list. May hold a password, so it is never printed:
    /// print `displayName`.
    package let uri: String
    /// Shown in `pg_stat_activity`, unless the URI names one.
    package var applicationName: String
    /// The most connections the pool opens; those of `Database.connect()` come on top.
    package var maxConnections: Int
    /// The longest a connection may take to be made, name lookup aside.
    package var connectTimeout: Duration
    /// The longest `Database.withConnection` waits for a free connection.
    package var acquireTimeout: Duration
    /// The longest a statement may run on the server; `nil`: no limit.
    package var statementTimeout: Duration?
    /// The schema that unqualified names mean, before `public`; `nil`: the role's default.
    package var schema: String?

    package init(
        uri: String, applicationName: String = "wireloom", maxConnections: Int = 16,
        connectTimeout: Duration = .seconds(10), acquireTimeout: Duration = .seconds(30),
        statementTimeout: Duration? = nil, schema: String? = nil
    ) {
        self.uri = uri
        self.applicationName = applicationName
        self.maxConnections = maxConnections
        self.connectTimeout = connectTimeout
        self.acquireTimeout = acquireTimeout
        self.statementTimeout = statementTimeout
        self.schema = schema
    }

    /// Says what is wrong with the options, before anything is connected.
    ///
    /// - Throws: ``DatabaseError`` of code `invalidValue`.
    package func validate() throws {
        guard Target(uri) != nil else { throw Self.malformed }
        guard maxConnections >= 1 else {
            throw DatabaseError(.invalidValue, "the pool needs at least 1 connection, not \(maxConnections)")
        }
        for (name, limit) in [
            ("connect", connectTimeout), ("acquire", acquireTimeout), ("statement", statementTimeout),
        ]
        where limit.map({ $0 <= .zero }) ?? false {
            throw DatabaseError(.invalidValue, "the \(name) timeout must be longer than zero")
        }
    }

    /// libpq's own message quotes the text, password and all, so it is not passed on.
    static let malformed = DatabaseError(
        .invalidValue,
        "the database URL is malformed; write postgresql://USER:PASSWORD@HOST:PORT/NAME, "
            + "with the special characters of the password percent-encoded")

    /// User, host, port and database name: what may be printed of `uri`.
    package var displayName: String {
        Target(uri)?.displayName ?? "(malformed database URL)"
    }

    /// The parts of a connection text, as libpq reads them.
    struct Target {
        var user: String?
        var host: String?
        var port: String?
        var name: String?
        var password: String?

        /// `nil` if libpq cannot parse the text.
        init?(_ uri: String) {
            var message: UnsafeMutablePointer<CChar>?
            defer { PQfreemem(message) }
            guard let options = PQconninfoParse(uri, &message) else { return nil }
            defer { PQconninfoFree(options) }
            read(options)
            // What the text leaves out comes from the environment (PGHOST…) or is libpq's default.
            guard let defaults = PQconndefaults() else { return }
            defer { PQconninfoFree(defaults) }
            read(defaults)
        }

        private mutating func read(_ options: UnsafeMutablePointer<PQconninfoOption>) {
            var option = options
            while let keyword = option.pointee.keyword {
                let value = option.pointee.val.map { String(cString: $0) }
                switch String(cString: keyword) {
                case "user": user = user ?? value
                case "host", "hostaddr": host = host ?? value
                case "port": port = port ?? value
                case "dbname": name = name ?? value
                case "password": password = password ?? value
                default: break
                }
                option += 1
            }
        }

        var displayName: String {
            let database = name ?? user ?? "?"
            let who = user.map { "\($0)@" } ?? ""
            guard let host, !host.isEmpty else { return "\(who)/\(database) (local socket)" }
            if host.hasPrefix("/") { return "\(who)/\(database) (socket \(host))" }
            return "\(who)\(host):\(port ?? "5432")/\(database)"
        }

        /// The text without the password, whoever put it there.
        func scrubbed(_ text: String) -> String {
            guard let password, !password.isEmpty, text.contains(password) else { return text }
            return text.split(separator: password, omittingEmptySubsequences: false).joined(separator: "****")
        }
    }
}

extension DatabaseConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package var description: String { displayName }
    package var debugDescription: String { displayName }
    /// Without it, `dump` and interpolation of an enclosing struct would print the URI.
    package var customMirror: Mirror { Mirror(self, children: ["database": displayName]) }
}
