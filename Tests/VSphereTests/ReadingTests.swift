import Support
import Testing
import VSphere

/// How a reading goes through pages, changes in between, and answers in odd pieces.
@Suite struct ReadingTests {
    private static let threePages = [
        FakeVCenter.rootFolder + machine("vm-1") + machine("vm-2"), machine("vm-3"), machine("vm-4"),
    ]

    @Test("a reading goes on until no page is truncated")
    func pages() throws {
        let conversation = try Conversation(pages: Self.threePages)
        let reading = try conversation.read()
        #expect(reading.records.keys.sorted() == ["vm-1", "vm-2", "vm-3", "vm-4"])
        #expect(conversation.vCenter.count("WaitForUpdatesEx") == 3)
        #expect(conversation.vCenter.openSessions == 0)
    }

    @Test("one connection serves a whole conversation")
    func keptConnection() throws {
        let conversation = try Conversation(pages: Self.threePages)
        _ = try conversation.read()
        #expect(conversation.vCenter.server.connectionCount == 1)
    }

    @Test("an answer may come in pieces of any size", arguments: [[1], [2, 3, 5], [16384], [1, 4096]])
    func pieces(sizes: [Int]) throws {
        let conversation = try Conversation { call in
            guard call.operation == "WaitForUpdatesEx" else { return nil }
            var reply = FakeVCenter.updates(
                FakeVCenter.rootFolder + machine("vm-1", name: "Zürich &amp; <![CDATA[<東京>]]> &#34;1&quot;"),
                version: "1", isTruncated: false)
            reply.pieces = sizes
            return reply
        }
        #expect(try conversation.read().machine("vm-1")?.name == "Zürich & <東京> \"1\"")
    }

    @Test("a compressed answer reads as any other")
    func gzip() throws {
        let conversation = try Conversation { call in
            guard call.operation == "WaitForUpdatesEx" else { return nil }
            let machines = (1...2000).map { machine("vm-\($0)") }.joined()
            var reply = FakeVCenter.updates(FakeVCenter.rootFolder + machines, version: "1", isTruncated: false)
            reply.isGzipped = true
            reply.pieces = [1000]
            return reply
        }
        #expect(try conversation.read().records.count == 2000)
        let accepted = conversation.vCenter.server.requests.map { $0.headers["accept-encoding"] }
        #expect(accepted.allSatisfy { $0 == "gzip" })
    }

    @Test("the last state of an object that comes twice counts")
    func repeatedObject() throws {
        let pages = [
            FakeVCenter.rootFolder + machine("vm-1", name: "old") + machine("vm-1", name: "new"),
            machine("vm-2") + object("VirtualMachine", "vm-2", kind: "leave"),
        ]
        let reading = try Conversation(pages: pages).read()
        #expect(reading.machine("vm-1")?.name == "new")
        #expect(reading.machine("vm-2") == nil)
    }

    @Test(
        "an object of which only a part came is read again as a whole",
        arguments: [
            object("VirtualMachine", "vm-1", kind: "modify", assign("guest.net", "<val/>")),
            object("VirtualMachine", "vm-1", kind: "modify", assign("config.hardware.device[4000].backing", "<val/>")),
            machine("vm-1", assign("config.hardware.device[4000]", "<val/>")),
            machine("vm-1", assign("config", "<val xsi:type=\"VirtualMachineConfigInfo\"><uuid>x</uuid></val>")),
            machine("vm-1", "<changeSet><name>guest.net</name><op>add</op><val/></changeSet>"),
        ])
    func partialChange(part: String) throws {
        let pages = [FakeVCenter.rootFolder + machine("vm-1") + machine("vm-2"), part]
        let conversation = try Conversation(pages: pages) { call in
            switch call.operation {
            case "RetrievePropertiesEx":
                FakeVCenter.answer(
                    call.operation,
                    "<returnval><token>0</token><objects><obj type=\"VirtualMachine\">vm-1</obj>"
                        + "<propSet><name>name</name><val xsi:type=\"xsd:string\">whole</val></propSet></objects>"
                        + "</returnval>")
            case "ContinueRetrievePropertiesEx":
                FakeVCenter.answer(
                    call.operation,
                    "<returnval><objects><obj type=\"VirtualMachine\">vm-1</obj>"
                        + "<propSet><name>name</name><val xsi:type=\"xsd:string\">whole again</val></propSet>"
                        + "<propSet><name>config.uuid</name><val xsi:type=\"xsd:string\">ABC</val></propSet></objects>"
                        + "</returnval>")
            default: nil
            }
        }
        let reading = try conversation.read()
        #expect(reading.machine("vm-1")?.name == "whole again")
        #expect(reading.machine("vm-1")?.biosUUID == "abc")
        #expect(conversation.vCenter.count("RetrievePropertiesEx") == 1)
        let asked = conversation.vCenter.server.requests.first { $0.body.contains("<RetrievePropertiesEx ") }
        #expect(asked?.body.contains(">vm-1<") == true)
        #expect(asked?.body.contains(">vm-2<") == false)
    }

