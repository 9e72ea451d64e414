internal import CCurl

/// HTTP to one server over one libcurl handle: kept connection, cookies, deadlines, cancellation.
///
/// The handle is driven through a multi handle, because only that can be woken: a cancellation reaches a transfer that
/// waits for its first byte within a millisecond. Proxies of the environment are not used, redirects not followed.
final class HTTPTransport {
    let url: String
    private let timeouts: VSphereEndpoint.Timeouts
    private let cancellation: CancellationToken
    private let easy: UnsafeMutableRawPointer
    private let multi: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private let check: UnsafeMutablePointer<wl_certificate_check>
    private let trust: VSphereEndpoint.Trust

    private static let initialised: Bool = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// The multi handle, for the wake-up alone.
    private struct Waker: @unchecked Sendable {  // curl_multi_wakeup may be called from any thread
        let multi: UnsafeMutableRawPointer
    }

    init(_ endpoint: VSphereEndpoint, _ cancellation: CancellationToken) throws {
        guard Self.initialised, let easy = curl_easy_init() else {
            throw VSphereError(.unreachable, "libcurl cannot be started: the process is out of memory")
        }
        guard let multi = curl_multi_init() else {
            curl_easy_cleanup(easy)
            throw VSphereError(.unreachable, "libcurl cannot be started: the process is out of memory or descriptors")
        }
        url = endpoint.url
        timeouts = endpoint.timeouts
        trust = endpoint.trust
        self.cancellation = cancellation
        self.easy = easy
        self.multi = multi
        errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
        check = .allocate(capacity: 1)
        check.initialize(to: wl_certificate_check())
        try configure(endpoint)
    }

    deinit {
        curl_easy_cleanup(easy)
        curl_multi_cleanup(multi)
        errorText.deallocate()
        check.deallocate()
    }

