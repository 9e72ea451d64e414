private import CCurl

extension VSphereEndpoint {
    /// `https://host[:port]/sdk` from what a person typed.
    static func normalise(_ typed: String) throws -> String {
        let text = typed.filter { !$0.isWhitespace || $0 == " " }.trimmingSpaces
        func refusal(_ why: String) -> VSphereError {
            VSphereError(
                .invalidURL,
                "\"\(withoutUserInfo(text))\" is no address of a vCenter or ESXi host: \(why); "
                    + "give a host name, or https://host/sdk")
        }
        guard !text.isEmpty else { throw refusal("it is empty") }
        let parsed = curl_url()
        defer { curl_url_cleanup(parsed) }
        // A bare IPv6 address would be read as a host and a port.
        let isBareIPv6 = !text.contains("://") && !text.contains("[") && text.filter { $0 == ":" }.count > 1
        let candidate = text.contains("://") ? text : "https://" + (isBareIPv6 ? "[\(text)]" : text)
        let result = curl_url_set(parsed, CURLUPART_URL, candidate, 0)
        guard result == CURLUE_OK else {
            throw refusal(String(cString: curl_url_strerror(result)).lowercased())
        }
        func part(_ part: CURLUPart) -> String? {
            var value: UnsafeMutablePointer<CChar>?
            guard curl_url_get(parsed, part, &value, 0) == CURLUE_OK, let value else { return nil }
            defer { curl_free(value) }
            return String(cString: value)
        }
        let scheme = part(CURLUPART_SCHEME)?.lowercased() ?? ""
        guard scheme == "https" || scheme == "http" else { throw refusal("\(scheme) is not spoken here") }
        guard part(CURLUPART_USER) == nil, part(CURLUPART_PASSWORD) == nil else {
            throw refusal("the user name and password do not belong in it")
        }
        guard part(CURLUPART_QUERY) == nil, part(CURLUPART_FRAGMENT) == nil else {
            throw refusal("it has a query or fragment")
        }
        guard let host = part(CURLUPART_HOST)?.lowercased(), !host.isEmpty else { throw refusal("it names no host") }
        guard host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw refusal("the host name has spaces") }
        var path = part(CURLUPART_PATH) ?? "/"
        while path.hasSuffix("/") { path.removeLast() }
        if path.isEmpty || path == "/ui" || path == "/sdk/vimService" { path = "/sdk" }
        guard path.hasSuffix("/sdk") else { throw refusal("its path is not /sdk") }
        var authority = host
        if let port = part(CURLUPART_PORT), port != (scheme == "https" ? "443" : "80") { authority += ":\(port)" }
        return "\(scheme)://\(authority)\(path)"
    }

    /// A refused text may hold a password before its "@".
    private static func withoutUserInfo(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return text }
        return "…" + text[at...]
    }
}

extension String {
    fileprivate var trimmingSpaces: String {
        var text = Substring(self)
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return String(text)
    }
}
