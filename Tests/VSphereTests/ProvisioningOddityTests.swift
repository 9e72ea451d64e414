import Support
import Testing
import VSphere

/// What real servers do and the simulator does not: parts of properties, unknown properties, odd task ends.
@Suite struct ProvisioningOddityTests {
    private static let task = TaskID("task-1")

    private func task(_ changes: String..., kind: String = "enter") -> String {
        object("Task", "task-1", kind: kind, changes.joined())
    }

    /// A vCenter whose answers to WaitForUpdatesEx are these, one after the other, then empty ones.
    private func conversation(
        _ answers: [String], reads: String = "",
        intercept: @escaping @Sendable (FakeVCenter.Call) -> ReplayServer.Reply? = { _ in nil }
    ) throws -> Conversation {
        try Conversation { call in
            if let reply = intercept(call) { return reply }
            switch call.operation {
            case "WaitForUpdatesEx" where call.occurrence < answers.count:
                return FakeVCenter.updates(
                    answers[call.occurrence], version: "\(call.occurrence + 1)", isTruncated: false)
            case "WaitForUpdatesEx": return FakeVCenter.answer(call.operation, "")
            case "RetrievePropertiesEx":
                return FakeVCenter.answer(call.operation, "<returnval>\(reads)</returnval>")
            default: return nil
            }
        }
    }

