internal import CCurl

/// libcurl's result as ours. `text` is its own sentence, `shown` the thumbprint of a
/// certificate that is not the pinned one.
func transportError(
    _ code: CURLcode, url: String, text: String, shown: Thumbprint?, connectLimit: Duration, receivedBytes: Int
) -> VSphereError {
    let said = text.isEmpty ? String(cString: curl_easy_strerror(code)) : text
    switch code {
    case CURLE_COULDNT_RESOLVE_HOST:
        return VSphereError(
            .unreachable, "\(url) cannot be reached: its host name is not known; check the name and the DNS")
    case CURLE_COULDNT_CONNECT:
        return VSphereError(
            .unreachable, "\(url) cannot be reached: \(said); check the port, the route and the firewall")
    case CURLE_OPERATION_TIMEDOUT:
        return VSphereError(
            .timedOut,
            "\(url) did not accept a connection within \(connectLimit.inWords): "
                + "check the address, the route and the firewall")
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR:
        if let shown {
            return VSphereError(
                .certificate,
                "\(url) shows a certificate with the SHA-256 thumbprint \(shown.text), not the pinned one: "
                    + "if the server's certificate was renewed, pin the new one; else somebody may sit between")
        }
        if code == CURLE_SSL_CONNECT_ERROR {
            return VSphereError(
                .unreachable,
                "\(url) takes no TLS connection: \(said); check the port, and that the server speaks "
                    + "TLS 1.2 or newer")
        }
        return VSphereError(
            .certificate,
            "the certificate of \(url) is not trusted: \(said); give the certificate of its authority, "
                + "or pin its thumbprint")
    case CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM:
        return VSphereError(
            .certificate,
            "the certificate authority given for \(url) is no PEM certificate: give the text between "
                + "and with the lines BEGIN CERTIFICATE and END CERTIFICATE")
    case CURLE_GOT_NOTHING:
        return VSphereError(.unfinished, "\(url) closed the connection without an answer: try again")
    case CURLE_PARTIAL_FILE, CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_BAD_CONTENT_ENCODING:
        return VSphereError(
            .unfinished, "\(url) broke off its answer after \(receivedBytes) bytes (\(said)): try again")
    case CURLE_UNSUPPORTED_PROTOCOL, CURLE_WEIRD_SERVER_REPLY, CURLE_HTTP2:
        return VSphereError(.notVSphere, "\(url) does not answer in HTTP (\(said)): check the port")
    default:
        return VSphereError(.unreachable, "\(url) cannot be talked to: \(said)")
    }
}

/// An answer that is no SOAP: what came instead, in the server's own first words.
func foreignAnswerError(status: Int, head: [UInt8], url: String) -> VSphereError {
    let words = firstWords(head)
    let quoted = words.isEmpty ? "" : " (\"\(words)\")"
    switch status {
    case 429, 500, 502, 503, 504:
        return VSphereError(
            .unavailable,
            "\(url) is not available: it answered HTTP \(status)\(quoted); "
                + "the service may be starting, try again in a few minutes")
    case 200:
        return VSphereError(
            .notVSphere, "\(url) answers, but not as a vCenter or ESXi host\(quoted): check the address and port")
    default:
        return VSphereError(
            .notVSphere,
            "\(url) answered HTTP \(status)\(quoted), as no vCenter or ESXi host does: "
                + "check the address, the port and any proxy before it")
    }
}

/// `true` for the beginning of a web page.
func isHTML(_ head: [UInt8]) -> Bool {
    String(decoding: head, as: UTF8.self).lowercased().contains("<html")
}

/// The title of a web page, else its first words: at most 80 characters without markup or control characters.
private func firstWords(_ head: [UInt8]) -> String {
    let text = String(decoding: head, as: UTF8.self)
    let lower = text.lowercased()
    var source = Substring(text)
    if lower.utf8.count == text.utf8.count, let open = lower.firstIndex(ofText: "<title>"),
        let close = lower.firstIndex(ofText: "</title>"), open < close
    {
        source = Substring(decoding: Array(text.utf8)[(open + 7)..<close])
    }
    var words = ""
    var insideTag = false
    for character in source {
        if character == "<" { insideTag = true }
        if !insideTag {
            let isPlain = character.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
            if isPlain, !character.isWhitespace {
                words.append(character)
            } else if !words.isEmpty, words.last != " " {
                words.append(" ")
            }
        } else if character == ">" {
            insideTag = false
            if !words.isEmpty, words.last != " " { words.append(" ") }
        }
        if words.count >= 80 { break }
    }
    while words.last == " " { words.removeLast() }
    return words
}

extension String {
    /// The offset of an ASCII text in the UTF-8 of this one.
    fileprivate func firstIndex(ofText needle: String) -> Int? {
        let bytes = Array(utf8)
        let wanted = Array(needle.utf8)
        guard bytes.count >= wanted.count else { return nil }
        return (0...(bytes.count - wanted.count)).first { bytes[$0..<($0 + wanted.count)].elementsEqual(wanted) }
    }
}

extension Substring {
    fileprivate init(decoding bytes: ArraySlice<UInt8>) {
        self = Substring(String(decoding: bytes, as: UTF8.self))
    }
}
