/// What a person writes of a subnet in words.
package enum SubnetText {
    /// At most 1000 characters, in as many lines as one likes.
    ///
    /// - Throws: ``NetworkError`` with code `invalid`.
    package static func check(description: String) throws {
        guard description.count <= 1000,
            !description.unicodeScalars.contains(where: { $0 != "\n" && $0.properties.generalCategory == .control })
        else {
            throw NetworkError(
                .invalid, "a description must be a text of at most 1000 characters without control characters")
        }
    }

    /// A domain: labels of letters, digits, hyphens and underscores, as guests write it into their resolvers' files.
    ///
    /// - Throws: ``NetworkError`` with code `invalid`.
    package static func check(dnsSuffix: String) throws {
        func isGood(_ label: Substring) -> Bool {
            (1...63).contains(label.utf8.count) && label.first != "-" && label.last != "-"
                && label.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") }
        }
        guard dnsSuffix.utf8.count <= 253,
            dnsSuffix.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isGood)
        else {
            let shown = dnsSuffix.filter { !$0.unicodeScalars.contains { $0.properties.generalCategory == .control } }
            throw NetworkError(
                .invalid, "\"\(shown.prefix(60))\" is no DNS suffix; write a domain, as example.com")
        }
    }
}
