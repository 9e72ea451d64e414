import Dispatch
import Support
import Testing
import VSphere

/// What is not an answer, and how long is waited for one.
@Suite struct TransportTests {
    private static let page = FakeVCenter.rootFolder + machine("vm-1")

    /// A conversation whose reading gets one reply instead of a page.
    private func reading(
        timeouts: VSphereEndpoint.Timeouts = .init(), _ reply: ReplayServer.Reply
    ) throws -> Conversation {
        try Conversation(timeouts: timeouts) { $0.operation == "WaitForUpdatesEx" ? reply : nil }
    }

    @Test(
        "a web page is no vCenter, whatever its status",
        arguments: [
            (200, VSphereError.Code.notVSphere), (404, .notVSphere), (302, .notVSphere), (403, .notVSphere),
            (503, .unavailable), (502, .unavailable), (500, .unavailable),
        ])
    func webPage(status: Int, code: VSphereError.Code) throws {
        let page = "<!DOCTYPE html><html><head><title>Welcome to\nnginx!</title></head><body><br>hi</body></html>"
        let server = try ReplayServer { _ in ReplayServer.Reply(page, status: status) }
        defer { server.stop() }
        let endpoint = try VSphereEndpoint(url: server.url, username: "u", password: Secret("p"), trust: .insecure)
        let error = #expect(throws: VSphereError.self) {
            _ = try VSphereSession.connect(to: endpoint, logger: silent)
        }
        #expect(error?.code == code)
        #expect(error?.detail.contains("Welcome to nginx!") == true)
        #expect(error?.detail.contains(server.url) == true)
    }

    @Test(
        "an answer that is no SOAP is refused",
        arguments: [
            ("OK", VSphereError.Code.notVSphere), ("<status>up</status>", .notVSphere), ("", .unfinished),
            ("<Envelope><Body/></Envelope>", .protocolViolation),
            ("<e:Envelope xmlns:e=\"urn:other\"><e:Body/></e:Envelope>", .notVSphere),
        ])
    func noSOAP(text: String, code: VSphereError.Code) throws {
        let conversation = try reading(ReplayServer.Reply(text))
        #expect(conversation.error { _ = try conversation.read() }?.code == code)
    }

    @Test("an answer with a document type is refused before its entities are read")
    func documentType() throws {
        let bomb = """
            <?xml version="1.0"?><!DOCTYPE Envelope [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>\
            <Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/"><Body>&b;</Body></Envelope>
            """
        let conversation = try reading(ReplayServer.Reply(bomb))
        let error = conversation.error { _ = try conversation.read() }
        #expect(error?.code == .protocolViolation)
        #expect(error?.detail.contains("document type") == true)
    }

    @Test("an answer of another method is refused")
    func otherMethod() throws {
        let conversation = try reading(FakeVCenter.answer("CurrentTime", "<returnval/>"))
        #expect(conversation.error { _ = try conversation.read() }?.code == .protocolViolation)
    }

    @Test("an answer nested without end is refused")
    func depth() throws {
        let nested = String(repeating: "<a>", count: 2000) + String(repeating: "</a>", count: 2000)
        let conversation = try reading(
            FakeVCenter.updates(
                FakeVCenter.rootFolder + machine("vm-1", assign("x", "<val>\(nested)</val>")), version: "1",
                isTruncated: false))
        #expect(conversation.error { _ = try conversation.read() }?.code == .protocolViolation)
    }

    @Test("an answer cut off in its middle fails the reading, wherever the cut is")
    func cut() throws {
        let whole = FakeVCenter.updates(Self.page, version: "1", isTruncated: false)
        for kept in stride(from: 1, to: whole.body.count, by: 97) {
            var reply = whole
            reply.body = Array(whole.body.prefix(kept))
            reply.ending = .cut
            let conversation = try reading(reply)
            #expect(conversation.error { _ = try conversation.read() }?.code == .unfinished, "after \(kept) bytes")
        }
    }

    @Test("a document that ends too soon fails the reading, though HTTP thinks it whole")
    func shortDocument() throws {
        var reply = FakeVCenter.updates(Self.page, version: "1", isTruncated: false)
        reply.body.removeLast(30)
        let conversation = try reading(reply)
        #expect(conversation.error { _ = try conversation.read() }?.code == .unfinished)
    }

    @Test("malformed XML in the middle fails the reading")
    func malformed() throws {
        let conversation = try reading(
            FakeVCenter.updates(Self.page + "<a></b>", version: "1", isTruncated: false))
        #expect(conversation.error { _ = try conversation.read() }?.code == .protocolViolation)
    }

    @Test("a server that falls silent is given up", arguments: [0, 400])
    func silence(sent: Int) throws {
        var reply = FakeVCenter.updates(Self.page, version: "1", isTruncated: false)
        reply.body = Array(reply.body.prefix(sent))
        reply.ending = .hang
        var timeouts = VSphereEndpoint.Timeouts()
        timeouts.silence = .milliseconds(200)
        let conversation = try reading(timeouts: timeouts, reply)
        #expect(conversation.error { _ = try conversation.read() }?.code == .timedOut)
    }

    @Test("a trickle of bytes does not count as an answer")
    func trickle() throws {
        var reply = FakeVCenter.updates(Self.page, version: "1", isTruncated: false)
        reply.body = Array(reply.body.prefix(400))
        reply.ending = .trickle(milliseconds: 10)
        var timeouts = VSphereEndpoint.Timeouts()
        timeouts.silence = .milliseconds(300)
        timeouts.answer = .seconds(20)
        let conversation = try reading(timeouts: timeouts, reply)
        let error = conversation.error { _ = try conversation.read() }
        #expect(error?.code == .timedOut)
        #expect(error?.detail.contains("300 ms") == true)
    }

    @Test("an answer that goes on for ever is ended by its own limit")
    func endless() throws {
        var reply = FakeVCenter.updates(Self.page, version: "1", isTruncated: false)
        reply.body = Array(reply.body.prefix(400))
        reply.ending = .trickle(milliseconds: 1)
        var timeouts = VSphereEndpoint.Timeouts()
        timeouts.leastBytes = 1
        timeouts.silence = .milliseconds(100)
        timeouts.answer = .milliseconds(400)
        let conversation = try reading(timeouts: timeouts, reply)
        let error = conversation.error { _ = try conversation.read() }
        #expect(error?.code == .timedOut)
        #expect(error?.detail.contains("within 400 ms") == true)
    }

    @Test("a cancellation ends a reading that waits in the middle of an answer", arguments: [0, 400])
    func cancel(sent: Int) throws {
        let reached = DispatchSemaphore(value: 0)
        var reply = FakeVCenter.updates(Self.page, version: "1", isTruncated: false)
        reply.body = Array(reply.body.prefix(sent))
        reply.ending = .hang
        reply.afterSent = { reached.signal() }
        let conversation = try reading(reply)
        let cancellation = conversation.cancellation
        DispatchQueue(label: "cancel").async {
            reached.wait()
            cancellation.cancel()
        }
        #expect(conversation.error { _ = try conversation.read() }?.code == .canceled)
        #expect(conversation.vCenter.openSessions == 0)
    }

    @Test("nothing is asked once canceled, but the farewell is said")
    func canceledBefore() throws {
        let conversation = try Conversation()
        let session = try conversation.connect()
        conversation.cancellation.cancel()
        #expect(conversation.error { _ = try session.currentTime() }?.code == .canceled)
        #expect(conversation.vCenter.count("CurrentTime") == 0)
        session.logOut()
        #expect(conversation.vCenter.openSessions == 0)
    }

    @Test("an unanswered call is told from a cut one")
    func noAnswer() throws {
        let server = try ReplayServer { _ in ReplayServer.Reply() }
        let url = server.url
        server.stop()
        let endpoint = try VSphereEndpoint(url: url, username: "u", password: Secret("p"), trust: .insecure)
        let error = #expect(throws: VSphereError.self) {
            _ = try VSphereSession.connect(to: endpoint, logger: silent)
        }
        #expect(error.map { [.unreachable, .unfinished].contains($0.code) } == true)
    }

    @Test("a host name that does not exist is unreachable")
    func unknownHost() throws {
        let endpoint = try VSphereEndpoint(url: "no-such-host.invalid", username: "u", password: Secret("p"))
        let error = #expect(throws: VSphereError.self) {
            _ = try VSphereSession.connect(to: endpoint, logger: silent)
        }
        #expect(error?.code == .unreachable)
    }

    @Test("requests go over HTTP/1.1 with their length, and wait for no permission to send")
    func requestHeaders() throws {
        let conversation = try Conversation()
        _ = try conversation.read()
        for request in conversation.vCenter.server.requests where request.method == "POST" {
            #expect(request.headers["expect"] == nil)
            #expect(request.headers["content-length"] == "\(request.body.utf8.count)")
            #expect(request.headers["content-type"] == "text/xml; charset=utf-8")
            #expect(request.path == "/sdk")
        }
    }
}
