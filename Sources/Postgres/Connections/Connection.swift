import CPostgres

/// One session with the server, used by one thread at a time: it is not `Sendable`, and the compiler holds us to it.
///
/// Statements are prepared on first use and found again by their text; parameters travel as text, results in binary.
/// Only ``CancelToken`` may be used from another thread. A connection that broke stays broken: `isUsable` turns false
/// and every call throws `unavailable`; its owner closes it and takes another.
package final class Connection {
    /// Interrupts what this connection is doing, from any thread.
    package let cancelToken: CancelToken

    /// `nil` once closed.
    private(set) var handle: OpaquePointer?
    /// What to call the database in an error.
    let target: DatabaseConfiguration.Target
    private let statementTimeout: Duration?
    private var statements = StatementCache()
    private var parameters = ParameterBuffer()
    /// An unfinished COPY; the session speaks no other protocol meanwhile.
    var copyInProgress: CopyInProgress?
    /// Open ``transaction(_:)`` calls, to name savepoints.
    var transactionDepth = 0
    /// Channels listened to; a pooled connection must forget them when it is given back.
    var isListening = false

    /// - Throws: ``DatabaseError``: `unavailable`, `tooOld`, or `invalidValue` for a malformed URI.
    init(_ configuration: DatabaseConfiguration) throws {
        guard let target = DatabaseConfiguration.Target(configuration.uri) else {
            throw DatabaseConfiguration.malformed
        }
        self.target = target
        statementTimeout = configuration.statementTimeout
        let handle = try Handshake.connect(configuration, target)
        self.handle = handle
        cancelToken = CancelToken(handle)
        do {
            try script(Handshake.sessionSettings(configuration))
        } catch {
            close()
            throw error
        }
    }

    deinit { close() }

    /// Ends the session; a second call does nothing. An open transaction is rolled back by the server.
    package func close() {
        guard let handle else { return }
        self.handle = nil
        PQfinish(handle)
    }

    /// Whether the session still stands, as far as the last call could tell.
    package var isUsable: Bool { handle.map { PQstatus($0) == CONNECTION_OK } ?? false }

    package var isInTransaction: Bool {
        handle.map { [PQTRANS_INTRANS, PQTRANS_INERROR].contains(PQtransactionStatus($0)) } ?? false
    }

    /// Runs one statement and returns its rows.
    ///
    /// - Parameter sql: one statement with `$1`, `$2`… A parameter's type is what the server infers, so write
    ///   `$1::bigint` where it cannot.
    /// - Throws: ``DatabaseError``.
    package func query(_ sql: String, _ parameters: (any PostgresEncodable)?...) throws -> Rows {
        try query(sql, parameters: parameters)
    }

    package func query(_ sql: String, parameters: [(any PostgresEncodable)?]) throws -> Rows {
        Rows(try run(sql, parameters), statement: sql)
    }

    /// Runs one statement and returns how many rows it affected.
    @discardableResult
    package func execute(_ sql: String, _ parameters: (any PostgresEncodable)?...) throws -> Int {
        try execute(sql, parameters: parameters)
    }

    @discardableResult
    package func execute(_ sql: String, parameters: [(any PostgresEncodable)?]) throws -> Int {
        let result = try run(sql, parameters)
        return Int(String(cString: PQcmdTuples(result.pointer))) ?? 0
    }

    /// Runs several statements without parameters or results, as one message: outside a transaction, as one transaction.
    package func script(_ sql: String) throws {
        try check(ResultHandle(PQexec(try ready(), sql)), sql, since: .now)
    }

    /// Checks that the server accepts a statement and its parameter count, without running it.
    package func prepare(_ sql: String) throws {
        _ = try prepared(sql)
    }

    // MARK: - Statements

    private func run(_ sql: String, _ values: [(any PostgresEncodable)?]) throws -> ResultHandle {
        let name = try prepared(sql)
        try parameters.encode(values)
        do {
            return try runPrepared(name, sql)
        } catch let error as DatabaseError where error.isStalePlan {
            // Prepared before a migration changed its columns. Within a transaction the failure has ended it.
            statements.remove(sql)
            guard !isInTransaction else { throw error }
            return try runPrepared(try prepared(sql), sql)
        }
    }

    private func runPrepared(_ name: String, _ sql: String) throws -> ResultHandle {
        let handle = try ready()
        let start = ContinuousClock.now
        let result = parameters.withPointers { pointers, count in
            ResultHandle(PQexecPrepared(handle, name, count, pointers, nil, nil, 1))
        }
        try check(result, sql, since: start)
        return result
    }

    private func prepared(_ sql: String) throws -> String {
        if let name = statements.name(of: sql) { return name }
        let handle = try ready()
        if statements.isFull {
            try script("DEALLOCATE ALL")
            statements.removeAll()
        }
        let name = statements.nextName()
        try check(ResultHandle(PQprepare(handle, name, sql, 0, nil)), sql, since: .now)
        statements.insert(name, for: sql)
        return name
    }

    /// The handle, if the session can take a statement now.
    func ready() throws -> OpaquePointer {
        guard let handle else { throw DatabaseError(.unavailable, "the connection to \(target.displayName) is closed") }
        if let copy = copyInProgress {
            throw DatabaseError(.bug, "a statement was sent while a COPY into \(copy.table) was unfinished")
        }
        return handle
    }

    /// - Throws: what the result reports, as ``DatabaseError``.
    func check(
        _ result: ResultHandle, _ sql: String, since start: ContinuousClock.Instant, copying: Bool = false
    ) throws {
        switch PQresultStatus(result.pointer) {
        case PGRES_COMMAND_OK, PGRES_TUPLES_OK: return
        case PGRES_COPY_IN where copying: return
        case PGRES_EMPTY_QUERY: throw DatabaseError(.bug, "an empty statement was sent to the database")
        case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
            close()
            throw DatabaseError(.bug, "COPY was sent as a statement; use copyIn")
        default: break
        }
        guard let pointer = result.pointer, let report = ServerReport(pointer) else { throw lost(sql) }
        throw DatabaseError(report, statement: sql, timedOut: isTimeout(report, since: start))
    }

    /// 57014 stands for three things; the message tells them apart in English, the clock in other languages.
    private func isTimeout(_ report: ServerReport, since start: ContinuousClock.Instant) -> Bool {
        guard report.sqlState == "57014", !cancelToken.wasUsed(since: start) else { return false }
        return report.primary.contains("timeout") || statementTimeout.map { start.duration(to: .now) >= $0 } ?? false
    }

    /// The error of a session that ended without a word from the server.
    func lost(_ sql: String) -> DatabaseError {
        let message = handle.map { String(cString: PQerrorMessage($0)) } ?? ""
        return DatabaseError(
            .unavailable, "the connection to the database \(target.displayName) was lost; try again",
            underlying: target.scrubbed("\(DatabaseError.abridged(message)); statement: \(DatabaseError.abridged(sql))")
        )
    }
}

