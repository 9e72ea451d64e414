import Support
import Testing
import VSphere

/// Asking hosts what they see of the physical network: some never answer.
@Suite struct NetworkHintTests {
    private static func systems(_ hosts: ClosedRange<Int>) -> ReplayServer.Reply {
        FakeVCenter.answer(
            "RetrievePropertiesEx",
            "<returnval>"
                + hosts.map { host in
                    "<objects><obj type=\"HostSystem\">host-\(host)</obj><propSet><name>configManager.networkSystem</name>"
                        + "<val type=\"HostNetworkSystem\" xsi:type=\"ManagedObjectReference\">net-\(host)</val>"
                        + "</propSet></objects>"
                }.joined() + "</returnval>")
    }

    private static let hint = FakeVCenter.answer(
        "QueryNetworkHint",
        "<returnval><device>vmnic0</device><connectedSwitchPort><devId>sw-1</devId></connectedSwitchPort></returnval>")

    @Test("a host that hangs is passed over, and the others are asked")
    func oneHangs() throws {
        let conversation = try Conversation { call in
            switch call.operation {
            case "RetrievePropertiesEx": return Self.systems(1...8)
            case "QueryNetworkHint":
                var reply = Self.hint
                if call.request.body.contains(">net-3<") { reply.ending = .hang }
                if call.request.body.contains(">net-3<") { reply.body.removeLast() }
                return reply
            default: return nil
            }
        }
        let session = try conversation.connect()
        let hints = try session.networkHints(deadline: .seconds(60), each: .milliseconds(300))
        #expect(hints.keys.sorted() == (1...8).filter { $0 != 3 }.map { "host-\($0)" })
        #expect(hints["host-1"]?.first?.cdp?.name == "sw-1")
    }

    @Test("hosts that all hang are an error, not an answer")
    func allHang() throws {
        let conversation = try Conversation { call in
            switch call.operation {
            case "RetrievePropertiesEx": return Self.systems(1...2)
            case "QueryNetworkHint":
                var reply = Self.hint
                reply.body.removeLast()
                reply.ending = .hang
                return reply
            default: return nil
            }
        }
        let session = try conversation.connect()
        let error = conversation.error {
            _ = try session.networkHints(deadline: .seconds(60), each: .milliseconds(100))
        }
        #expect(error?.code == .timedOut)
        #expect(conversation.vCenter.count("QueryNetworkHint") == 2)
    }

    @Test("a session that is lost meanwhile is renewed once", arguments: [false, true])
    func lost(asMissingProperty: Bool) throws {
        let conversation = try Conversation { call in
            switch call.operation {
            case "RetrievePropertiesEx" where asMissingProperty && call.occurrence == 0:
                return FakeVCenter.answer(
                    call.operation,
                    "<returnval><objects><obj type=\"HostSystem\">host-1</obj>"
                        + missing("configManager.networkSystem", "NotAuthenticated") + "</objects></returnval>")
            case "RetrievePropertiesEx": return Self.systems(1...3)
            case "QueryNetworkHint" where !asMissingProperty && call.occurrence == 1:
                return FakeVCenter.fault("NotAuthenticated")
            case "QueryNetworkHint": return Self.hint
            default: return nil
            }
        }
        let session = try conversation.connect()
        #expect(try session.networkHints().keys.sorted() == ["host-1", "host-2", "host-3"])
        #expect(conversation.vCenter.count("Login") == 2)
    }
}
