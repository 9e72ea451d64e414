import Foundation
import Locking
import Logging
import Support
import VSphere

/// The conversation of one reading of an inventory, to be had again with the curl program alone: the same requests, to the
/// same server, their answers thrown away. What a sync cannot be faster than.
///
/// A plain-HTTP server stands between the product's own client and the simulated vCenter, forwards each request with curl,
/// and keeps it. What a server names anew for each session, as its collectors and views, is put in place when it is
/// replayed.
struct Recording: Sendable {
    struct Exchange: Sendable {
        var path: String
        var action: String
        /// Empty for a GET.
        var request: String
        var answer: [UInt8]

        /// Whether the answer is one of objects, and not of a name that a later request needs.
        var isPage: Bool { answer.count > 1 << 16 }
    }

    let exchanges: [Exchange]

    /// The largest answer: the one with the VMs.
    var page: [UInt8] { exchanges.map(\.answer).max { $0.count < $1.count } ?? [] }

    init(of vcenter: SimulatedVCenter) throws {
        let curl = try Curl(vcenter.url)
        defer { curl.close() }
        let kept = Mutex<[Exchange]>([])
        let proxy = try ReplayServer { request in
            var exchange = Exchange(
                path: request.path, action: request.headers["soapaction"] ?? "", request: request.body, answer: [])
            do {
                exchange.answer = try curl.fetch(exchange)
            } catch {
                return ReplayServer.Reply("\(error)", status: 502)
            }
            kept.withLock { $0.append(exchange) }
            var reply = ReplayServer.Reply()
            reply.body = exchange.answer
            return reply
        }
        defer { proxy.stop() }
        let endpoint = try VSphereEndpoint(
            url: proxy.url, username: vcenter.username, password: Secret(vcenter.password), trust: .insecure)
        let session = try VSphereSession.connect(to: endpoint, logger: Logger(label: "bench"))
        try session.readInventory(restart: { _ in }) { _ in }
        session.logOut()
        exchanges = kept.withLock { $0 }
        guard exchanges.contains(where: \.isPage) else { throw BenchmarkError("no page of objects was recorded") }
    }

    /// Has the conversation again. - Returns: the seconds it took, from the first curl's start to the last one's end.
    func replay(to vcenter: SimulatedVCenter) throws -> Double {
        let curl = try Curl(vcenter.url)
        defer { curl.close() }
        var names: [(recorded: String, now: String)] = []
        let start = ContinuousClock.now
        for var exchange in exchanges {
            for name in names {
                exchange.request = exchange.request.replacingOccurrences(of: name.recorded, with: name.now)
            }
            if exchange.isPage {
                try curl.discard(exchange)
                continue
            }
            let answer = try curl.fetch(exchange)
            if let recorded = Self.name(in: exchange.answer), let now = Self.name(in: answer), recorded != now {
                names.append((recorded, now))
            }
        }
        return (ContinuousClock.now - start).inSeconds
    }

    /// The text of a `returnval` that is a reference.
    private static func name(in answer: [UInt8]) -> String? {
        let text = String(decoding: answer, as: UTF8.self)
        guard let tag = text.range(of: "<returnval type=\""),
            let start = text[tag.upperBound...].firstIndex(of: ">"),
            let end = text[start...].range(of: "</returnval>")
        else { return nil }
        return String(text[text.index(after: start)..<end.lowerBound])
    }
}

/// The curl program, with the cookies of one session.
struct Curl: Sendable {
    private let server: String
    private let folder: String

    /// - Parameter url: of which only scheme, host and port are used.
    init(_ url: String) throws {
        server = url.split(separator: "/", omittingEmptySubsequences: false).prefix(3).joined(separator: "/")
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("bench-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }

    func close() { try? FileManager.default.removeItem(atPath: folder) }

    func fetch(_ exchange: Recording.Exchange) throws -> [UInt8] {
        try run(exchange, output: "\(folder)/answer")
        return [UInt8](FileManager.default.contents(atPath: "\(folder)/answer") ?? Data())
    }

    func discard(_ exchange: Recording.Exchange) throws {
        try run(exchange, output: "/dev/null")
    }

    private func run(_ exchange: Recording.Exchange, output: String) throws {
        // The answer of a fault is HTTP 500 and an answer all the same.
        var words = ["curl", "--silent", "--show-error", "--insecure", "--compressed", "--output", output]
        words += ["--cookie", "\(folder)/cookies", "--cookie-jar", "\(folder)/cookies"]
        if !exchange.request.isEmpty {
            try Data(exchange.request.utf8).write(to: URL(fileURLWithPath: "\(folder)/request"))
            words += [
                "--header", "Content-Type: text/xml; charset=utf-8", "--header", "SOAPAction: \(exchange.action)",
            ]
            words += ["--header", "Expect:", "--data-binary", "@\(folder)/request"]
        }
        try Program("/usr/bin/env", words + [server + exchange.path]).run()
    }
}
