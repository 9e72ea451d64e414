import Support
import Testing
import VSphere

/// How a conversation begins, is lost, is found again, and ends.
@Suite struct SessionTests {
    private static let page = FakeVCenter.rootFolder + machine("vm-1")

    @Test("connecting agrees on the newest version that both know")
    func version() throws {
        let conversation = try Conversation()
        let session = try conversation.connect()
        #expect(session.apiVersion == "8.0.1.0")
        let actions = conversation.vCenter.server.requests.compactMap { $0.headers["soapaction"] }
        #expect(!actions.isEmpty && actions.allSatisfy { $0 == "urn:vim25/8.0.1.0" })
    }

    @Test(
        "a list of versions that is missing or odd is done without",
        arguments: ["", "<html><body>no</body></html>", "<namespaces><namespace><name>urn:other</name></namespace>"])
    func oddVersions(list: String) throws {
        #expect(try Conversation(versions: list).connect().apiVersion == "6.0")
    }

    @Test("a vCenter is known by its instance UUID, in lower case")
    func identity() throws {
        let session = try Conversation().connect()
        #expect(session.about.kind == .vCenter)
        #expect(session.about.version == "8.0.2")
        #expect(try session.identity() == FakeVCenter.instanceUUID.lowercased())
    }

    @Test("an ESXi host is known by its hardware's UUID")
    func hostIdentity() throws {
        let about = """
            <name>VMware ESXi</name><fullName>VMware ESXi 7.0</fullName><version>7.0.3</version><build>2</build>\
            <apiType>HostAgent</apiType>
            """
        let conversation = try Conversation(about: about) { call in
            guard call.operation == "RetrievePropertiesEx" else { return nil }
            return FakeVCenter.answer(
                call.operation,
                "<returnval><objects><obj type=\"HostSystem\">ha-host</obj><propSet><name>summary.hardware.uuid</name>"
                    + "<val xsi:type=\"xsd:string\">564D-AB</val></propSet></objects></returnval>")
        }
        let session = try conversation.connect()
        #expect(session.about.kind == .esxi)
        #expect(session.about.instanceUUID == nil)
        #expect(try session.identity() == "564d-ab")
        _ = try conversation.read(session)
        let views = conversation.vCenter.server.requests.map(\.body).filter { $0.contains("<CreateContainerView ") }
        #expect(views.last?.contains("DistributedVirtual") == false)
    }

    @Test("singletons are called by the names that the server gave them")
    func singletonNames() throws {
        let conversation = try Conversation()
        let session = try conversation.connect()
        _ = try conversation.read(session)
        _ = try session.findVirtualMachine(uuid: "u")
        session.logOut()
        let bodies = conversation.vCenter.server.requests.map(\.body)
        let expected = [
            "Login": "the-sessions", "Logout": "the-sessions", "CreatePropertyCollector": "the-collector",
            "CreateContainerView": "the-views", "FindByUuid": "the-index",
        ]
        for (operation, name) in expected {
            let body = bodies.first { $0.contains("<\(operation) ") }
            #expect(body?.contains(">\(name)</_this>") == true, "\(operation)")
        }
    }

    @Test("a session that ends within a reading is renewed once, and the reading begun again")
    func lostAsFault() throws {
        let conversation = try Conversation(pages: [Self.page, machine("vm-2")]) { call in
            call.operation == "WaitForUpdatesEx" && call.occurrence == 1 ? FakeVCenter.fault("NotAuthenticated") : nil
        }
        let reading = try conversation.read()
        #expect(reading.reasons == [.sessionLost])
        #expect(reading.records.keys.sorted() == ["vm-1", "vm-2"])
        #expect(conversation.vCenter.count("Login") == 2)
    }

    @Test("a session that shows itself ended by a missing property is renewed, nothing is taken as unreadable")
    func lostAsMissingProperty() throws {
        let conversation = try Conversation(pages: [Self.page]) { call in
            guard call.operation == "WaitForUpdatesEx", call.occurrence == 0 else { return nil }
            let objects = FakeVCenter.rootFolder + object("VirtualMachine", "vm-1", missing("name", "NotAuthenticated"))
            return FakeVCenter.updates(objects, version: "1", isTruncated: false)
        }
        let reading = try conversation.read()
        #expect(reading.restarts == 1)
        #expect(reading.machine("vm-1")?.unreadable.isEmpty == true)
    }

    @Test("a session's own object that is not found means that the session is gone")
    func lostAsMissingObject() throws {
        let conversation = try Conversation(pages: [Self.page]) { call in
            guard call.operation == "CreateFilter", call.occurrence == 0 else { return nil }
            return FakeVCenter.fault(
                "ManagedObjectNotFound", "<obj type=\"ContainerView\">session-1/ContainerView</obj>")
        }
        #expect(try conversation.read().restarts == 1)
        #expect(conversation.vCenter.count("Login") == 2)
    }

    @Test("a view's disappearance told by the filter means that the session is gone")
    func lostInFilter() throws {
        let conversation = try Conversation(pages: [Self.page]) { call in
            guard call.operation == "WaitForUpdatesEx", call.occurrence == 0 else { return nil }
            let gone = """
                <missingSet><obj type="ContainerView">session-1/ContainerView</obj><fault>\
                <fault xsi:type="ManagedObjectNotFound"><obj type="ContainerView">session-1/ContainerView</obj></fault>\
                </fault></missingSet>
                """
            return FakeVCenter.updates(FakeVCenter.rootFolder + gone, version: "1", isTruncated: false)
        }
        #expect(try conversation.read().restarts == 1)
    }

