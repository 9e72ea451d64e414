/// Text that never shows itself: descriptions, dumps and interpolations give `****`.
package struct Secret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The text itself, for the wire alone.
    package let revealed: String

    package init(_ text: String) { revealed = text }

    package var description: String { "****" }
    package var debugDescription: String { "****" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}

/// Where a vCenter or an ESXi host is, who we are to it, and why we believe that it is the one.
package struct VSphereEndpoint: Sendable {
    /// What makes a server's certificate acceptable.
    package enum Trust: Hashable, Sendable {
        /// The system's certificate authorities, and the host's name in the certificate.
        case system
        /// These authorities (PEM, one or more) and no others, and the host's name in the certificate.
        case certificateAuthority(pem: String)
        /// This very certificate: the SHA-256 of its DER, in hexadecimal, with or without colons.
        case thumbprint(sha256: String)
        /// Any certificate, or none at all with plain http: whoever sits between can read the password.
        case insecure
    }

    /// How long to wait for what.
    package struct Timeouts: Hashable, Sendable {
        /// Name resolution, TCP and TLS.
        package var connect: Duration = .seconds(20)
        /// A server that in this time sends nothing, or next to nothing, is given up.
        package var silence: Duration = .seconds(120)
        /// Less than this many bytes within `silence` is next to nothing.
        package var leastBytes = 1000
        /// One answer, from the first byte of the request to the last of the answer.
        package var answer: Duration = .seconds(1800)
        /// The farewell, which must not hold up whoever leaves.
        package var logOut: Duration = .seconds(5)

        package init() {}
    }

    /// `https://host[:port]/sdk`.
    package let url: String
    package var username: String
    package var password: Secret
    package var trust: Trust
    package var timeouts: Timeouts

    /// Normalises `url`: `host`, `host:port`, `https://host` and `https://host/sdk` are all understood; plain http only
    /// where it is written out and nothing is to be trusted. Throws `invalidURL` for anything else, or a thumbprint that is
    /// not one.
    package init(
        url: String, username: String, password: Secret, trust: Trust = .system, timeouts: Timeouts = Timeouts()
    ) throws {
        self.url = try Self.normalise(url)
        self.username = username
        self.password = password
        self.trust = trust
        self.timeouts = timeouts
        guard trust == .insecure || isEncrypted else {
            throw VSphereError(
                .invalidURL,
                "\(self.url) would send the password in clear; write https://, or give --insecure where nobody can listen"
            )
        }
        if case .thumbprint(let text) = trust { _ = try Thumbprint(text) }
    }

    /// Whether what is sent is encrypted; plain http is not.
    package var isEncrypted: Bool { url.hasPrefix("https://") }
}

/// The SHA-256 of a certificate's DER.
struct Thumbprint: Equatable {
    let bytes: [UInt8]

    init(bytes: [UInt8]) { self.bytes = bytes }

    /// 64 hexadecimal digits, with or without colons or spaces.
    init(_ text: String) throws {
        let digits = text.unicodeScalars.filter { $0 != ":" && !$0.properties.isWhitespace }.map {
            $0.isASCII ? Character($0).hexDigitValue : nil
        }
        let values = digits.compactMap { $0 }
        guard values.count == 64, digits.count == 64 else {
            throw VSphereError(
                .invalidURL,
                "the certificate thumbprint \"\(text)\" is not a SHA-256 one: give 64 hexadecimal digits, "
                    + "with or without colons")
        }
        bytes = stride(from: 0, to: 64, by: 2).map { UInt8(values[$0] * 16 + values[$0 + 1]) }
    }

    /// Upper-case pairs with colons, as vSphere and browsers show it.
    var text: String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: ":")
    }
}
