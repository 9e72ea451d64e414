/// One thing that a change of wires does, in words and for a program.
package struct WireStep: Sendable, Encodable, Hashable {
    package enum Action: String, Sendable, Encodable {
        case create, move, unite, absorb, confirm, remove, restore, note
    }

    package let action: Action
    /// `wire`, `switch`, `subnet`.
    package let kind: String
    package let name: String
    package let sentence: String

    init(_ action: Action, _ kind: String, _ name: String, _ sentence: String) {
        self.action = action
        self.kind = kind
        self.name = name
        self.sentence = sentence
    }
}

/// English for counts and lists.
enum Words {
    static func count(_ number: Int, _ singular: String, _ plural: String) -> String {
        "\(number) \(number == 1 ? singular : plural)"
    }

    static func list(_ items: [String]) -> String {
        guard let last = items.last, items.count > 1 else { return items.first ?? "" }
        return items.dropLast().joined(separator: ", ") + " and \(last)"
    }

    /// A sentence and the lines that it is about, all of them up to a hundred.
    static func lines(_ start: String, _ items: [String]) -> String {
        let shown = items.prefix(100).map { "\n  - \($0)" }.joined()
        return start + ":" + shown + (items.count > 100 ? "\n  and \(items.count - 100) more" : "")
    }
}
