internal import Addressing
internal import IPAM
internal import Postgres

extension NetworkState {
    /// The network as YAML that ``NetworkFile/init(yaml:)`` reads back as the same; every field is written, what there is
    /// none of as null.
    package var yaml: String {
        var lines = [
            "# The network as Wireloom's people keep it. What a sync found and nobody confirmed is not here.",
            "# Make it so:      wireloom apply -f FILE",
            "# See the plan:    wireloom apply -f FILE --dry-run",
            "# What this file leaves out stays as it is, unless it is applied with --prune.",
            "version: 1",
            "",
            "# Wires: layer-2 networks, shared by all accounts. Accounts of another site are not linked to one by a sync.",
        ]
        lines += list("wires", wires) { wire in
            [("name", YAMLText.scalar(wire.name)), ("site", YAMLText.scalar(wire.site))].map { "\($0): \($1)" }
        }
        lines += [
            "",
            "# Subnets of the wires, each in a VLAN (1 to 4094).",
            "# pools:        what may be allocated, for guests or hosts; one let go of is given to nobody for its quarantine.",
            "# reservations: what only its owner may be given, by name; also outside of the pools.",
        ]
        lines += list("subnets", subnets, self.subnet)
        lines += [
            "",
            "# Links: the wire of a switch, said by a person; with a host, of its part there, or of that host's switch.",
            "# native_vlan: the VLAN of untagged port groups.",
        ]
        lines += list("links", links) { link in
            let call = switches.call(link.key)
            return ["# \(YAMLText.comment(call.title))", "account: \(YAMLText.scalar(call.account))"]
                + ["switch: \(YAMLText.scalar(call.switch))"]
                + (call.host.map { ["host: \(YAMLText.scalar($0))"] } ?? [])
                + ["wire: \(YAMLText.scalar(link.wire))", "native_vlan: \(link.native)"]
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func subnet(_ subnet: Subnet) -> [String] {
        var lines = [
            "name: \(YAMLText.scalar(subnet.name))", "wire: \(YAMLText.scalar(subnet.wire))",
            "cidr: \(YAMLText.scalar(subnet.cidr.description))", "vlan: \(subnet.vlan)",
            "gateway: \(YAMLText.scalar(subnet.gateway?.description))",
            "dns: [\(subnet.dns.map { YAMLText.scalar($0.description) }.joined(separator: ", "))]",
            "dns_suffix: \(YAMLText.scalar(subnet.dnsSuffix))", "description: \(YAMLText.scalar(subnet.description))",
        ]
        lines += list("pools", subnet.pools) { pool in
            [
                "range: \(YAMLText.scalar(pool.range.description))", "role: \(pool.role.rawValue)",
                "policy: \(pool.policy.rawValue)", "quarantine: \(Span.text(pool.quarantine))",
            ]
        }
        lines += list("reservations", subnet.reservations) { reservation in
            [
                "range: \(YAMLText.scalar(reservation.range.description))",
                "owner: \(YAMLText.scalar(reservation.owner))", "note: \(YAMLText.scalar(reservation.note))",
                "expires: \(YAMLText.scalar(reservation.expires?.description))",
            ]
        }
        return lines
    }

    /// A key and its list; a comment that an element begins with stands above its dash.
    private func list<Element>(_ key: String, _ elements: [Element], _ fields: (Element) -> [String]) -> [String] {
        guard !elements.isEmpty else { return ["\(key): []"] }
        return ["\(key):"]
            + elements.flatMap { element in
                let lines = fields(element)
                let comments = lines.prefix { $0.hasPrefix("#") }
                return comments.map { "  \($0)" }
                    + lines.dropFirst(comments.count).enumerated().map { ($0 == 0 ? "  - " : "    ") + $1 }
            }
    }
}

/// Text as YAML writes it.
enum YAMLText {
    private static let reserved: Set<String> = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"]

    /// As it is where nothing could read it otherwise, else in double quotes.
    static func scalar(_ text: String?) -> String {
        guard let text else { return "null" }
        func isLetter(_ byte: UInt8) -> Bool { (65...90).contains(byte) || (97...122).contains(byte) }
        func isDigit(_ byte: UInt8) -> Bool { (48...57).contains(byte) }
        let isPlain =
            text.utf8.allSatisfy { isLetter($0) || isDigit($0) || "_./-".utf8.contains($0) }
            && (text.utf8.first.map { isLetter($0) || isDigit($0) } ?? false)
            // A number, or what some reader takes for one.
            && (text.utf8.contains(where: isLetter) || text.utf8.count { $0 == 46 } >= 3)
            && !isNumber(text) && !reserved.contains(text.lowercased())
        return isPlain ? text : quoted(text)
    }

    /// Whether some reader takes it for a number, which may have underscores between its digits.
    static func isNumber(_ text: String) -> Bool { Double(text.replacing("_", with: "")) != nil }

    private static func quoted(_ text: String) -> String {
        var line = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": line += "\\\""
            case "\\": line += "\\\\"
            case "\n": line += "\\n"
            case "\t": line += "\\t"
            default:
                if isPrintable(scalar) {
                    line.unicodeScalars.append(scalar)
                } else {
                    let digits = String(scalar.value, radix: 16, uppercase: true)
                    line += "\\U" + String(repeating: "0", count: 8 - digits.count) + digits
                }
            }
        }
        return line + "\""
    }

    /// One line of printable text.
    static func comment(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.filter(isPrintable)))
    }

    private static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .unassigned, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate: false
        default: true
        }
    }
}
