internal import Inventory

/// What a person may call an account, a site, a wire or a subnet.
package enum Name {
    /// Printable text of 1 to 100 characters, without surrounding spaces, that does not look like an option; of what a
    /// command takes by name or id, not like an id either.
    ///
    /// - Throws: ``InventoryError`` with code `invalid`.
    package static func check(_ name: String, of kind: String) throws {
        let problem: String? =
            if name.isEmpty { "is empty" } else if name.count > 100 {
                "is longer than 100 characters"
            } else if name
                .unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            { "has a control character" } else if name.first == " " || name.last == " " {
                "begins or ends with a space"
            } else if name.hasPrefix("-") {
                "begins with a hyphen"
            } else if kind != "site", name.allSatisfy({ $0.isASCII && $0.isNumber }) {
                "is a number, and a number is no name: it would be taken for an id"
            } else { nil }
        if let problem {
            throw InventoryError(.invalid, "the \(kind) name \"\(shown(name))\" \(problem)")
        }
    }

    private static func shown(_ name: String) -> String {
        let text = name.filter { !$0.unicodeScalars.contains { $0.properties.generalCategory == .control } }
        return text.count > 40 ? text.prefix(40) + "…" : text
    }
}
