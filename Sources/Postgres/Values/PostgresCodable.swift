/// A value that can be a parameter of a statement or a field of a COPY row: it travels as PostgreSQL's text form.
///
/// Optionals do not conform: an absent value is `nil` of `(any PostgresEncodable)?`, so that NULL is never boxed.
package protocol PostgresEncodable: PostgresArrayElement {
    /// Appends the text form, without quoting or escaping: the place it is put adds that.
    func appendText(to buffer: inout [UInt8])
    /// Appends an array of the type; here for `UInt8`, whose arrays are `bytea`.
    static func appendArray(_ values: [Self], to buffer: inout [UInt8])
}

/// What may stand in an array: every encodable value, and an optional one.
package protocol PostgresArrayElement {
    /// Appends the element, quoted where an array literal needs it.
    func appendElement(to buffer: inout [UInt8])
    static func appendArrayText(_ values: [Self], to buffer: inout [UInt8])
}

/// A value that can be read from a binary result.
package protocol PostgresDecodable {
    /// - Throws: ``ValueMismatch``, to which the row adds the column's name.
    static func decode(_ value: BinaryValue) throws -> Self
    /// What NULL reads as; `nil` where NULL is an error.
    static var decodedNull: Self? { get }
    /// Reads an array of the type; here for `UInt8`, whose arrays are `bytea`.
    static func decodeArray(_ value: BinaryValue) throws -> [Self]
}

package typealias PostgresCodable = PostgresEncodable & PostgresDecodable

/// Makes a raw-representable type (an enum of strings, an id around a number) a value, as its raw value.
///
/// ```swift
/// enum JobState: String, PostgresRawRepresentable { case queued, running }
/// ```
package protocol PostgresRawRepresentable: RawRepresentable, PostgresEncodable, PostgresDecodable
where RawValue: PostgresEncodable & PostgresDecodable {}

extension PostgresRawRepresentable {
    package func appendText(to buffer: inout [UInt8]) { rawValue.appendText(to: &buffer) }

    package static func decode(_ value: BinaryValue) throws -> Self {
        let raw = try RawValue.decode(value)
        guard let decoded = Self(rawValue: raw) else { throw ValueMismatch("holds a value that is no \(Self.self)") }
        return decoded
    }
}

/// One non-NULL field of a result, in PostgreSQL's binary form; valid during the call that receives it.
package struct BinaryValue {
    package let bytes: UnsafeRawBufferPointer
    package let type: TypeID

    /// The big-endian integer of `T`'s width at `offset`. - Precondition: it lies in `bytes`.
    func integer<T: FixedWidthInteger>(at offset: Int = 0, as type: T.Type = T.self) -> T {
        T(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: T.self))
    }

    /// - Throws: ``ValueMismatch`` unless the field is of type `expected` and of that many bytes.
    func expect(_ expected: TypeID, bytes count: Int? = nil, for target: Any.Type) throws {
        guard type == expected, count.map({ $0 == bytes.count }) ?? true else { throw mismatch(target) }
    }

    package func mismatch(_ target: Any.Type) -> ValueMismatch {
        ValueMismatch("is of type \(type), which cannot be read as \(target)")
    }
}

/// Why a field cannot be read as a type: the end of a sentence that begins with the column's name.
package struct ValueMismatch: Error, Sendable {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}

/// The OID of a type; the built-in ones never change.
package struct TypeID: Hashable, Sendable, CustomStringConvertible {
    let oid: UInt32

    init(_ oid: UInt32) {
        self.oid = oid
    }

    static let bool = TypeID(16)
    static let bytea = TypeID(17)
    static let char = TypeID(18)
    static let name = TypeID(19)
    static let int8 = TypeID(20)
    static let int2 = TypeID(21)
    static let int4 = TypeID(23)
    static let text = TypeID(25)
    static let oid = TypeID(26)
    static let json = TypeID(114)
    static let cidr = TypeID(650)
    static let float4 = TypeID(700)
    static let float8 = TypeID(701)
    static let unknown = TypeID(705)
    static let macaddr = TypeID(829)
    static let inet = TypeID(869)
    static let bpchar = TypeID(1042)
    static let varchar = TypeID(1043)
    static let timestamptz = TypeID(1184)
    static let interval = TypeID(1186)
    static let numeric = TypeID(1700)
    static let uuid = TypeID(2950)
    static let jsonb = TypeID(3802)

    /// Enums and other types made by CREATE TYPE or an extension.
    var isUserDefined: Bool { oid >= 16384 }

    package var description: String {
        switch self {
        case .bool: "boolean"
        case .bytea: "bytea"
        case .int2: "smallint"
        case .int4: "integer"
        case .int8: "bigint"
        case .text: "text"
        case .json: "json"
        case .jsonb: "jsonb"
        case .cidr: "cidr"
        case .inet: "inet"
        case .macaddr: "macaddr"
        case .float8: "double precision"
        case .timestamptz: "timestamptz"
        case .interval: "interval"
        case .numeric: "numeric"
        case .uuid: "uuid"
        default: "number \(oid)"
        }
    }
}

extension PostgresDecodable {
    package static var decodedNull: Self? { nil }
    package static func decodeArray(_ value: BinaryValue) throws -> [Self] { try ArrayForm.decode(value) }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    package static func decode(_ value: BinaryValue) throws -> Wrapped? { try Wrapped.decode(value) }
    package static var decodedNull: Wrapped?? { .some(nil) }
}
