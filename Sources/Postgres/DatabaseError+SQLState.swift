import CPostgres

/// What a failed result tells about itself.
struct ServerReport {
    let sqlState: String
    let primary: String
    let constraint: String?
    let table: String?
    /// The server's function that raised the error: tells apart errors that share a SQLSTATE.
    let function: String?

    init(sqlState: String, primary: String, constraint: String? = nil, table: String? = nil, function: String? = nil) {
        self.sqlState = sqlState
        self.primary = primary
        self.constraint = constraint
        self.table = table
        self.function = function
    }

    /// `nil` if the result carries no SQLSTATE: then the connection failed, not the statement.
    init?(_ result: OpaquePointer) {
        func field(_ code: Int32) -> String? { PQresultErrorField(result, code).map { String(cString: $0) } }
        // The diagnostic codes are character macros, which Swift does not import.
        guard let sqlState = field(Int32(UInt8(ascii: "C"))) else { return nil }
        self.init(
            sqlState: sqlState, primary: field(Int32(UInt8(ascii: "M"))) ?? "",
            constraint: field(Int32(UInt8(ascii: "n"))), table: field(Int32(UInt8(ascii: "t"))),
            function: field(Int32(UInt8(ascii: "R"))))
    }

    /// A cached plan whose result columns changed under it, by a migration: preparing anew cures it.
    var isStalePlan: Bool { sqlState == "0A000" && function == "RevalidateCachedQuery" }
}

extension DatabaseError.Code {
    /// The one place that reads meaning into a SQLSTATE.
    init(sqlState: String) {
        switch sqlState {
        case "23502": self = .bug  // a NULL that our own statement should not have sent
        case "40001", "40P01": self = .retryable
        case "40002": self = .conflict
        case "40003": self = .unavailable
        case "25006": self = .readOnly
        case "25P03", "53300", "3D000": self = .unavailable
        case "57014": self = .canceled
        case "55P03": self = .timeout
        case "57P01", "57P02", "57P03", "57P04", "57P05": self = .unavailable
        case "3F000": self = .schema
        case "42501": self = .permission
        case "P0001": self = .conflict  // RAISE EXCEPTION in a trigger of ours
        default:
            switch sqlState.prefix(2) {
            case "08", "28", "58": self = .unavailable
            case "22": self = .invalidValue
            case "23": self = .conflict
            case "42": self = .schema
            case "53": self = .full
            default: self = .bug
            }
        }
    }
}

extension DatabaseError {
    /// See ``ServerReport/isStalePlan``.
    var isStalePlan: Bool { sqlState == "0A000" && code == .retryable }

    /// - Parameters:
    ///   - statement: the SQL text, which holds no values.
    ///   - timedOut: whether a cancellation (57014) came from a time limit.
    init(_ report: ServerReport, statement: String, timedOut: Bool) {
        var code = Code(sqlState: report.sqlState)
        if report.isStalePlan { code = .retryable }
        if code == .canceled, timedOut { code = .timeout }
        self.init(
            code, Self.sentence(code, report), sqlState: report.sqlState, constraint: report.constraint,
            underlying: "\(report.primary); statement: \(Self.abridged(statement))")
    }

    private static func sentence(_ code: Code, _ report: ServerReport) -> String {
        let table = report.table.map { " of table \($0)" } ?? ""
        switch code {
        case .conflict where report.sqlState == "P0001":
            return "the database refused the change: \(report.primary)"
        case .conflict:
            return report.constraint.map { "the change clashes with the rule \"\($0)\"\(table) in the database" }
                ?? "the change clashes with a rule\(table) in the database"
        case .retryable:
            return report.isStalePlan
                ? "the database's schema changed during the transaction; run it again"
                : "the transaction collided with another one; run it again"
        case .unavailable:
            return "the database ended the connection: \(report.primary)"
        case .readOnly:
            return "the database is read-only (a standby, or made so); connect to the primary"
        case .full:
            return "the database server is short of a resource: \(report.primary)"
        case .canceled:
            return "the statement was cancelled on request"
        case .timeout where report.sqlState == "55P03":
            return "a lock in the database was not free in time; try again"
        case .timeout:
            return "the database needed longer for a statement than allowed; try again"
        case .permission:
            return "the database role lacks a right: \(report.primary)\(grant(report.primary))"
        case .schema:
            return "the database's schema is not what this wireloom expects: \(report.primary)"
        case .invalidValue:
            // The server's own sentence quotes the value, so it is left to debugDescription.
            return "the database cannot hold a value that was given (\(report.sqlState))"
        case .newerSchema, .tooOld, .encoding, .bug:
            return "the database refused a statement (\(report.sqlState)), which is a mistake in wireloom"
        }
    }

    /// The statement that gives a right that is lacking, as far as the server's words tell it.
    private static func grant(_ primary: String) -> String {
        guard
            let match = primary.wholeMatch(
                of: #/permission denied for (database|schema|table|sequence|function) (\S+)/#)
        else { return "" }
        return "; whoever may give it can: GRANT ALL ON \(match.1.uppercased()) \(match.2) TO ROLE"
    }

    /// A statement in one line of at most 200 characters.
    static func abridged(_ statement: String) -> String {
        let line = statement.split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return line.count <= 200 ? line : line.prefix(200) + "…"
    }
}
