private import Dispatch
internal import Glibc
private import Locking

/// An HTTP server that misbehaves on demand: odd pieces, cuts, silence, trickles, foreign pages.
///
/// It listens on loopback, speaks plain HTTP/1.1 with kept connections, and asks a closure for every reply. Sockets
/// block; each connection has a serial queue, and so a thread, of its own.
package final class ReplayServer: Sendable {
    package struct Request: Sendable {
        package var method: String
        package var path: String
        /// By lower-case name.
        package var headers: [String: String]
        package var body: String
        /// Which connection it came over, from 1.
        package var connection: Int
    }

    package struct Reply: Sendable {
        /// What happens after the body's last piece.
        package enum Ending: Sendable {
            case complete
            /// The connection is closed, in the middle of what was announced.
            case cut
            /// Nothing more comes; the connection stays.
            case hang
            /// A space every few milliseconds, for ever.
            case trickle(milliseconds: UInt32)
        }
        package var status = 200
        package var headers: [String: String] = ["Content-Type": "text/xml; charset=utf-8"]
        package var body: [UInt8] = []
        /// Sizes of the chunks, over and over; empty: one piece with its Content-Length.
        package var pieces: [Int] = []
        package var isGzipped = false
        package var ending = Ending.complete
        /// Called once everything before the ending was sent.
        package var afterSent: (@Sendable () -> Void)?

        package init(_ text: String = "", status: Int = 200) {
            body = Array(text.utf8)
            self.status = status
        }
    }

    private struct State {
        var requests: [Request] = []
        var connections: [Int32: Int] = [:]
        var connectionCount = 0
        var isStopped = false
    }

    package let port: UInt16
    private let listener: Int32
    private let respond: @Sendable (Request) -> Reply
    private let state = Mutex(State())
    private let acceptQueue = DispatchQueue(label: "replay.accept")

    package init(_ respond: @escaping @Sendable (Request) -> Reply) throws {
        self.respond = respond
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = listener
        let bound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) == 0 && listen(descriptor, 64) == 0
                    && getsockname(descriptor, $0, &length) == 0
            }
        }
        guard bound else { throw Unavailable() }
        port = UInt16(bigEndian: address.sin_port)
        acceptQueue.async { [self] in accept() }
    }

    package struct Unavailable: Error {}

    package var url: String { "http://127.0.0.1:\(port)" }

    /// All requests so far.
    package var requests: [Request] { state.withLock { $0.requests } }

    /// How many connections were opened so far.
    package var connectionCount: Int { state.withLock { $0.connectionCount } }

    /// Closes every connection. Safe twice.
    package func stop() {
        state.withLock { state in
            guard !state.isStopped else { return }
            state.isStopped = true
            shutdown(listener, Int32(SHUT_RDWR))
            for connection in state.connections.keys { shutdown(connection, Int32(SHUT_RDWR)) }
        }
    }

    private func accept() {
        while true {
            let connection = Glibc.accept(listener, nil, nil)
            guard connection >= 0 else { break }
            let number: Int? = state.withLock { state in
                if state.isStopped { return nil }
                state.connectionCount += 1
                state.connections[connection] = state.connectionCount
                return state.connectionCount
            }
            guard let number else {
                close(connection)
                break
            }
            DispatchQueue(label: "replay.connection").async { [self] in
                var exchange = Exchange(connection: connection, number: number)
                while let request = exchange.receive() {
                    state.withLock { $0.requests.append(request) }
                    guard exchange.send(respond(request)) else { break }
                }
                _ = state.withLock { $0.connections.removeValue(forKey: connection) }
                close(connection)
            }
        }
        close(listener)
    }
}

/// One connection's reading and writing.
private struct Exchange {
    let connection: Int32
    let number: Int
    private var buffer: [UInt8] = []

    init(connection: Int32, number: Int) {
        self.connection = connection
        self.number = number
        var on: Int32 = 1
        setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    }

