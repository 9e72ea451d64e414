internal import CCurl

/// The certificate a server shows, for a person to compare before trusting it.
package struct ServerCertificate: Hashable, Sendable {
    /// SHA-256 of the DER: upper-case pairs with colons.
    package let thumbprint: String
    /// The subject's distinguished name (RFC 2253).
    package let subject: String
    /// The end of its validity, in seconds since 1970.
    package let notAfter: Int64
}

/// Asks a server for its certificate and leaves after the handshake: no request is made, nothing is trusted.
package func serverCertificate(
    of url: String, timeouts: VSphereEndpoint.Timeouts = .init(), cancellation: CancellationToken = CancellationToken()
) throws -> ServerCertificate {
    let endpoint = try VSphereEndpoint(
        url: url, username: "", password: Secret(""), trust: .insecure, timeouts: timeouts)
    guard endpoint.isEncrypted else {
        throw VSphereError(.invalidURL, "\(endpoint.url) has no certificate: it is plain http")
    }
    return try HTTPTransport(endpoint, cancellation).certificate()
}

extension HTTPTransport {
    fileprivate func certificate() throws -> ServerCertificate {
        let check = try observeCertificate()
        let thumbprint = withUnsafeBytes(of: check.actual) { Thumbprint(bytes: [UInt8]($0)) }
        let subject = withUnsafeBytes(of: check.subject) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        return ServerCertificate(thumbprint: thumbprint.text, subject: subject, notAfter: check.not_after)
    }
}