    @Test("an object that is gone when it is read again is removed")
    func vanishedObject() throws {
        let pages = [
            FakeVCenter.rootFolder + machine("vm-1") + machine("vm-2"),
            object("VirtualMachine", "vm-1", kind: "modify", assign("name", "x"))
                + object("VirtualMachine", "vm-2", kind: "modify", assign("name", "y")),
        ]
        let conversation = try Conversation(pages: pages) { call in
            guard call.operation == "RetrievePropertiesEx" else { return nil }
            if call.occurrence == 0 {
                return FakeVCenter.fault("ManagedObjectNotFound", "<obj type=\"VirtualMachine\">vm-1</obj>")
            }
            return FakeVCenter.answer(
                call.operation,
                "<returnval><objects><obj type=\"VirtualMachine\">vm-2</obj>"
                    + "<propSet><name>name</name><val xsi:type=\"xsd:string\">y</val></propSet></objects></returnval>")
        }
        let reading = try conversation.read()
        #expect(reading.machine("vm-1") == nil)
        #expect(reading.machine("vm-2")?.name == "y")
    }

    @Test("what is still not understood at the second look is unreadable, not empty")
    func irregularTwice() throws {
        let conversation = try Conversation(pages: [
            FakeVCenter.rootFolder + machine("vm-1", assign("guest", "<val xsi:type=\"GuestInfo\"/>"))
        ]) { call in
            guard call.operation == "RetrievePropertiesEx" else { return nil }
            return FakeVCenter.answer(
                call.operation,
                "<returnval><objects><obj type=\"VirtualMachine\">vm-1</obj>"
                    + "<propSet><name>guest</name><val xsi:type=\"GuestInfo\"/></propSet></objects></returnval>")
        }
        let machine = try #require(try conversation.read().machine("vm-1"))
        #expect(machine.guestNICs == nil)
        #expect(machine.unreadable["guest.net"] == "UnexpectedPath")
    }

    @Test("objects of unknown types and unknown properties are passed over")
    func unknownThings() throws {
        let pages = [
            FakeVCenter.rootFolder + object("QuantumSwitch", "q-1", assign("name", "q"))
                + machine("vm-1", assign("futureThing", "<val xsi:type=\"Future\"><name>no</name></val>"))
        ]
        let reading = try Conversation(pages: pages).read()
        #expect(reading.records.keys.sorted() == ["vm-1"])
        #expect(reading.machine("vm-1")?.name == "vm-1")
    }

    @Test("a page that was announced and does not come at once is waited for", arguments: [1, 3])
    func latePage(empty: Int) throws {
        let conversation = try Conversation(pages: Self.threePages) { call in
            (1...empty).contains(call.occurrence) && call.operation == "WaitForUpdatesEx"
                ? FakeVCenter.answer(call.operation, "") : nil
        }
        #expect(try conversation.read().records.count == 4)
        let waits = conversation.vCenter.server.requests.map(\.body).filter { $0.contains("<WaitForUpdatesEx ") }
        #expect(waits.count == 3 + empty)
        #expect(waits.filter { $0.contains("<maxWaitSeconds>10<") }.count == empty)
    }

    @Test("a page that was announced and never comes is not the end of the inventory")
    func announcedPage() throws {
        let conversation = try Conversation(pages: Self.threePages) { call in
            call.operation == "WaitForUpdatesEx" && call.version == "0_1" ? FakeVCenter.answer(call.operation, "") : nil
        }
        #expect(conversation.error { _ = try conversation.read() }?.code == .unfinished)
    }

    @Test("an answer without any object is not an empty inventory")
    func nothingAtAll() throws {
        let conversation = try Conversation { call in
            call.operation == "WaitForUpdatesEx" ? FakeVCenter.answer(call.operation, "") : nil
        }
        #expect(conversation.error { _ = try conversation.read() }?.code == .unfinished)
    }

    @Test("an optional property that the server does not know is left out, and the reading begun again")
    func unknownProperty() throws {
        let unknown = ["config.uplink", "backingType"]
        let conversation = try Conversation(pages: [FakeVCenter.rootFolder + machine("vm-1")]) { call in
            guard call.operation == "CreateFilter", call.occurrence < 2 else { return nil }
            return FakeVCenter.fault("InvalidProperty", "<name>\(unknown[call.occurrence])</name>")
        }
        let reading = try conversation.read()
        #expect(reading.records.count == 1)
        #expect(
            reading.reasons == [.unknownProperty("config.uplink"), .unknownProperty("config.backingType")])
        let filters = conversation.vCenter.server.requests.map(\.body).filter { $0.contains("<CreateFilter ") }
        #expect(filters.count == 3)
        #expect(filters.last?.contains("config.uplink") == false)
        #expect(filters.last?.contains("config.backingType") == false)
        #expect(filters.last?.contains("config.defaultPortConfig") == true)
    }

    @Test("a required property that the server does not know fails the reading")
    func unknownRequiredProperty() throws {
        let conversation = try Conversation { call in
            call.operation == "CreateFilter" ? FakeVCenter.fault("InvalidProperty", "<name>name</name>") : nil
        }
        let error = conversation.error { _ = try conversation.read() }
        #expect(error?.code == .fault)
        #expect(error?.fault == "InvalidProperty")
    }

    @Test("an error of the visitor ends the reading and is thrown as it is")
    func visitorThrows() throws {
        struct Enough: Error {}
        let session = try Conversation(pages: Self.threePages).connect()
        #expect(throws: Enough.self) {
            try session.readInventory(restart: { _ in }) { _ in throw Enough() }
        }
        #expect(try session.currentTime() == "2024-05-01T12:00:00Z")
    }
}