    @Test("updates build on each other, also those that unset a property")
    func updates() throws {
        let conversation = try conversation([
            task(assign("info.state", "queued"), unset("info.progress")),
            task(assign("info.progress", "<val xsi:type=\"xsd:int\">30</val>"), kind: "modify"),
            task(assign("info.state", "running"), kind: "modify"),
            task(unset("info.progress", op: "indirectRemove"), kind: "modify"),
            task(
                assign("info.result", "<val type=\"VirtualMachine\" xsi:type=\"ManagedObjectReference\">vm-9</val>"),
                assign("info.state", "success"), kind: "modify"),
        ])
        let session = try conversation.connect()
        var told: [TaskProgress] = []
        let result = try session.follow(Self.task, limits: .long) { told.append($0) }
        #expect(result == ManagedObjectReference(type: "VirtualMachine", value: "vm-9"))
        #expect(
            told == [
                .init(state: .queued), .init(state: .queued, percent: 30), .init(state: .running, percent: 30),
                .init(state: .running), .init(state: .success),
            ])
        let versions = conversation.vCenter.server.requests.filter { $0.body.contains("<WaitForUpdatesEx") }.map(\.body)
        #expect(versions.count == 5)
        #expect(versions[0].contains("<version></version>") && versions[4].contains("<version>4</version>"))
    }

    @Test("an update under a name that was not asked for has the whole read")
    func irregular() throws {
        let read = """
            <objects><obj type="Task">task-1</obj>\
            <propSet><name>info.state</name><val xsi:type="TaskInfoState">success</val></propSet></objects>
            """
        let conversation = try conversation(
            [task(assign("info.state", "running")), task(assign("info", "<val xsi:type=\"TaskInfo\"></val>"))],
            reads: read)
        let session = try conversation.connect()
        #expect(try session.follow(Self.task, limits: .long) == nil)
        #expect(conversation.vCenter.count("RetrievePropertiesEx") == 1)
    }

    @Test("a task's error comes with its class, its property and the server's sentence")
    func error() throws {
        let fault = """
            <val xsi:type="LocalizedMethodFault"><fault xsi:type="InvalidDeviceBacking">\
            <property>deviceChange[0].device.backing</property><deviceIndex>0</deviceIndex></fault>\
            <localizedMessage>Ungültige Konfiguration für Gerät &apos;0&apos;.</localizedMessage></val>
            """
        let conversation = try conversation([
            task(
                assign("info.descriptionId", "VirtualMachine.clone"), assign("info.error", fault),
                assign("info.state", "error"))
        ])
        let session = try conversation.connect()
        let error = vSphereError { try session.follow(Self.task, limits: .long) }
        #expect(error?.faultKind == .invalidDevice)
        #expect(
            error?.detail
                == "\(conversation.vCenter.url)/sdk refused task task-1 (VirtualMachine.clone) with InvalidDeviceBacking "
                + "(deviceChange[0].device.backing): Ungültige Konfiguration für Gerät '0'.")
    }

    @Test("a task that failed without a fault failed all the same")
    func errorWithoutFault() throws {
        let conversation = try conversation([task(assign("info.state", "error"))])
        let session = try conversation.connect()
        let error = vSphereError { try session.follow(Self.task, limits: .long) }
        #expect(error?.code == .fault)
        #expect(error?.faultKind == .other)
    }

    @Test("a property that a server does not know is done without, whether it refuses it early or late")
    func unknownProperty() throws {
        let path = "<name>guest.customizationInfo</name>"
        for operation in ["CreateFilter", "WaitForUpdatesEx"] {
            let conversation = try conversation([
                object("VirtualMachine", "vm-1", assign("guest.toolsRunningStatus", "guestToolsRunning")),
                object("VirtualMachine", "vm-1", assign("guest.toolsRunningStatus", "guestToolsRunning")),
            ]) { call in
                call.operation == operation && call.occurrence == 0
                    ? FakeVCenter.fault("InvalidProperty", path) : nil
            }
            let session = try conversation.connect()
            let state = try session.waitForGuest(of: "vm-1", limits: .long) { $0 }
            #expect(state.areToolsRunning)
            let filters = conversation.vCenter.server.requests.map(\.body).filter { $0.contains("<CreateFilter") }
            #expect(filters.map { $0.contains("guest.customizationInfo") } == [true, false])
        }
    }

    @Test("a required property that a server does not know is an error")
    func requiredProperty() throws {
        let conversation = try conversation([]) { call in
            call.operation == "CreateFilter" ? FakeVCenter.fault("InvalidProperty", "<name>info.state</name>") : nil
        }
        let session = try conversation.connect()
        let error = vSphereError { try session.follow(Self.task, limits: .long) }
        #expect(error?.code == .fault && error?.fault == "InvalidProperty")
        #expect(error?.detail.contains("waiting for the end of task task-1") == true)
    }

    @Test("a session that ends while the task is read, and again at once, is not renewed without end")
    func sessionLost() throws {
        let conversation = try conversation([]) { call in
            call.operation == "CreateFilter" ? FakeVCenter.fault("NotAuthenticated") : nil
        }
        let session = try conversation.connect()
        let error = vSphereError { try session.follow(Self.task, limits: .long) }
        #expect(error?.code == .sessionLost)
        #expect(conversation.vCenter.count("Login") == 2)
    }

    @Test("a login that is refused while a task is followed is not tried again")
    func refusedLogin() throws {
        let conversation = try conversation([]) { call in
            switch call.operation {
            case "CreateFilter": FakeVCenter.fault("NotAuthenticated")
            case "Login" where call.occurrence > 0: FakeVCenter.fault("InvalidLogin")
            default: nil
            }
        }
        let session = try conversation.connect()
        #expect(vSphereError { try session.follow(Self.task, limits: .long) }?.code == .login)
        #expect(conversation.vCenter.count("Login") == 2)
    }

    @Test("a server that accepts calls and does not answer them is out of reach, which is not the deadline's end")
    func hangingServer() throws {
        var timeouts = VSphereEndpoint.Timeouts()
        timeouts.silence = .milliseconds(200)
        let conversation = try Conversation(timeouts: timeouts) { call in
            guard call.operation == "WaitForUpdatesEx" else { return nil }
            var reply = ReplayServer.Reply("<")
            reply.ending = .hang
            return reply
        }
        let session = try conversation.connect()
        let limits = WaitLimits(deadline: .seconds(120), outage: .milliseconds(1))
        #expect(vSphereError { try session.follow(Self.task, limits: limits) }?.code == .unreachable)
    }

    @Test("a renewal during an outage goes on when the server is back")
    func renewalInOutage() throws {
        let conversation = try conversation([task(assign("info.state", "success"))]) { call in
            switch call.operation {
            case "CreateFilter" where call.occurrence == 0: FakeVCenter.fault("NotAuthenticated")
            case "RetrieveServiceContent" where call.occurrence == 1: ReplayServer.Reply("starting", status: 503)
            default: nil
            }
        }
        let session = try conversation.connect()
        try session.follow(Self.task, limits: .long)
        #expect(conversation.vCenter.count("Login") == 2)
    }

    @Test("a VM in a vApp, and one of an unseen datacenter, have what can be told")
    func ancestors() throws {
        let read = """
            <objects><obj type="VirtualMachine">vm-1</obj>\
            <propSet><name>name</name><val xsi:type="xsd:string">a%2fb</val></propSet>\
            <propSet><name>config.extraConfig</name><val xsi:type="ArrayOfOptionValue">\
            <OptionValue xsi:type="OptionValue"><key>k</key><value xsi:type="xsd:string">v</value></OptionValue>\
            <OptionValue xsi:type="OptionValue"><key>guestinfo.userdata</key>\
            <value xsi:type="xsd:string">secret</value></OptionValue></val></propSet></objects>
            """
        let conversation = try conversation([], reads: read)
        let machine = try conversation.connect().readVirtualMachine("vm-1", marks: ["k"])
        #expect(machine.name == "a/b")
        #expect(machine.folder == nil && machine.datacenter == nil)
        #expect(machine.marks == ["k": "v"])
        #expect(!"\(machine)".contains("secret"))
        let request = try #require(
            conversation.vCenter.server.requests.map(\.body).last { $0.contains("<RetrievePropertiesEx") })
        #expect(
            request.contains(
                wire(
                    """
                    <objectSet>
                      <obj type="VirtualMachine">vm-1</obj>
                      <skip>false</skip>
                      <selectSet xsi:type="TraversalSpec">
                        <name>parent</name><type>ManagedEntity</type><path>parent</path><skip>false</skip>
                        <selectSet xsi:type="SelectionSpec"><name>parent</name></selectSet>
                      </selectSet>
                      <selectSet xsi:type="TraversalSpec">
                        <name>vApp</name><type>VirtualMachine</type><path>parentVApp</path><skip>false</skip>
                        <selectSet xsi:type="SelectionSpec"><name>parent</name></selectSet>
                      </selectSet>
                    </objectSet>
                    """)))
    }

    @Test("a reading of many objects goes over all pages")
    func pages() throws {
        let first = """
            <returnval><token>t1</token><objects><obj type="Datacenter">dc-1</obj>\
            <propSet><name>name</name><val xsi:type="xsd:string">Paris</val></propSet>\
            <propSet><name>vmFolder</name><val type="Folder" xsi:type="ManagedObjectReference">group-v1</val></propSet>\
            </objects></returnval>
            """
        let second = """
            <returnval><objects><obj type="Folder">group-v1</obj>\
            <propSet><name>name</name><val xsi:type="xsd:string">vm</val></propSet>\
            <propSet><name>parent</name><val type="Datacenter" xsi:type="ManagedObjectReference">dc-1</val></propSet>\
            </objects><objects><obj type="VirtualApp">resgroup-v2</obj>\
            <propSet><name>name</name><val xsi:type="xsd:string">app</val></propSet></objects></returnval>
            """
        let conversation = try conversation([]) { call in
            switch call.operation {
            case "RetrievePropertiesEx": FakeVCenter.answer(call.operation, first)
            case "ContinueRetrievePropertiesEx": FakeVCenter.answer(call.operation, second)
            default: nil
            }
        }
        let paris = try conversation.connect().readDatacenter("dc-1")
        #expect(paris.folders.map(\.id) == ["group-v1"] && paris.folders.map(\.path) == [""])
        // A vApp is of a class derived from ResourcePool.
        #expect(paris.pools.isEmpty)
        #expect(conversation.vCenter.server.requests.contains { $0.body.contains("<token>t1</token>") })
    }

    @Test(
        "every class of fault that provisioning meets has its kind",
        arguments: [
            (VSphereError.FaultKind.duplicateName, ["DuplicateName"]), (.invalidName, ["InvalidName"]),
            (
                .insufficientResources,
                [
                    "InsufficientResourcesFault", "InsufficientCpuResourcesFault", "InsufficientMemoryResourcesFault",
                    "InsufficientFailoverResourcesFault",
                ]
            ), (.noDiskSpace, ["NoDiskSpace", "InsufficientStorageSpace"]), (.fileExists, ["FileAlreadyExists"]),
            (.invalidDatastore, ["InvalidDatastore"]), (.invalidArgument, ["InvalidArgument", "InvalidRequest"]),
            (.invalidDevice, ["InvalidDeviceSpec", "InvalidDeviceBacking", "InvalidDeviceOperation"]),
            (.network, ["CannotAccessNetwork", "CannotUseNetwork", "DvsFault", "DvsScopeViolated", "LimitExceeded"]),
            (.invalidPowerState, ["InvalidPowerState"]), (.invalidState, ["InvalidState", "InvalidHostState"]),
            (.busy, ["TaskInProgress", "ResourceInUse", "ConcurrentAccess"]), (.noPermission, ["NoPermission"]),
            (.noCompatibleHost, ["NoCompatibleHost", "MigrationFault"]),
            (.hostUnavailable, ["HostCommunication", "HostNotConnected", "Timedout"]),
            (.notSupported, ["NotSupported", "MethodNotFound"]), (.license, ["LicenseFault", "NotEnoughLicenses"]),
            (
                .customization,
                [
                    "CustomizationFault", "NicSettingMismatch", "CustomizationPending", "LinuxVolumeNotClean",
                    "MissingLinuxCustResources", "UncustomizableGuest", "IpHostnameGeneratorError",
                    "CannotDecryptPasswords", "CustomizationFailed",
                ]
            ), (.toolsUnavailable, ["ToolsUnavailable"]), (.notFound, ["ManagedObjectNotFound"]),
            (.canceled, ["RequestCanceled"]), (.other, ["VmConfigFault", "SystemError", "", "GenericVmConfigFault"]),
        ])
    func kinds(kind: VSphereError.FaultKind, faults: [String]) {
        for fault in faults {
            #expect(VSphereError.FaultKind(fault) == kind, "\(fault)")
            let error = VSphereError(.fault, "", fault: fault)
            #expect(error.faultKind == kind)
            #expect(kind.isPassing == (kind == .busy || kind == .hostUnavailable))
        }
    }

    @Test("what is no fault of vSphere's has no kind")
    func noKind() {
        #expect(VSphereError(.timedOut, "").faultKind == nil)
        #expect(VSphereError(.sessionLost, "", fault: "NotAuthenticated").faultKind == nil)
    }
}
