import CPostgres

/// The rows of a result, read where libpq put them: nothing is decoded before it is asked for.
package struct Rows: RandomAccessCollection {
    fileprivate let result: ResultHandle
    fileprivate let columns: Columns
    package let count: Int

    init(_ result: ResultHandle, statement: String) {
        self.result = result
        columns = Columns(result, statement)
        count = Int(PQntuples(result.pointer))
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { count }

    package subscript(position: Int) -> Row {
        precondition(position >= 0 && position < count, "row \(position) of \(count)")
        return Row(result: result, columns: columns, index: Int32(position))
    }

    /// The names of the columns, in order.
    package var columnNames: [String] { columns.names }

    /// The only row of a statement that yields exactly one.
    ///
    /// - Throws: ``DatabaseError`` of code `bug` for none or several.
    package func one() throws -> Row {
        guard count == 1 else {
            throw DatabaseError(
                .bug, "\(count) rows came where one was due",
                underlying: "statement: \(DatabaseError.abridged(columns.statement))")
        }
        return self[0]
    }
}

/// Names and types of a result's columns, shared by its rows.
private final class Columns {
    let names: [String]
    let types: [TypeID]
    let statement: String
    /// Only for a result so wide that comparing names one by one would cost more.
    private let indices: [String: Int]

    init(_ result: ResultHandle, _ statement: String) {
        let columns = 0..<PQnfields(result.pointer)
        names = columns.map { PQfname(result.pointer, $0).map { String(cString: $0) } ?? "" }
        types = columns.map { TypeID(PQftype(result.pointer, $0)) }
        indices =
            names.count <= Self.few
            ? [:] : Dictionary(names.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        self.statement = statement
    }

    private static let few = 16

    func index(of name: String) -> Int? {
        names.count <= Self.few ? names.firstIndex(of: name) : indices[name]
    }
}

/// One row of a result.
///
/// ```swift
/// let name: String = try row.get("name")
/// let site: String? = try row.get("site")
/// ```
package struct Row {
    fileprivate let result: ResultHandle
    fileprivate let columns: Columns
    fileprivate let index: Int32

    /// The value of a column; `nil` for NULL where `T` is optional.
    ///
    /// - Throws: ``DatabaseError`` of code `bug` for an unknown column, NULL in a type that is not optional, or a type
    ///   that `T` cannot be read from.
    package func get<T: PostgresDecodable>(_ column: String, as type: T.Type = T.self) throws -> T {
        guard let position = columns.index(of: column) else {
            throw failure(column, "is not in the result")
        }
        return try get(position)
    }

    /// The value of the column at a position; the first is 0.
    package func get<T: PostgresDecodable>(_ position: Int, as type: T.Type = T.self) throws -> T {
        guard position >= 0, position < columns.names.count else {
            throw failure("\(position)", "is not in the result")
        }
        let column = Int32(position)
        guard PQgetisnull(result.pointer, index, column) == 0 else {
            if let null = T.decodedNull { return null }
            throw failure(columns.names[position], "is NULL where \(T.self) is due")
        }
        let bytes = UnsafeRawBufferPointer(
            start: PQgetvalue(result.pointer, index, column), count: Int(PQgetlength(result.pointer, index, column)))
        do {
            return try withExtendedLifetime(result) {
                try T.decode(BinaryValue(bytes: bytes, type: columns.types[position]))
            }
        } catch let mismatch as ValueMismatch {
            throw failure(columns.names[position], mismatch.reason)
        }
    }

    package func isNull(_ column: String) throws -> Bool {
        guard let position = columns.index(of: column) else { throw failure(column, "is not in the result") }
        return PQgetisnull(result.pointer, index, Int32(position)) == 1
    }

    private func failure(_ column: String, _ reason: String) -> DatabaseError {
        DatabaseError(
            .bug, "the column \"\(column)\" of a result \(reason)",
            underlying: "statement: \(DatabaseError.abridged(columns.statement))")
    }
}
