package import Addressing

/// The command lines that findings and reasons offer, spelled as DESIGN.md 7 has them.
package enum WireloomCommand {
    /// One word of a POSIX shell's command line, in single quotes where it needs them.
    package static func quote(_ word: String) -> String {
        let plain = word.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "-_./:@%+=,".utf8.contains(byte)
            }
        }
        if plain, !word.isEmpty { return word }
        return "'" + word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    /// `wireloom` and the words, each quoted where it must be.
    static func line(_ words: [String]) -> String {
        (["wireloom"] + words.map(quote)).joined(separator: " ")
    }

    /// - Parameters:
    ///   - account: always written: switches of one name are in many accounts.
    ///   - host: the host to pin the link for, or the one that tells a standard switch from its namesakes.
    ///   - nativeVLAN: written only where it is not the default.
    package static func link(
        switch name: String, wire: String, host: String? = nil, account: String, nativeVLAN: VLANID = .one
    ) -> String {
        var words = ["wire", "link", name, wire]
        if let host { words += ["--host", host] }
        words += ["--account", account]
        if nativeVLAN != .one { words += ["--native-vlan", nativeVLAN.description] }
        return line(words)
    }
}
