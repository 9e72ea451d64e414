import Foundation

/// The smallest HTTP client that does: one request, one connection, one answer.
struct ControlClient: Sendable {
    let port: UInt16

    /// Sends a verb and gives the answer's body.
    @discardableResult
    func send(_ method: String, _ path: String, _ body: Data = Data()) throws -> Data {
        let connection = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard connection >= 0 else { throw SimulatorError("no socket: errno \(errno)") }
        defer { close(connection) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(connection, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw SimulatorError("the simulator is gone: errno \(errno)") }

        let escaped = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed) ?? path
        // HTTP/1.0: the answer ends with the connection, and is never chunked.
        var request = Data("\(method) \(escaped) HTTP/1.0\r\nContent-Length: \(body.count)\r\n\r\n".utf8)
        request.append(body)
        try write(request, to: connection)
        return try parse(readAll(connection), of: "\(method) \(path)")
    }

    private func write(_ data: Data, to connection: Int32) throws {
        try data.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let n = Glibc.send(
                    connection, bytes.baseAddress?.advanced(by: sent), bytes.count - sent, Int32(MSG_NOSIGNAL))
                guard n > 0 || errno == EINTR else { throw SimulatorError("the simulator is gone: errno \(errno)") }
                sent += max(n, 0)
            }
        }
    }

    private func readAll(_ connection: Int32) throws -> Data {
        var answer = Data()
        var buffer = [UInt8](repeating: 0, count: 65536)
        while true {
            let n = read(connection, &buffer, buffer.count)
            if n == 0 { return answer }
            guard n > 0 || errno == EINTR else { throw SimulatorError("the simulator is gone: errno \(errno)") }
            answer.append(contentsOf: buffer[..<max(n, 0)])
        }
    }

    private func parse(_ answer: Data, of verb: String) throws -> Data {
        guard let head = answer.range(of: Data("\r\n\r\n".utf8)) else {
            throw SimulatorError("\(verb): the simulator gave no answer")
        }
        let status = String(decoding: answer[..<head.lowerBound], as: UTF8.self).split(separator: " ").dropFirst().first
        let body = Data(answer[head.upperBound...])
        guard status == "200" else { throw SimulatorError("\(verb): \(String(decoding: body, as: UTF8.self))") }
        return body
    }
}