    @Test("a collector that forgot its version is made anew, in the same session")
    func lostCollector() throws {
        let conversation = try Conversation(pages: [Self.page]) { call in
            call.operation == "WaitForUpdatesEx" && call.occurrence == 0
                ? FakeVCenter.fault("InvalidCollectorVersion") : nil
        }
        #expect(try conversation.read().restarts == 1)
        #expect(conversation.vCenter.count("Login") == 1)
        #expect(conversation.vCenter.count("CreatePropertyCollector") == 2)
    }

    @Test("a second loss in one reading fails it")
    func lostTwice() throws {
        let conversation = try Conversation { call in
            call.operation == "WaitForUpdatesEx" ? FakeVCenter.fault("NotAuthenticated") : nil
        }
        let error = conversation.error { _ = try conversation.read() }
        #expect(error?.code == .sessionLost)
        #expect(conversation.vCenter.count("Login") == 2)
    }

    @Test("a call outside a reading renews a lost session, too")
    func lostBetweenCalls() throws {
        let conversation = try Conversation()
        let session = try conversation.connect()
        conversation.vCenter.endSessions()
        #expect(try session.currentTime() == "2024-05-01T12:00:00Z")
        #expect(conversation.vCenter.count("Login") == 2)
    }

    @Test("a login that turned into another vCenter is refused")
    func otherVCenter() throws {
        let conversation = try Conversation { call in
            guard call.operation == "RetrieveServiceContent", call.occurrence == 1 else { return nil }
            return FakeVCenter.answer(
                call.operation,
                """
                <returnval><rootFolder type="Folder">r</rootFolder><propertyCollector type="PropertyCollector">p\
                </propertyCollector><viewManager type="ViewManager">v</viewManager><about>\
                <apiType>VirtualCenter</apiType><instanceUuid>other</instanceUuid></about>\
                <sessionManager type="SessionManager">s</sessionManager></returnval>
                """)
        }
        let session = try conversation.connect()
        conversation.vCenter.endSessions()
        #expect(conversation.error { _ = try session.currentTime() }?.code == .protocolViolation)
    }

    @Test("a refused login is tried once, and its error tells no password")
    func wrongPassword() throws {
        let conversation = try Conversation { call in
            call.operation == "Login" ? FakeVCenter.fault("InvalidLogin", text: "Cannot complete login") : nil
        }
        let error = conversation.error { _ = try conversation.connect() }
        #expect(error?.code == .login)
        #expect(error?.fault == "InvalidLogin")
        #expect(conversation.vCenter.count("Login") == 1)
        #expect(error.map { String(reflecting: $0).contains("p<&>") } == false)
    }

    @Test("an endpoint never shows its password")
    func secret() throws {
        let endpoint = try Conversation().endpoint
        var dumped = ""
        dump(endpoint, to: &dumped)
        for text in ["\(endpoint)", String(reflecting: endpoint), dumped] {
            #expect(!text.contains("p<&>"))
        }
    }

    @Test("a missing privilege names itself and the object")
    func noPermission() throws {
        let conversation = try Conversation { call in
            call.operation == "CreateContainerView"
                ? FakeVCenter.fault(
                    "NoPermission",
                    "<object type=\"Folder\">group-d1</object><privilegeId>System.View</privilegeId>") : nil
        }
        let error = conversation.error { _ = try conversation.read() }
        #expect(error?.code == .permission)
        #expect(error?.detail.contains("System.View") == true)
        #expect(error?.detail.contains("group-d1") == true)
    }

    @Test("a fault's type comes from its element where xsi:type is missing")
    func untypedFault() throws {
        let conversation = try Conversation { call in
            guard call.operation == "CurrentTime" else { return nil }
            return ReplayServer.Reply(
                FakeVCenter.envelope(
                    "<soapenv:Fault><faultcode>x</faultcode><faultstring>no more</faultstring><detail>"
                        + "<InsufficientResourcesFaultFault xmlns=\"urn:vim25\"/></detail></soapenv:Fault>"),
                status: 500)
        }
        let session = try conversation.connect()
        let error = conversation.error { _ = try session.currentTime() }
        #expect(error?.fault == "InsufficientResourcesFault")
        #expect(error?.detail.contains("no more") == true)
    }

    @Test("a virtual machine is found by its UUID, or is not")
    func findByUUID() throws {
        let conversation = try Conversation { call in
            guard call.operation == "FindByUuid", call.request.body.contains("<uuid>known</uuid>") else { return nil }
            return FakeVCenter.answer(
                call.operation,
                "<returnval type=\"VirtualMachine\" xsi:type=\"ManagedObjectReference\">vm-7</returnval>")
        }
        let session = try conversation.connect()
        #expect(
            try session.findVirtualMachine(uuid: "known")
                == ManagedObjectReference(type: "VirtualMachine", value: "vm-7"))
        #expect(try session.findVirtualMachine(uuid: "unknown") == nil)
    }
}
