import ArgumentParser
import Controller
import Inventory
import Postgres

/// Writes a listing; an empty one is an empty table.
///
/// - Parameter account: the one that is asked about; that there is none of that name is told, where nothing is found of it.
func listing(
    _ listing: Listing, _ filters: [(any PostgresEncodable)?], _ options: GlobalOptions, _ format: OutputOptions,
    account: String? = nil
) throws {
    try Runtime.with(options) { runtime in
        let rows = try runtime.database.withConnection { connection in
            let rows = try listing.rows(filters, in: connection)
            if rows.isEmpty { try account.map { _ = try AccountTable.named($0, in: connection) } }
            return rows
        }
        try runtime.write(rows, of: listing, as: format.output)
    }
}

/// Writes all fields of the one thing of a name; several are refused with their ids.
func show(
    _ listing: Listing, _ filters: [(any PostgresEncodable)?], _ kind: String, _ name: String,
    _ options: GlobalOptions, _ format: OutputOptions, account: String? = nil
) throws {
    try Runtime.with(options) { runtime in
        let rows = try runtime.database.withConnection { connection in
            let rows = try listing.rows(filters, in: connection)
            if rows.isEmpty { try account.map { _ = try AccountTable.named($0, in: connection) } }
            return rows
        }
        let noun = ["vm": "VM", "portgroup": "port group"][kind] ?? kind
        guard let row = rows.first else {
            throw Failure("there is no \(noun) \"\(name)\"; see: wireloom \(kind) list", status: 65)
        }
        guard rows.count == 1 else {
            let candidates = rows.prefix(8).map { row in
                [row["id"].text, row["account"].text, row["host"].text ?? row["switch"].text].compactMap { $0 }
                    .joined(separator: " ")
            }
            throw Failure(
                "\"\(name)\" fits \(rows.count) \(noun == "switch" ? "switches" : "\(noun)s"); give an id, or --account: "
                    + candidates.joined(separator: "; "), status: 65)
        }
        guard format.output == .table else { return try Output.write(rows, of: listing, as: format.output) }
        write(row, indent: "")
    }
}

private func write(_ value: JSONValue, indent: String) {
    guard case .object(let fields) = value else { return print(indent + (value.text ?? "-")) }
    let width = fields.keys.map(\.count).max() ?? 0
    for (key, field) in fields.sorted(by: { $0.key < $1.key }) {
        let label = indent + key + String(repeating: " ", count: width - key.count + 2)
        switch field {
        case .array(let values) where values.contains { if case .object = $0 { true } else { false } }:
            print(label.trimmingTrailing())
            for value in values {
                print(indent + "  -")
                write(value, indent: indent + "    ")
            }
        case .array(let values):
            print(label + (values.isEmpty ? "-" : values.compactMap(\.text).joined(separator: ", ")))
        case .object:
            print(label.trimmingTrailing())
            write(field, indent: indent + "    ")
        default:
            let lines = (field.text ?? "-").split(separator: "\n", omittingEmptySubsequences: false)
            print(label + lines.joined(separator: "\n" + String(repeating: " ", count: label.count)))
        }
    }
}

extension String {
    fileprivate func trimmingTrailing() -> String {
        String(reversed().drop { $0 == " " }.reversed())
    }
}

struct AccountFilter: ParsableArguments {
    @Option(help: "Only of this account.") var account: String?
}

struct HostCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "host", abstract: "ESXi hosts and their addresses.", subcommands: [List.self, Show.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the hosts.", discussion: "  wireloom host list --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        func run() throws { try listing(.hosts, [filter.account, nil], options, format, account: filter.account) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one host, by name, id or UUID.", discussion: "  wireloom host show esx-1.example.com")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        @Argument(help: "A host's name, id or UUID.") var name: String
        func run() throws {
            try show(.hosts, [filter.account, name], "host", name, options, format, account: filter.account)
        }
    }
}

struct SwitchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "switch", abstract: "Standard and distributed switches and their wires.",
        subcommands: [List.self, Show.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the switches.", discussion: "  wireloom switch list --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        func run() throws { try listing(.switches, [filter.account, nil], options, format, account: filter.account) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one switch, by name or id.", discussion: "  wireloom switch show dvs-core --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        @Argument(help: "A switch's name or id.") var name: String
        func run() throws {
            try show(.switches, [filter.account, name], "switch", name, options, format, account: filter.account)
        }
    }
}

struct PortGroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "portgroup", abstract: "Port groups and their VLANs.", subcommands: [List.self, Show.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the port groups.", discussion: "  wireloom portgroup list --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        func run() throws { try listing(.portGroups, [filter.account, nil], options, format, account: filter.account) }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one port group, by name or id.",
            discussion: "  wireloom portgroup show servers --account paris")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        @Argument(help: "A port group's name or id.") var name: String
        func run() throws {
            try show(.portGroups, [filter.account, name], "portgroup", name, options, format, account: filter.account)
        }
    }
}

struct VMCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vm", abstract: "Virtual machines and where their addresses belong.",
        subcommands: [List.self, Show.self, Create.self, Delete.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the VMs.",
            discussion: """
                With --unplaced: what belongs nowhere yet, why, and the command that mends it.

                  wireloom vm list --account paris
                  wireloom vm list --unplaced
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        @Flag(help: "Only VMs with addresses that belong to no subnet.") var unplaced = false

        func run() throws {
            guard unplaced, format.output == .table else {
                return try listing(
                    .virtualMachines, [filter.account, nil, unplaced], options, format, account: filter.account)
            }
            try Runtime.with(options) { runtime in
                let rows = try runtime.database.withConnection { connection in
                    try filter.account.map { _ = try AccountTable.named($0, in: connection) }
                    return try Listing.unplaced.rows([filter.account, nil], in: connection)
                }
                Self.writeGrouped(rows)
            }
        }

        /// By reason: each address with its sentence, and the commands once.
        static func writeGrouped(_ rows: [JSONValue]) {
            let groups = Dictionary(grouping: rows) { $0["reason"].text ?? "" }
            for (reason, members) in groups.sorted(by: { $0.key < $1.key }) {
                print("\(reason) (\(members.count))")
                for row in members {
                    print("  \(row["account"].text ?? "")  \(row["name"].text ?? "")  \(row["ip"].text ?? "")")
                    for line in wrap(row["message"].text ?? "", width: Output.width - 6) { print("      \(line)") }
                    for fix in (row["fix"].text ?? "").split(separator: "\n") { print("      $ \(fix)") }
                }
            }
            if rows.isEmpty { print("every address belongs to a subnet") }
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one VM, by name, id or UUID.", discussion: "  wireloom vm show web-1 -o yaml")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        @Argument(help: "A VM's name, id or UUID.") var name: String
        func run() throws {
            try show(
                .virtualMachines, [filter.account, name, nil], "vm", name, options, format, account: filter.account)
        }
    }
}

/// Words of a sentence in lines of at most `width` characters.
func wrap(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ") {
        if let last = lines.last, last.count + 1 + word.count <= width {
            lines[lines.count - 1] += " " + word
        } else {
            lines.append(String(word))
        }
    }
    return lines
}
