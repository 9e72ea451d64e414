internal import Addressing
internal import IPAM
internal import Postgres
internal import Yams

extension NetworkFile {
    /// 8 MiB: tens of thousands of subnets.
    package static let largest = 8 << 20

    /// Reads YAML strictly: unknown keys, wrong types and bad values are told with their places, all at once.
    ///
    /// - Throws: ``NetworkFileError``.
    package init(yaml text: String) throws {
        try self.init(reading: text)
        if !problems.isEmpty { throw NetworkFileError(problems) }
    }

    /// The same, with what is wrong as ``problems``.
    ///
    /// - Throws: ``NetworkFileError`` for what is no YAML.
    package init(reading text: String) throws {
        self.init()
        guard text.utf8.count <= Self.largest else {
            throw NetworkFileError(nil, "the file is larger than \(Self.largest >> 20) MiB; divide it")
        }
        try Self.refuseAliasBombs(text)
        let parser: Parser
        let root: Node?
        do {
            // Without a resolver every scalar stays the text that was written: no `no` that is a boolean, no
            // address that is a sexagesimal number.
            parser = try Parser(yaml: text, resolver: .basic)
            root = try parser.singleRoot()
        } catch let error as YamlError {
            throw NetworkFileError(error)
        }
        // A node knows its anchor only while the parser lives.
        defer { withExtendedLifetime(parser) {} }
        guard let root else { throw NetworkFileError(nil, "the file is empty; see: wireloom export") }
        let reader = NodeReader()
        if let top = reader.mapping(root, "the file", ["version", "wires", "subnets", "links"]) {
            if let version = top["version"], reader.integer(version, "version") != 1 {
                reader.report(version, "this wireloom reads version 1")
            }
            wires = top["wires"].flatMap { reader.list($0, "wires", reader.wire) }
            subnets = top["subnets"].flatMap { reader.list($0, "subnets", reader.subnet) }
            links = top["links"].flatMap { reader.list($0, "links", reader.link) }
            reader.unique(wires ?? [], "wire", by: \.name, at: \.position)
            reader.unique(subnets ?? [], "subnet", by: \.name, at: \.position)
        }
        problems = reader.problems
    }

    /// Names for parts of a file could be nested until a short file is endless; a few are harmless, and refused where
    /// they are read.
    private static func refuseAliasBombs(_ text: String) throws {
        guard text.utf8.contains(UInt8(ascii: "&")), text.utf8.count(where: { $0 == UInt8(ascii: "*") }) > 20 else {
            return
        }
        let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
        // What stands in quotes or after # is no alias. Only what lies on one line and cannot be misread is left out, as
        // an export has it; with any other quote in the file, every asterisk counts.
        let bare = lines.map(withoutTexts)
        let suspects = bare.contains(nil) ? lines.map(String.init) : bare.compactMap { $0 }
        var aliases = 0
        for (index, line) in suspects.enumerated() {
            aliases += line.matches(of: #/(?:^|[\s\[{,:?-])\*\S/#).count
            if aliases > 20 {
                throw NetworkFileError(
                    Position(line: index + 1, column: 1), "there are more than 20 aliases (*name); write things out")
            }
        }
    }

    /// A line without comment and without the texts in quotes that are the value of a key or stand in a flow; `nil` where
    /// there is a quote besides those.
    private static func withoutTexts(_ line: Substring) -> String? {
        if line.drop(while: { $0 == " " }).first == "#" { return "" }
        let text = #/((?:: |[\[{,]) *)(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')/#
        let rest = line.replacing(text) { $0.1 }
        return rest.contains(where: { $0 == "\"" || $0 == "'" }) ? nil : String(rest)
    }
}

extension NetworkFileError {
    /// What the YAML parser says, without the file's text.
    fileprivate init(_ error: YamlError) {
        func place(_ mark: Mark) -> NetworkFile.Position { .init(line: mark.line, column: mark.column) }
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            self.init(place(mark), "not YAML: \(problem)")
        case .reader(let problem, let offset, _, _):
            self.init(nil, "not YAML: \(problem)" + (offset.map { " at byte \($0)" } ?? ""))
        case .duplicatedKeysInMapping(let duplicates, let context):
            self.init(
                place(context.mark),
                "the key \(duplicates.map { "\"\($0.prefix(60))\"" }.joined(separator: ", ")) is given twice")
        default:
            self.init(nil, "the file cannot be read as YAML")
        }
    }
}

/// Reads values out of composed YAML, and keeps what is wrong.
final class NodeReader {
    private(set) var problems: [NetworkFileError.Problem] = []

    func report(_ node: Node, _ sentence: String) { report(position(node), sentence) }

    func report(_ position: NetworkFile.Position, _ sentence: String) {
        problems.append(.init(position: position, sentence: sentence))
    }

    func position(_ node: Node) -> NetworkFile.Position {
        .init(line: node.mark?.line ?? 1, column: node.mark?.column ?? 1)
    }

