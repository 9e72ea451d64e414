import Testing
import VSphere

/// What a person may type as an endpoint.
@Suite struct EndpointTests {
    private func url(_ text: String) throws -> String {
        try VSphereEndpoint(url: text, username: "u", password: Secret("p")).url
    }

    @Test(
        "the ways to write an endpoint come to one",
        arguments: [
            ("vc.example.com", "https://vc.example.com/sdk"), (" VC.Example.com ", "https://vc.example.com/sdk"),
            ("https://vc.example.com", "https://vc.example.com/sdk"),
            ("https://vc.example.com/", "https://vc.example.com/sdk"),
            ("https://vc.example.com/sdk/", "https://vc.example.com/sdk"),
            ("https://vc.example.com/ui/", "https://vc.example.com/sdk"),
            ("https://vc.example.com:443/sdk", "https://vc.example.com/sdk"),
            ("vc:8989", "https://vc:8989/sdk"),
            ("https://gateway/vc1/sdk", "https://gateway/vc1/sdk"), ("[2001:db8::1]", "https://[2001:db8::1]/sdk"),
            ("2001:db8::1", "https://[2001:db8::1]/sdk"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/sdk"),
        ])
    func normalises(typed: String, expected: String) throws {
        #expect(try url(typed) == expected)
    }

    @Test(
        "what is no endpoint is refused",
        arguments: [
            "", " ", "ftp://vc", "https://", "https://vc/other", "https://vc/sdk?x=1", "https://vc/sdk#f", "vc:port",
            "two words", "https://vc:99999",
        ])
    func refuses(typed: String) {
        let error = #expect(throws: VSphereError.self) { _ = try url(typed) }
        #expect(error?.code == .invalidURL)
    }

    @Test("plain http is taken only where it is said that nothing is to be trusted")
    func plain() throws {
        func endpoint(_ trust: VSphereEndpoint.Trust) throws -> VSphereEndpoint {
            try VSphereEndpoint(url: "http://127.0.0.1:8989", username: "u", password: Secret("p"), trust: trust)
        }
        for trust: VSphereEndpoint.Trust in [
            .system, .certificateAuthority(pem: ""), .thumbprint(sha256: String(repeating: "ab", count: 32)),
        ] {
            let error = #expect(throws: VSphereError.self) { try endpoint(trust) }
            #expect(error?.code == .invalidURL)
            #expect(
                error?.detail == "http://127.0.0.1:8989/sdk would send the password in clear; write https://, or give "
                    + "--insecure where nobody can listen")
        }
        let told = try endpoint(.insecure)
        #expect(told.url == "http://127.0.0.1:8989/sdk" && !told.isEncrypted)
    }

    @Test("a password in an endpoint is refused without being repeated")
    func credentials() {
        let error = #expect(throws: VSphereError.self) { _ = try url("https://admin:hunter2@vc/sdk") }
        #expect(error?.code == .invalidURL)
        #expect(error?.detail.contains("hunter2") == false)
    }

    @Test("a thumbprint is 64 hexadecimal digits, with or without colons")
    func thumbprints() throws {
        let digits = String(repeating: "aB", count: 32)
        let colons = (0..<32).map { _ in "AB" }.joined(separator: ":")
        for text in [digits, colons] {
            _ = try VSphereEndpoint(url: "vc", username: "u", password: Secret("p"), trust: .thumbprint(sha256: text))
        }
        for text in ["", String(digits.dropLast()), digits + "00", "x" + digits.dropFirst(), "AB:CD"] {
            let error = #expect(throws: VSphereError.self) {
                _ = try VSphereEndpoint(
                    url: "vc", username: "u", password: Secret("p"), trust: .thumbprint(sha256: text))
            }
            #expect(error?.code == .invalidURL)
        }
    }

    @Test("a token stays canceled, and runs each hook once")
    func cancellation() {
        let token = CancellationToken()
        final class Count: @unchecked Sendable { var value = 0 }  // one thread
        let count = Count()
        token.onCancel { count.value += 1 }
        let removed = token.onCancel { count.value += 100 }
        token.removeHook(removed)
        #expect(!token.isCancelled)
        token.cancel()
        token.cancel()
        token.onCancel { count.value += 10 }
        #expect(token.isCancelled)
        #expect(count.value == 11)
    }

    @Test("a cancellation that spares deeds is followed by one that does not, and both wake who waits")
    func sparing() {
        let token = CancellationToken()
        final class Count: @unchecked Sendable { var value = 0 }  // one thread
        let count = Count()
        token.onCancel { count.value += 1 }
        token.cancel(sparingDeeds: true)
        token.cancel(sparingDeeds: true)
        #expect(token.isCancelled)
        #expect(!token.endsDeeds)
        token.onCancel { count.value += 10 }
        token.cancel()
        #expect(token.endsDeeds)
        #expect(count.value == 22)
    }
}