    /// The next request; `nil` once the client is gone.
    mutating func receive() -> ReplayServer.Request? {
        var headEnd = endOfHead()
        while headEnd == nil {
            guard fill() else { return nil }
            headEnd = endOfHead()
        }
        guard let headEnd else { return nil }
        let lines = String(decoding: buffer[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        let first = (lines.first ?? "").split(separator: " ")
        guard first.count == 3 else { return nil }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        let bodyStart = headEnd + 4
        let bodyEnd = bodyStart + (Int(headers["content-length"] ?? "") ?? 0)
        while buffer.count < bodyEnd { guard fill() else { return nil } }
        let body = String(decoding: buffer[bodyStart..<bodyEnd], as: UTF8.self)
        buffer.removeSubrange(..<bodyEnd)
        return ReplayServer.Request(
            method: String(first[0]), path: String(first[1]), headers: headers, body: body, connection: number)
    }

    private func endOfHead() -> Int? {
        guard buffer.count >= 4 else { return nil }
        return (0...(buffer.count - 4)).first { buffer[$0..<($0 + 4)].elementsEqual("\r\n\r\n".utf8) }
    }

    private mutating func fill() -> Bool {
        var piece = [UInt8](repeating: 0, count: 65536)
        let count = recv(connection, &piece, piece.count, 0)
        guard count > 0 else { return false }
        buffer.append(contentsOf: piece[..<count])
        return true
    }

    /// `false` where the connection is over.
    func send(_ reply: ReplayServer.Reply) -> Bool {
        var headers = reply.headers
        let body = reply.isGzipped ? storedGzip(reply.body) : reply.body
        if reply.isGzipped { headers["Content-Encoding"] = "gzip" }
        var isEndless = true
        if case .complete = reply.ending { isEndless = false }
        let isChunked = !reply.pieces.isEmpty || isEndless
        if isChunked { headers["Transfer-Encoding"] = "chunked" } else { headers["Content-Length"] = "\(body.count)" }
        var head = "HTTP/1.1 \(reply.status) Reply\r\n"
        for (name, value) in headers { head += "\(name): \(value)\r\n" }
        guard write(Array((head + "\r\n").utf8)) else { return false }
        if isChunked {
            var place = 0
            var turn = 0
            while place < body.count {
                let size = reply.pieces.isEmpty ? body.count : max(1, reply.pieces[turn % reply.pieces.count])
                let end = min(place + size, body.count)
                guard write(chunk(body[place..<end])) else { return false }
                place = end
                turn += 1
            }
        } else {
            guard write(body) else { return false }
        }
        reply.afterSent?()
        switch reply.ending {
        case .complete: return !isChunked || write(Array("0\r\n\r\n".utf8))
        case .cut: return false
        case .hang:
            var byte: UInt8 = 0
            while recv(connection, &byte, 1, 0) > 0 {}
            return false
        case .trickle(let milliseconds):
            while write(chunk([0x20])) { usleep(milliseconds * 1000) }
            return false
        }
    }

    private func chunk(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
        Array((String(bytes.count, radix: 16) + "\r\n").utf8) + bytes + Array("\r\n".utf8)
    }

    private func write(_ bytes: [UInt8]) -> Bool {
        var place = 0
        while place < bytes.count {
            let count = bytes[place...].withUnsafeBytes {
                Glibc.send(connection, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { return false }
            place += count
        }
        return true
    }
}

/// gzip without compression: stored blocks, which every inflater takes.
private func storedGzip(_ bytes: [UInt8]) -> [UInt8] {
    func little(_ value: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
    }
    var result: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
    var place = 0
    repeat {
        let end = min(place + 65535, bytes.count)
        let count = end - place
        result += [end == bytes.count ? 1 : 0] + little(count, 2) + little(~count & 0xFFFF, 2) + bytes[place..<end]
        place = end
    } while place < bytes.count
    var checksum: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
        checksum ^= UInt32(byte)
        for _ in 0..<8 { checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xEDB8_8320 : checksum >> 1 }
    }
    return result + little(Int(~checksum), 4) + little(bytes.count, 4)
}