    private func configure(_ endpoint: VSphereEndpoint) throws {
        wl_curl_set_pointer(easy, CURLOPT_ERRORBUFFER, errorText)
        wl_curl_set_long(easy, CURLOPT_NOSIGNAL, 1)
        // A name that is being looked up cannot be given up; without this, closing the handle would wait for the answer.
        wl_curl_set_long(easy, CURLOPT_QUICK_EXIT, 1)
        wl_curl_set_long(easy, CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        wl_curl_set_string(easy, CURLOPT_PROTOCOLS_STR, url.hasPrefix("http://") ? "http" : "https")
        wl_curl_set_long(easy, CURLOPT_FOLLOWLOCATION, 0)
        wl_curl_set_string(easy, CURLOPT_PROXY, "")
        wl_curl_set_string(easy, CURLOPT_COOKIEFILE, "")
        wl_curl_set_string(easy, CURLOPT_ACCEPT_ENCODING, "gzip")
        wl_curl_set_string(easy, CURLOPT_USERAGENT, "wireloom")
        wl_curl_set_long(easy, CURLOPT_TCP_KEEPALIVE, 1)
        wl_curl_set_long(easy, CURLOPT_CONNECTTIMEOUT_MS, timeouts.connect.milliseconds)
        switch endpoint.trust {
        case .system:
            break
        case .certificateAuthority(let pem):
            forgetAuthorities()
            var pem = pem
            _ = pem.withUTF8 { wl_curl_set_blob(easy, CURLOPT_CAINFO_BLOB, $0.baseAddress, $0.count) }
        case .thumbprint(let text):
            let expected = try Thumbprint(text)
            check.pointee.pinned = 1
            withUnsafeMutableBytes(of: &check.pointee.expected) { $0.copyBytes(from: expected.bytes) }
            forgetAuthorities()
            wl_curl_set_certificate_check(easy, check)
        case .insecure:
            wl_curl_set_long(easy, CURLOPT_SSL_VERIFYPEER, 0)
            wl_curl_set_long(easy, CURLOPT_SSL_VERIFYHOST, 0)
        }
    }

    /// The machine's own authorities have no say; where their file is missing, that is no trouble either.
    private func forgetAuthorities() {
        wl_curl_set_string(easy, CURLOPT_CAINFO, nil)
        wl_curl_set_string(easy, CURLOPT_CAPATH, nil)
    }

    /// The first session's cookie would make a second login fail.
    func forgetCookies() {
        wl_curl_set_string(easy, CURLOPT_COOKIELIST, "ALL")
    }

    /// What came back, beside the body that went to its consumer.
    struct Answer {
        var status: Int
        /// The first bytes of the body, to say what it was where it is not what was expected.
        var head: [UInt8]
        var byteCount: Int
    }

    /// One request. `consume` gets the body of answers with status 200 and 500 as it arrives; what it throws ends the
    /// transfer and is thrown here; it is told the status. `canBeCanceled: false` is for the farewell.
    func perform(
        _ request: Request, within limit: Duration? = nil, canBeCanceled: Bool = true,
        consume: @escaping (UnsafeBufferPointer<UInt8>, _ status: Int) throws -> Void
    ) throws -> Answer {
        if canBeCanceled, cancellation.isCancelled { throw canceled }
        let transfer = Transfer(easy: easy, consume: consume)
        var headers: UnsafeMutablePointer<curl_slist>?
        // An empty value removes a header that libcurl would add: no "100 Continue" is waited for.
        for header in request.headers + ["Expect:"] { headers = curl_slist_append(headers, header) }
        defer { curl_slist_free_all(headers) }
        // Where a kept connection ends without an answer, libcurl sends the request again by itself, whether or not the
        // server acted on it. It does not with a connection of the request's own.
        wl_curl_set_long(easy, CURLOPT_FRESH_CONNECT, request.isRepeatable ? 0 : 1)
        wl_curl_set_string(easy, CURLOPT_URL, request.url)
        wl_curl_set_list(easy, CURLOPT_HTTPHEADER, headers)
        wl_curl_set_write(easy, receive, Unmanaged.passUnretained(transfer).toOpaque())
        errorText.pointee = 0
        check.pointee.seen = 0
        let result = try request.body.withUnsafeBufferPointer { body -> CURLcode in
            if body.isEmpty {
                wl_curl_set_long(easy, CURLOPT_HTTPGET, 1)
            } else {
                wl_curl_set_long(easy, CURLOPT_POST, 1)
                wl_curl_set_offset(easy, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(body.count))
                wl_curl_set_pointer(easy, CURLOPT_POSTFIELDS, UnsafeMutableRawPointer(mutating: body.baseAddress))
            }
            return try withExtendedLifetime(transfer) {
                try drive(
                    transfer, limit ?? timeouts.answer, canBeCanceled: canBeCanceled,
                    isDeed: !request.isRepeatable)
            }
        }
        if let error = transfer.failure { throw error }
        if result != CURLE_OK { throw error(result, transfer) }
        return Answer(status: transfer.currentStatus, head: transfer.head, byteCount: transfer.byteCount)
    }

    /// Connects, and leaves after the TLS handshake with what the server showed.
    func observeCertificate() throws -> wl_certificate_check {
        if cancellation.isCancelled { throw canceled }
        let transfer = Transfer(easy: easy) { _, _ in }
        check.pointee = wl_certificate_check()
        forgetAuthorities()
        wl_curl_set_certificate_check(easy, check)
        wl_curl_set_long(easy, CURLOPT_CONNECT_ONLY, 1)
        wl_curl_set_string(easy, CURLOPT_URL, url)
        let result = try drive(transfer, timeouts.connect, canBeCanceled: true)
        guard result == CURLE_OK, check.pointee.seen == 1 else { throw error(result, transfer) }
        return check.pointee
    }

    /// Lets time pass between two requests; throws once the token is canceled.
    func pause(_ duration: Duration) throws {
        let waker = Waker(multi: multi)
        let hook = cancellation.onCancel { curl_multi_wakeup(waker.multi) }
        defer { cancellation.removeHook(hook) }
        let end = ContinuousClock.now + duration
        while true {
            if cancellation.isCancelled { throw canceled }
            let left = (end - .now).milliseconds
            guard left > 0 else { return }
            curl_multi_poll(multi, nil, 0, Int32(clamping: left), nil)
        }
    }

    /// - Parameter isDeed: whether a cancellation may spare it.
    private func drive(
        _ transfer: Transfer, _ limit: Duration, canBeCanceled: Bool, isDeed: Bool = false
    ) throws -> CURLcode {
        let waker = Waker(multi: multi)
        let hook = canBeCanceled ? cancellation.onCancel { curl_multi_wakeup(waker.multi) } : nil
        defer { if let hook { cancellation.removeHook(hook) } }
        curl_multi_add_handle(multi, easy)
        defer { curl_multi_remove_handle(multi, easy) }

        var watch = Watch(timeouts, limit: limit)
        while true {
            var running: Int32 = 0
            let performed = curl_multi_perform(multi, &running)
            guard performed == CURLM_OK else { return CURLE_FAILED_INIT }
            if canBeCanceled, isDeed ? cancellation.endsDeeds : cancellation.isCancelled { throw canceled }
            if running == 0 { break }
            if let complaint = watch.complaint(transfer.byteCount, at: .now) {
                throw VSphereError(.timedOut, "\(url) \(complaint)")
            }
            curl_multi_poll(multi, nil, 0, watch.pollMilliseconds(at: .now), nil)
        }
        var remaining: Int32 = 0
        while let message = curl_multi_info_read(multi, &remaining) {
            var done: Int32 = 0
            let result = wl_curl_message_result(message, &done)
            if done == 1 { return result }
        }
        return CURLE_FAILED_INIT
    }

    private var canceled: VSphereError { VSphereError(.canceled, "the conversation with \(url) was canceled") }

    private func error(_ code: CURLcode, _ transfer: Transfer) -> VSphereError {
        // The right certificate was shown where the trouble is another one.
        var shown: Thumbprint?
        if check.pointee.seen == 1, check.pointee.pinned == 1 {
            let actual = withUnsafeBytes(of: check.pointee.actual) { [UInt8]($0) }
            let expected = withUnsafeBytes(of: check.pointee.expected) { [UInt8]($0) }
            if actual != expected { shown = Thumbprint(bytes: actual) }
        }
        return transportError(
            code, url: url, text: String(cString: errorText), shown: shown, connectLimit: timeouts.connect,
            receivedBytes: transfer.byteCount)
    }
}

/// A request's address, headers and body; without a body it is a GET.
struct Request {
    var url: String
    var headers: [String] = []
    var body: [UInt8] = []
    /// Whether the server may get it twice.
    var isRepeatable = true
}

/// One running exchange, as the write callback sees it.
private final class Transfer {
    private let easy: UnsafeMutableRawPointer
    private let consume: (UnsafeBufferPointer<UInt8>, _ status: Int) throws -> Void
    private var status: Int?
    private(set) var head: [UInt8] = []
    private(set) var byteCount = 0
    private(set) var failure: (any Error)?

    init(easy: UnsafeMutableRawPointer, consume: @escaping (UnsafeBufferPointer<UInt8>, _ status: Int) throws -> Void) {
        self.easy = easy
        self.consume = consume
    }

    var currentStatus: Int {
        if let status { return status }
        var value = 0
        wl_curl_get_long(easy, CURLINFO_RESPONSE_CODE, &value)
        if value != 0 { status = value }
        return value
    }

    /// `false` ends the transfer.
    func take(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        byteCount += bytes.count
        if head.count < 2048 { head.append(contentsOf: bytes.prefix(2048 - head.count)) }
        guard currentStatus == 200 || currentStatus == 500 else { return byteCount < 1 << 20 }
        do {
            try consume(bytes, currentStatus)
            return true
        } catch {
            failure = error
            return false
        }
    }
}

private func receive(
    _ bytes: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let bytes, let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    let total = size * count
    return bytes.withMemoryRebound(to: UInt8.self, capacity: total) {
        transfer.take(UnsafeBufferPointer(start: $0, count: total)) ? total : 0
    }
}
