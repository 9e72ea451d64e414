import CPostgres

/// Streams rows into a table with COPY, in text form: fields go straight into a byte buffer that is sent at 64 kB.
///
/// ```swift
/// let writer = try connection.copyIn("staging_vm", columns: ["key", "name", "mac"])
/// for vm in machines { try writer.write([vm.key, vm.name, vm.mac]) }
/// try writer.finish()
/// ```
///
/// Until `finish()` or `cancel()` the connection takes no statement. A writer that is dropped cancels.
package final class CopyWriter {
    private static let flushSize = 64 * 1024

    private let connection: Connection
    private let statement: String
    private let columns: Int
    private var text = CopyText()
    private let copy: CopyInProgress
    /// Whether this COPY is the one that the session is in: a connection can be given back before its writer.
    private var isOpen: Bool { connection.copyInProgress === copy }
    /// Complete rows so far.
    package private(set) var rows = 0

    init(_ connection: Connection, _ copy: CopyInProgress, statement: String, columns: Int) {
        self.connection = connection
        self.copy = copy
        self.statement = statement
        self.columns = columns
        text.bytes.reserveCapacity(Self.flushSize + 4096)
    }

    deinit { cancel() }

    /// Adds a whole row.
    package func write(_ row: [(any PostgresEncodable)?]) throws {
        try text.append(fields: row)
        try endRow()
    }

    /// Adds rows that are in the form of COPY already.
    package func write(_ rows: CopyText) throws {
        text.append(rows: rows)
        self.rows += rows.rows
        if text.bytes.count >= Self.flushSize { try flush() }
    }

    /// Adds a field to the current row; the fastest way in, for nothing is boxed.
    package func append(_ value: some PostgresEncodable) throws { try text.append(value) }

    package func append(_ value: (some PostgresEncodable)?) throws {
        if let value { try text.append(value) } else { text.appendNull() }
    }

    package func appendNull() { text.appendNull() }

    /// Ends the current row.
    package func endRow() throws {
        guard text.fields == columns else {
            throw DatabaseError(.bug, "a row of \(text.fields) fields was given to a COPY of \(columns) columns")
        }
        text.endRow()
        rows += 1
        if text.bytes.count >= Self.flushSize { try flush() }
    }

    /// Sends the rest and waits until the server has taken it.
    ///
    /// - Returns: the number of rows the server stored.
    @discardableResult
    package func finish() throws -> Int {
        guard text.fields == 0 else {
            cancel()
            throw DatabaseError(.bug, "a COPY ended within a row")
        }
        try flush()
        return try end(nil)
    }

    /// Stores none of the rows. An open transaction fails by it, as by any error.
    package func cancel() {
        guard isOpen else { return }
        _ = try? end("cancelled by the client")
    }

    private func flush() throws {
        guard isOpen, let handle = connection.handle else {
            throw DatabaseError(.bug, "a row was given to a COPY that has ended")
        }
        guard !text.bytes.isEmpty else { return }
        let sent = text.bytes.withUnsafeBytes { bytes in
            PQputCopyData(handle, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
        }
        text.removeAll()
        if sent != 1 {
            connection.copyInProgress = nil
            throw connection.lost(statement)
        }
    }

    private func end(_ reason: String?) throws -> Int {
        guard isOpen, let handle = connection.handle else {
            throw DatabaseError(.bug, "a COPY was ended twice")
        }
        connection.copyInProgress = nil
        let start = ContinuousClock.now
        guard PQputCopyEnd(handle, reason) == 1 else { throw connection.lost(statement) }
        var failure: (any Error)?
        var stored = 0
        while let pointer = PQgetResult(handle) {
            let result = ResultHandle(pointer)
            do {
                try connection.check(result, statement, since: start)
                stored = Int(String(cString: PQcmdTuples(pointer))) ?? 0
            } catch {
                failure = failure ?? error
            }
        }
        if let failure { throw failure }
        return stored
    }
}

/// One COPY of a session, told from the next by its identity.
final class CopyInProgress {
    let table: String

    init(table: String) {
        self.table = table
    }
}

extension Connection {
    /// Begins a COPY; the caller ends it with `finish()`.
    ///
    /// - Parameters:
    ///   - table: the table's name as it would be written in SQL: it may name a schema, and is not quoted.
    ///   - columns: in the order of the fields; these are quoted.
    package func copyIn(_ table: String, columns: [String]) throws -> CopyWriter {
        let list = columns.map(quoted(identifier:)).joined(separator: ", ")
        let statement = "COPY \(table) (\(list)) FROM STDIN"
        let start = ContinuousClock.now
        try check(ResultHandle(PQexec(try ready(), statement)), statement, since: start, copying: true)
        let copy = CopyInProgress(table: table)
        copyInProgress = copy
        return CopyWriter(self, copy, statement: statement, columns: columns.count)
    }

    /// Copies all rows, or none.
    package func copyIn(
        _ table: String, columns: [String], rows: some Sequence<[(any PostgresEncodable)?]>
    ) throws {
        try copyIn(table, columns: columns) { writer in for row in rows { try writer.write(row) } }
    }

    /// Copies all rows, or none.
    package func copyIn(_ table: String, columns: [String], text: CopyText) throws {
        try copyIn(table, columns: columns) { try $0.write(text) }
    }

    private func copyIn(_ table: String, columns: [String], _ write: (CopyWriter) throws -> Void) throws {
        let writer = try copyIn(table, columns: columns)
        do {
            try write(writer)
        } catch {
            writer.cancel()
            throw error
        }
        try writer.finish()
    }

    /// Ends a COPY whose writer is not at hand, so that the session can go on.
    func abandonCopy() {
        guard copyInProgress != nil, let handle else { return }
        copyInProgress = nil
        PQputCopyEnd(handle, "cancelled by the client")
        while let result = PQgetResult(handle) { PQclear(result) }
    }
}
