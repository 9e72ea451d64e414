internal import Inventory

/// What a person may call an account, a site, a wire or a subnet.
package enum Name {
    /// Printable text of 1 to 100 characters, without surrounding spaces, that does not look like an option.
    ///
    /// - Parameter digitsAlone: whether digits alone will do; not where a command takes the name or the number of the thing.
    /// - Throws: ``InventoryError`` with code `invalid`.
    package static func check(_ name: String, of kind: String, digitsAlone: Bool = true) throws {
        let problem: String? =
            if name.isEmpty { "is empty" } else if name.count > 100 {
                "is longer than 100 characters"
            } else if name
                .unicodeScalars.contains(where: { $0.properties.generalCategory == .control })
            { "has a control character" } else if name.first == " " || name.last == " " {
                "begins or ends with a space"
            } else if name.hasPrefix("-") {
                "begins with a hyphen"
            } else if !digitsAlone,
                name.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
            { "is a number, which would be taken for the \(kind)'s id" } else { nil }
        if let problem {
            throw InventoryError(.invalid, "the \(kind) name \"\(shown(name))\" \(problem)")
        }
    }

    private static func shown(_ name: String) -> String {
        String(name.prefix(40).filter { !$0.unicodeScalars.contains { $0.properties.generalCategory == .control } })
    }
}
