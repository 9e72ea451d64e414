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
    private var buffer: [UInt8] = []
    /// Fields of the current row so far.
    private var fields = 0
    private var isOpen = true
    /// Complete rows so far.
    package private(set) var rows = 0

    init(_ connection: Connection, statement: String, columns: Int) {
        self.connection = connection
        self.statement = statement
        self.columns = columns
        buffer.reserveCapacity(Self.flushSize + 4096)
    }

    deinit { cancel() }

    /// Adds a whole row.
    package func write(_ row: [(any PostgresEncodable)?]) throws {
        for field in row {
            if let field { try append(field) } else { appendNull() }
        }
        try endRow()
    }

    /// Adds a field to the current row; the fastest way in, for nothing is boxed.
    package func append(_ value: some PostgresEncodable) throws {
        separate()
        let start = buffer.count
        value.appendText(to: &buffer)
        try escape(from: start)
    }

    package func append(_ value: (some PostgresEncodable)?) throws {
        if let value { try append(value) } else { appendNull() }
    }

    package func appendNull() {
        separate()
        buffer.append(UInt8(ascii: "\\"))
        buffer.append(UInt8(ascii: "N"))
    }

    /// Ends the current row.
    package func endRow() throws {
        guard fields == columns else {
            throw DatabaseError(.bug, "a row of \(fields) fields was given to a COPY of \(columns) columns")
        }
        buffer.append(UInt8(ascii: "\n"))
        fields = 0
        rows += 1
        if buffer.count >= Self.flushSize { try flush() }
    }

    /// Sends the rest and waits until the server has taken it.
    ///
    /// - Returns: the number of rows the server stored.
    @discardableResult
    package func finish() throws -> Int {
        guard fields == 0 else {
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

    private func separate() {
        if fields > 0 { buffer.append(UInt8(ascii: "\t")) }
        fields += 1
    }

    private func flush() throws {
        guard isOpen, let handle = connection.handle else {
            throw DatabaseError(.bug, "a row was given to a COPY that has ended")
        }
        guard !buffer.isEmpty else { return }
        let sent = buffer.withUnsafeBytes { bytes in
            PQputCopyData(handle, bytes.bindMemory(to: CChar.self).baseAddress, Int32(bytes.count))
        }
        buffer.removeAll(keepingCapacity: true)
        if sent != 1 {
            isOpen = false
            connection.copyInProgress = nil
            throw connection.lost(statement)
        }
    }

    private func end(_ reason: String?) throws -> Int {
        guard isOpen, let handle = connection.handle else {
            throw DatabaseError(.bug, "a COPY was ended twice")
        }
        isOpen = false
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

    /// Escapes what the last field holds of COPY's own characters; most fields hold none.
    private func escape(from start: Int) throws {
        var special = 0
        for byte in buffer[start...] {
            if byte == 0 { throw DatabaseError.nulCharacter }
            if Self.escaped(byte) != nil { special += 1 }
        }
        guard special > 0 else { return }
        let field = Array(buffer[start...])
        buffer.removeSubrange(start...)
        for byte in field {
            if let escaped = Self.escaped(byte) {
                buffer.append(UInt8(ascii: "\\"))
                buffer.append(escaped)
            } else {
                buffer.append(byte)
            }
        }
    }

    private static func escaped(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\\"): byte
        case UInt8(ascii: "\n"): UInt8(ascii: "n")
        case UInt8(ascii: "\r"): UInt8(ascii: "r")
        case UInt8(ascii: "\t"): UInt8(ascii: "t")
        default: nil
        }
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
        copyInProgress = table
        return CopyWriter(self, statement: statement, columns: columns.count)
    }

    /// Copies all rows, or none.
    package func copyIn(
        _ table: String, columns: [String], rows: some Sequence<[(any PostgresEncodable)?]>
    ) throws {
        let writer = try copyIn(table, columns: columns)
        do {
            for row in rows { try writer.write(row) }
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
