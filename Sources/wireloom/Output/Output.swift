import ArgumentParser
import Controller
import Foundation
import Yams

enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case table, json, yaml, csv
}

struct OutputOptions: ParsableArguments {
    @Option(name: .shortAndLong, help: "table, json, yaml or csv.")
    var output: OutputFormat = .table
}

/// Writes a listing to standard output.
enum Output {
    /// - Parameter fields: those that a header in csv has beside what the rows have.
    static func write(
        _ rows: [JSONValue], of listing: Listing, as format: OutputFormat, fields: [String] = []
    ) throws {
        switch format {
        case .json: print(try json(rows))
        case .yaml: print(try yaml(rows), terminator: "")
        case .csv: csv(rows, fields: fields)
        case .table: Table(listing.columns, rows).write()
        }
    }

    static func yaml(_ value: some Encodable) throws -> String {
        let encoder = YAMLEncoder()
        encoder.options.sortKeys = true
        return try encoder.encode(value)
    }

    static func json(_ value: some Encodable) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(value), as: UTF8.self)
    }

    /// RFC 4180; nested values as JSON. The columns are the fields in alphabetical order.
    static func csv(_ rows: [JSONValue], fields: [String] = []) {
        var names = Set(fields)
        for case .object(let fields) in rows { names.formUnion(fields.keys) }
        let columns = names.sorted()
        print(columns.map(field).joined(separator: ","))
        for row in rows {
            print(columns.map { field(cell(row[$0])) }.joined(separator: ","))
        }
    }

    private static func cell(_ value: JSONValue) -> String {
        switch value {
        case .array, .object:
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return (try? encoder.encode(value)).map { String(decoding: $0, as: UTF8.self) } ?? ""
        case .bool(let value): return value ? "true" : "false"
        default: return value.text ?? ""
        }
    }

    private static func field(_ text: String) -> String {
        guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
        return "\"" + text.replacing("\"", with: "\"\"") + "\""
    }

    /// Standard error, a line.
    static func note(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }

    /// Text for a person, wrapped to the terminal line by line, each further line indented; commands to copy stay whole.
    static func say(_ text: String) {
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            let indent = String(line.prefix { $0 == " " })
            let words = line.dropFirst(indent.count)
            guard line.count > width, !words.hasPrefix("$ ") else {
                print(line)
                continue
            }
            for (index, part) in wrap(String(words), width: width - indent.count - 2).enumerated() {
                print(indent + (index == 0 ? "" : "  ") + part)
            }
        }
    }

    /// How many lines the terminal on standard error has; `nil` where that is none.
    static var height: Int? {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_row > 0 else { return nil }
        return Int(size.ws_row)
    }

    /// The width to write for: the terminal's, else 80 columns.
    static var width: Int {
        var size = winsize()
        if isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 20 {
            return Int(size.ws_col)
        }
        return ProcessInfo.processInfo.environment["COLUMNS"].flatMap { Int($0) } ?? 80
    }
}