    /// The values by key; `nil` if it is none. Unknown keys are told, and what is left of them.
    func mapping(_ node: Node, _ what: String, _ known: [String]) -> [String: Node]? {
        guard isPlain(node) else { return nil }
        guard case .mapping(let mapping) = node else {
            report(node, "\(what) must be a mapping, with the keys \(known.joined(separator: ", "))")
            return nil
        }
        var values: [String: Node] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string, known.contains(name) else {
                let given = key.scalar.map { "\"\($0.string.prefix(60))\"" } ?? "of this kind"
                report(key, "\(what) has no key \(given); it has: \(known.joined(separator: ", "))")
                continue
            }
            values[name] = value
        }
        return values
    }

    /// `nil` for null, which is no list at all.
    func list<Entry>(_ node: Node, _ what: String, _ read: (Node) -> Entry?) -> [Entry]? {
        guard isPlain(node), !isNull(node) else { return nil }
        guard case .sequence(let sequence) = node else {
            report(node, "\(what) must be a list")
            return nil
        }
        var entries: [Entry] = []
        for element in sequence {
            if problems.count > NetworkFileError.most { break }
            if let entry = read(element) { entries.append(entry) }
        }
        return entries
    }

    func unique<Entry>(
        _ entries: [Entry], _ what: String, by name: (Entry) -> String, at position: (Entry) -> NetworkFile.Position
    ) {
        var first: [String: NetworkFile.Position] = [:]
        for entry in entries {
            if let earlier = first[name(entry)] {
                report(
                    position(entry), "there is a \(what) \"\(name(entry))\" in line \(earlier.line) already")
            } else {
                first[name(entry)] = position(entry)
            }
        }
    }

    /// Written out, not named for elsewhere.
    private func isPlain(_ node: Node) -> Bool {
        guard node.anchor == nil else {
            report(node, "anchors and aliases (&name, *name) are not read; write it out")
            return false
        }
        return true
    }

    func isNull(_ node: Node) -> Bool {
        guard case .scalar(let scalar) = node, scalar.style == .plain else { return false }
        return ["", "~", "null", "Null", "NULL"].contains(scalar.string)
    }

    /// The text of a scalar, whatever it looks like.
    func written(_ node: Node, _ what: String) -> String? {
        guard isPlain(node) else { return nil }
        guard case .scalar(let scalar) = node, !isNull(node) else {
            report(node, "\(what) must be a text")
            return nil
        }
        return scalar.string
    }

    private static let words: Set<String> = ["true", "false", "yes", "no", "on", "off"]

    /// A text that no reader of YAML takes for a number or a truth value.
    func text(_ node: Node, _ what: String, check: (String) throws -> Void = { _ in }) -> String? {
        guard let text = written(node, what) else { return nil }
        if node.scalar?.style == .plain,
            Self.words.contains(text.lowercased()) || YAMLText.isNumber(text)
        {
            report(node, "\(what) \(text) is not a text; put it in quotes: \"\(text)\"")
            return nil
        }
        return valid(node) {
            try check(text)
            return text
        }
    }

    func integer(_ node: Node, _ what: String) -> Int? {
        guard isPlain(node) else { return nil }
        guard case .scalar(let scalar) = node, scalar.style == .plain,
            let match = scalar.string.wholeMatch(of: #/-?(0|[1-9][0-9]{0,17})/#), let number = Int(match.0)
        else {
            report(node, "\(what) must be a whole number")
            return nil
        }
        return number
    }

    func vlan(_ node: Node) -> VLANID? {
        guard let number = integer(node, "the VLAN id") else { return nil }
        guard let vlan = VLANID(number) else {
            report(node, "\(number) is no VLAN id of a subnet; it is a number from 1 to 4094")
            return nil
        }
        return vlan
    }

    func choice<Choice: RawRepresentable & CaseIterable>(_ node: Node, _ what: String) -> Choice?
    where Choice.RawValue == String {
        guard let text = written(node, what) else { return nil }
        guard let choice = Choice(rawValue: text) else {
            let all = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            report(node, "\(what) \"\(text.prefix(60))\" is none of: \(all)")
            return nil
        }
        return choice
    }

    func value<Value>(_ node: Node, _ what: String, _ parse: (String) throws -> Value) -> Value? {
        guard let text = written(node, what) else { return nil }
        return valid(node) { try parse(text) }
    }

    /// `.some(nil)` for null.
    func optional<Value>(_ node: Node?, _ read: (Node) -> Value?) -> Value?? {
        guard let node else { return nil }
        return isNull(node) ? .some(nil) : read(node).map { .some($0) }
    }

    func required<Value>(_ fields: [String: Node], _ key: String, of node: Node, _ read: (Node) -> Value?) -> Value? {
        guard let value = fields[key] else {
            report(node, "the key \(key) is missing")
            return nil
        }
        return read(value)
    }

    private func valid<Value>(_ node: Node, _ body: () throws -> Value) -> Value? {
        do {
            return try body()
        } catch {
            report(node, "\(error)")
            return nil
        }
    }
}