/// Owns a libpq result.
final class ResultHandle {
    /// `nil` where libpq had no memory or no connection: read as a fatal error by every accessor.
    let pointer: OpaquePointer?

    init(_ pointer: OpaquePointer?) {
        self.pointer = pointer
    }

    deinit { PQclear(pointer) }
}

/// The names under which the session knows its statements.
struct StatementCache {
    /// Far more than the product has; a bound all the same, for texts built at run time.
    private static let limit = 500
    private var names: [String: String] = [:]
    private var count = 0

    var isFull: Bool { names.count >= Self.limit }
    func name(of sql: String) -> String? { names[sql] }

    /// A name is never used twice in a session, so one that failed to be prepared cannot be mistaken for another.
    mutating func nextName() -> String {
        count += 1
        return "s\(count)"
    }

    mutating func insert(_ name: String, for sql: String) { names[sql] = name }
    mutating func remove(_ sql: String) { names[sql] = nil }
    mutating func removeAll() { names.removeAll() }
}

/// The parameters of one statement in one buffer, kept between statements so that it need not grow again.
struct ParameterBuffer {
    private var bytes: [UInt8] = []
    /// Where each begins; `nil` for NULL.
    private var starts: [Int?] = []

    /// - Throws: `invalidValue` for text with a NUL, which PostgreSQL cannot store and C would cut short.
    mutating func encode(_ values: [(any PostgresEncodable)?]) throws {
        bytes.removeAll(keepingCapacity: true)
        starts.removeAll(keepingCapacity: true)
        for value in values {
            guard let value else {
                starts.append(nil)
                continue
            }
            let start = bytes.count
            value.appendText(to: &bytes)
            guard !bytes[start...].contains(0) else { throw DatabaseError.nulCharacter }
            bytes.append(0)
            starts.append(start)
        }
    }

    func withPointers<T>(_ body: (UnsafePointer<UnsafePointer<CChar>?>?, Int32) -> T) -> T {
        guard !starts.isEmpty else { return body(nil, 0) }
        return bytes.withUnsafeBytes { raw in
            let base = raw.bindMemory(to: CChar.self).baseAddress
            return withUnsafeTemporaryAllocation(of: UnsafePointer<CChar>?.self, capacity: starts.count) { pointers in
                for (index, start) in starts.enumerated() {
                    pointers.initializeElement(at: index, to: start.flatMap { start in base.map { $0 + start } })
                }
                return body(UnsafePointer(pointers.baseAddress), Int32(starts.count))
            }
        }
    }
}

extension DatabaseError {
    static let nulCharacter = DatabaseError(
        .invalidValue, "a text holds a NUL character, which the database cannot store; remove it")
}
