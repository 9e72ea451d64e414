import CPostgres

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How a connection comes to be: libpq's asynchronous handshake, for a deadline finer than its own two seconds and
/// for the SQLSTATE of a refusal, which libpq tells only in its verbose messages.
enum Handshake {
    static func connect(
        _ configuration: DatabaseConfiguration, _ target: DatabaseConfiguration.Target
    ) throws -> OpaquePointer {
        let deadline = ContinuousClock.now + configuration.connectTimeout
        while true {
            do {
                return try attempt(configuration, target, deadline)
            } catch let error as DatabaseError where error.sqlState == "57P03" && ContinuousClock.now < deadline {
                // The server is starting: it answers, but not yet to us.
                pause(.milliseconds(50))
            }
        }
    }

    private static func attempt(
        _ configuration: DatabaseConfiguration, _ target: DatabaseConfiguration.Target,
        _ deadline: ContinuousClock.Instant
    ) throws -> OpaquePointer {
        // What stands before `dbname` is a default that the URI may change; what stands after it is ours.
        let options: KeyValuePairs = [
            "fallback_application_name": configuration.applicationName,
            "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
            "tcp_user_timeout": "60000",
            "dbname": configuration.uri,
            "client_encoding": "UTF8",
        ]
        let keywords = CStrings(options.map(\.key))
        let values = CStrings(options.map(\.value))
        let handle = keywords.withPointers { keywords in
            values.withPointers { values in PQconnectStartParams(keywords, values, 1) }
        }
        guard let handle else { throw DatabaseError(.unavailable, "there is no memory for a database connection") }
        do {
            PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
            try complete(handle, target, deadline)
            PQsetErrorVerbosity(handle, PQERRORS_DEFAULT)
            // libpq would print notices on stderr.
            PQsetNoticeReceiver(handle, { _, _ in }, nil)
            if let refusal = DatabaseError.unsupported(server: PQserverVersion(handle), of: target.displayName) {
                throw refusal
            }
            let encoding = PQparameterStatus(handle, "server_encoding").map { String(cString: $0) }
            if let refusal = DatabaseError.unsupported(encoding: encoding, of: target.displayName) { throw refusal }
            return handle
        } catch {
            PQfinish(handle)
            throw error
        }
    }

    private static func complete(
        _ handle: OpaquePointer, _ target: DatabaseConfiguration.Target, _ deadline: ContinuousClock.Instant
    ) throws {
        var wanted = PGRES_POLLING_WRITING
        while PQstatus(handle) != CONNECTION_BAD {
            let events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT
            guard try Readiness.wait(PQsocket(handle), for: Int16(events), until: deadline) else {
                throw DatabaseError(
                    .unavailable,
                    "the database \(target.displayName) did not answer in time; check the host, port and firewall")
            }
            wanted = PQconnectPoll(handle)
            if wanted == PGRES_POLLING_OK { return }
            if wanted == PGRES_POLLING_FAILED { break }
        }
        throw refusal(target.scrubbed(String(cString: PQerrorMessage(handle))), target)
    }

    /// Reads `… failed: FATAL:  28P01: password authentication failed…` or `… failed: Connection refused…`.
    static func refusal(_ message: String, _ target: DatabaseConfiguration.Target) -> DatabaseError {
        let lines = message.split(separator: "\n")
        let state = lines.lazy.compactMap(sqlState(in:)).first
        let database = target.displayName
        let sentence =
            switch state {
            case "57P03": "the database \(database) is starting up or shutting down; try again shortly"
            case "28P01", "28000":
                "the database \(database) does not let user \"\(target.user ?? "?")\" in; "
                    + "check the user, the password and the server's pg_hba.conf"
            case "3D000": "the server of \(database) has no such database; create it or correct the name"
            case "53300": "the database \(database) has no connection free; raise max_connections or use fewer"
            case .some(let state): "the database \(database) refused the connection (\(state))"
            case nil: "the database \(database) cannot be reached: \(reason(lines))"
            }
        return DatabaseError(.unavailable, sentence, sqlState: state, underlying: message)
    }

    private static func sqlState(in line: Substring) -> String? {
        let words = line.split(separator: " ")
        return words.lazy.filter { word in
            word.utf8.count == 6 && word.utf8.last == UInt8(ascii: ":")
                && word.utf8.dropLast().allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
        }.first { $0.utf8.contains { (48...57).contains($0) } }.map { String($0.dropLast()) }
    }

    private static func reason(_ lines: [Substring]) -> String {
        guard let line = lines.first else { return "no reason was given" }
        guard let range = line.firstRange(of: "failed: ") else { return String(line) }
        return String(line[range.upperBound...])
    }

    /// What every session of ours assumes, in one message.
    static func sessionSettings(_ configuration: DatabaseConfiguration) -> String {
        var settings = ["SET standard_conforming_strings = on", "SET TimeZone = 'UTC'", "SET DateStyle = 'ISO'"]
        // Compiling a listing's statement takes longer than running it, ten times as long where much is unplaced.
        settings.append("SET jit = off")
        settings += limits.map { name, value, condition in
            "SELECT set_config('\(name)', '\(value)', false) WHERE current_setting('\(name)') \(condition)"
        }
        if let timeout = configuration.statementTimeout {
            settings.append("SET statement_timeout = \(max(1, timeout.wholeMicroseconds / 1000))")
        }
        if let schema = configuration.schema {
            settings.append("SET search_path = \(quoted(identifier: schema)), public")
        }
        return settings.joined(separator: "; ")
    }
}

extension Handshake {
    /// How long the server keeps a session, and so its locks, of a client that stands still or is gone without a word: by default
    /// for ever, respectively for hours. What an operator set stays, unless it is the longer wait for a dead host. On a Unix
    /// socket the TCP settings read as 0 and do nothing.
    private static let limits: [(name: String, value: String, condition: String)] = [
        // No transaction of ours waits for anything but the database and this process.
        ("idle_in_transaction_session_timeout", "60s", "= '0'"),
        ("tcp_keepalives_idle", "30", "::int > 30"),
        ("tcp_keepalives_interval", "10", "::int > 10"),
        ("tcp_keepalives_count", "3", "::int > 3"),
        // Keepalives are not sent while an answer waits to be acknowledged.
        ("tcp_user_timeout", "60000", "= '0'"),
    ]
}

/// An SQL identifier in quotes, for the places where no parameter can stand.
func quoted(identifier: String) -> String {
    var text = "\""
    for character in identifier.unicodeScalars {
        if character == "\"" { text += "\"" }
        text.unicodeScalars.append(character)
    }
    return text + "\""
}

/// A list of C strings that lives as long as it.
struct CStrings {
    private let strings: [ContiguousArray<CChar>]

    init(_ strings: [String]) {
        self.strings = strings.map(\.utf8CString)
    }

    /// Hands over a NULL-terminated list.
    func withPointers<T>(_ body: (UnsafePointer<UnsafePointer<CChar>?>) -> T) -> T {
        var pointers: [UnsafePointer<CChar>?] = []
        func next(_ index: Int) -> T {
            guard index < strings.count else {
                pointers.append(nil)
                return pointers.withUnsafeBufferPointer { body($0.baseAddress!) }
            }
            return strings[index].withUnsafeBufferPointer { buffer in
                pointers.append(buffer.baseAddress)
                return next(index + 1)
            }
        }
        return next(0)
    }
}
