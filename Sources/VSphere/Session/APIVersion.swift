/// Which version of the API to speak: the newest that both sides know.
enum APIVersion {
    /// Known to this client, newest first. What it asks for exists since 5.5; the newer ones only spare the server the
    /// translation of its answers.
    static let supported = [
        "8.0.3.0", "8.0.2.0", "8.0.1.0", "8.0.0.1", "7.0.3.0", "7.0.2.0", "7.0.1.0", "7.0", "6.7.3", "6.7.2", "6.7.1",
        "6.7",
        "6.5", "6.0", "5.5",
    ]

    /// Spoken where the server does not tell its versions; later servers know it too.
    static let fallback = "6.0"

    /// Whether an agreed version knows what another brought. What is not in the list is older than everything in it.
    static func isAtLeast(_ version: String, _ other: String) -> Bool {
        guard let place = supported.firstIndex(of: version), let limit = supported.firstIndex(of: other) else {
            return false
        }
        return place <= limit
    }

    static let projection = Projection(
        root: .object([
            .namespaces: .object([
                .namespace: .object([
                    .name: .text, .version: .text, .priorVersions: .object([.version: .text]),
                ])
            ])
        ]))

    /// From `vimServiceVersions.xml`. The server's newest may be an opaque tag, so nothing is sorted or parsed.
    static func negotiate(_ document: ElementView) -> String? {
        var offered: Set<String> = []
        for namespace in document.child(.namespaces)?.children ?? ElementChildren(parent: document)
        where namespace.name == .namespace && namespace.child(.name)?.textIs("urn:vim25") == true {
            if let current = namespace.child(.version)?.text { offered.insert(current) }
            for prior in namespace.child(.priorVersions).map({ Array($0.children) }) ?? [] {
                if let version = prior.text { offered.insert(version) }
            }
        }
        return supported.first(where: offered.contains)
    }
}
