import Foundation
import Support
import Testing
import VSphere

/// Following tasks, over everything that can happen on the way.
@Suite struct TaskTests {
    private let shop: Workshop

    init() throws { shop = try Workshop() }

    /// Ten minutes: over when the test says so.
    private func slowTasks() throws { try shop.vCenter.setProvisioning(.init(taskMS: 600_000)) }

    private func isRunning(_ progress: TaskProgress) -> Bool { progress.state == .running }

    @Test("a task is followed from running to its result, and its progress told once each")
    func success() throws {
        try slowTasks()
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        var told: [TaskProgress] = []
        let result = try shop.session.follow(task, limits: .long) { progress in
            told.append(progress)
            if isRunning(progress) { try shop.vCenter.finishTasks() }
        }
        #expect(told.first == TaskProgress(state: .running, percent: 0))
        #expect(told.last?.state == .success)
        #expect(Set(told).count == told.count)
        #expect(result?.type == "VirtualMachine")
        #expect(try shop.session.findVirtualMachine(uuid: Workshop.instanceUUID) == result)
        // What was asked of the server is given back.
        let calls = try shop.vCenter.statistics().calls
        #expect(calls["CreatePropertyCollector"] == calls["DestroyPropertyCollector"])
    }

    @Test("a task without an object for a result has none")
    func noResult() throws {
        let machine = try shop.make("linux", shop.plain(), isOn: false)
        #expect(try shop.session.follow(shop.session.powerOn(machine), limits: .long) == nil)
    }

    @Test(
        "a task that fails throws its own fault, by its kind and its name",
        arguments: [
            ("InsufficientResourcesFault", VSphereError.FaultKind.insufficientResources), ("NoDiskSpace", .noDiskSpace),
            ("NoPermission", .noPermission), ("InvalidState", .invalidState), ("TaskInProgress", .busy),
            ("CustomizationFault", .customization), ("NoCompatibleHost", .noCompatibleHost),
            ("HostNotConnected", .hostUnavailable), ("CannotAccessNetwork", .network),
            ("DuplicateName", .duplicateName),
            ("FileAlreadyExists", .fileExists), ("NotEnoughLicenses", .license), ("RequestCanceled", .canceled),
            ("NotSupported", .notSupported), ("InvalidDatastore", .invalidDatastore), ("SystemError", .other),
        ])
    func failure(name: String, kind: VSphereError.FaultKind) throws {
        try shop.vCenter.setProvisioning(.init(faults: ["CloneVM_Task": name]))
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        let error = vSphereError { try shop.session.follow(task, limits: .long) }
        #expect(error?.fault == name)
        #expect(error?.faultKind == kind)
        #expect(error?.code == (name == "NoPermission" ? .permission : .fault))
        #expect(error?.detail.contains(name == "NoPermission" ? "DeployTemplate" : name) == true)
        #expect(error?.detail.contains("task \(task)") == true)
        if name == "NoDiskSpace" {
            #expect(error?.detail.hasSuffix("NoDiskSpace: Insufficient disk space on datastore 'datastore'.") == true)
        }
        // The fault is used up: nothing but it was wrong.
        _ = try shop.make("linux", shop.plain())
    }

    @Test("a name that is taken names what has it")
    func duplicateName() throws {
        let first = try shop.make("linux", shop.plain(), isOn: false)
        let error = vSphereError { _ = try shop.make("linux", shop.plain()) }
        #expect(error?.faultKind == .duplicateName)
        #expect(error?.object == ManagedObjectReference(type: "VirtualMachine", value: first))
        #expect(error?.detail.contains("The name 'web-1' already exists.") == true)
    }

    @Test("a clone that cannot be: place, adapters, customization")
    func refusals() throws {
        func kind(_ template: String, _ change: (inout CloneSpecification) throws -> Void) throws -> String? {
            var specification = shop.plain()
            try change(&specification)
            return vSphereError { _ = try shop.make(template, specification) }?.fault
        }
        let adapter = try shop.template("linux").adapters[0]
        #expect(
            try kind("linux") { $0.change.adapters = [.edit(adapter, backing: .network(name: "no", id: nil))] }
                == "InvalidDeviceBacking")
        #expect(
            try kind("linux") {
                let port = VirtualMachineRecord.Adapter.Backing.distributedPort(switchUUID: "0", portGroupKey: "0")
                $0.change.adapters = [.edit(adapter, backing: port)]
            } == "InvalidDeviceBacking")
        #expect(
            try kind("linux") {
                $0.change.adapters = [.edit(.init(key: 4711, type: "VirtualE1000"), backing: shop.standard("servers"))]
            } == "InvalidDeviceSpec")
        #expect(try kind("two") { $0.customization = try shop.customization() } == "NicSettingMismatch")
        #expect(try kind("bare") { $0.customization = try shop.customization() } == "UncustomizableGuest")
        #expect(try kind("windows") { $0.customization = try shop.customization() } == "UncustomizableGuest")
        #expect(try kind("linux") { $0.customization = try shop.customization(host: "a.b") } == "InvalidArgument")
        #expect(try kind("linux") { $0.disks = .linked(snapshot: "snapshot-0") } == "InvalidArgument")
        #expect(try kind("linux") { $0.datastore = "datastore-0" } == "InvalidDatastore")
        #expect(try kind("linux") { $0.folder = "group-v0" } == "ManagedObjectNotFound")
        #expect(try kind("linux") { $0.pool = shop.objects.pools["esx-3"] ?? "" } == "NoCompatibleHost")
        var host = Scenario.Host("esx-1", switches: [.init("vSwitch0", portGroups: [.init("servers", vlan: 20)])])
        host.maintenance = true
        try shop.vCenter.change(host)
        #expect(try kind("linux") { _ in } == "InvalidState")
    }

    @Test("a second task on a VM that has one running is refused")
    func busy() throws {
        let machine = try shop.make("linux", shop.plain(), isOn: false)
        try slowTasks()
        let first = try shop.session.powerOn(machine)
        let second = try shop.session.reconfigure(machine, MachineChange(cpus: 2))
        #expect(vSphereError { try shop.session.follow(second, limits: .long) }?.faultKind == .busy)
        try shop.vCenter.finishTasks()
        try shop.session.follow(first, limits: .long)
    }

    @Test("a fault that comes at once is as one that comes in the task")
    func immediate() throws {
        let template = try shop.id("linux")
        let error = vSphereError { _ = try shop.session.powerOn(template) }
        #expect(error?.faultKind == .invalidState)
        #expect(error?.fault == "InvalidState")
        let gone = vSphereError { _ = try shop.session.powerOn("vm-0") }
        #expect(gone?.code == .notFound && gone?.faultKind == .notFound)
        #expect(gone?.object == ManagedObjectReference(type: "VirtualMachine", value: "vm-0"))
    }

    @Test("a cancellation ends the wait and not the task")
    func cancellation() throws {
        try slowTasks()
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        let error = vSphereError {
            try shop.session.follow(task, limits: .long) { if isRunning($0) { shop.cancellation.cancel() } }
        }
        #expect(error?.code == .canceled)
        let other = try Workshop.connect(shop.vCenter, CancellationToken())
        defer { other.logOut() }
        try shop.vCenter.finishTasks()
        #expect(try other.follow(task, limits: .long)?.type == "VirtualMachine")
    }

    @Test("a task can be canceled itself, once")
    func canceledTask() throws {
        try slowTasks()
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        let error = vSphereError {
            try shop.session.follow(task, limits: .long) { if isRunning($0) { try shop.session.cancel(task) } }
        }
        #expect(error?.faultKind == .canceled && error?.fault == "RequestCanceled")
        #expect(vSphereError { try shop.session.cancel(task) }?.faultKind == .invalidState)
        #expect(vSphereError { try shop.session.cancel(TaskID("task-0")) }?.code == .notFound)
        #expect(try shop.session.findVirtualMachine(uuid: Workshop.instanceUUID) == nil)
    }

    @Test("a cancellation ends the pause after a lost connection, too")
    func cancellationInPause() throws {
        try slowTasks()
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        try shop.vCenter.inject(.status(503), method: "CreatePropertyCollector", count: 0)
        let cancellation = shop.cancellation
        let vCenter = shop.vCenter
        let canceled = Thread {
            // The pauses grow; by its fifth call the wait is in them nearly always.
            while (try? vCenter.statistics().calls["CreatePropertyCollector"] ?? 0) ?? 9 < 5 { usleep(1000) }
            cancellation.cancel()
        }
        canceled.start()
        #expect(vSphereError { try shop.session.follow(task, limits: .long) }?.code == .canceled)
    }

    @Test("what the caller throws at a progress ends the wait as it is")
    func callersError() throws {
        struct Enough: Error {}
        try slowTasks()
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        #expect(throws: Enough.self) { try shop.session.follow(task, limits: .long) { _ in throw Enough() } }
        let calls = try shop.vCenter.statistics().calls
        #expect(calls["CreatePropertyCollector"] == 1 && calls["DestroyPropertyCollector"] == 1)
        try shop.vCenter.finishTasks()
        try shop.session.follow(task, limits: .long)
    }

    @Test("a deadline ends the wait, and the task is followed on")
    func deadline() throws {
        try slowTasks()
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        let error = vSphereError { try shop.session.follow(task, limits: .short) }
        #expect(error?.code == .timedOut)
        #expect(error?.detail.contains("the end of task \(task)") == true)
        try shop.vCenter.finishTasks()
        try shop.session.follow(task, limits: .long)
    }

    @Test("a task outlives the session, which is renewed")
    func expiredSession() throws {
        try shop.vCenter.setProvisioning(.init(taskMS: 500))
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        var wasExpired = false
        let result = try shop.session.follow(task, limits: .long) { progress in
            if isRunning(progress), !wasExpired {
                wasExpired = true
                try shop.vCenter.expireSessions()
            }
        }
        #expect(wasExpired)
        #expect(result?.type == "VirtualMachine")
        #expect(try shop.vCenter.statistics().logins == 2)
    }

    @Test(
        "a task is followed over whatever happens to one call",
        arguments: ["WaitForUpdatesEx", "CreatePropertyCollector", "CreateFilter"],
        [
            SimulatedVCenter.Fault.cut(afterBytes: 0), .cut(afterBytes: 200), .drop, .status(503),
            .soap("NotAuthenticated"), .soap("InvalidCollectorVersion"),
        ])
    func oneCall(method: String, fault: SimulatedVCenter.Fault) throws {
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        try shop.vCenter.inject(fault, method: method)
        #expect(try shop.session.follow(task, limits: .long)?.type == "VirtualMachine")
        let calls = try shop.vCenter.statistics().calls
        #expect(calls[method] ?? 0 >= 2)
        #expect(calls["CloneVM_Task"] == 1)
    }

    @Test("a server that stays out of reach, or ends each session, ends the wait with the reason")
    func outage() throws {
        let task = try shop.session.clone(shop.id("linux"), shop.plain())
        try shop.vCenter.inject(.status(503), method: "WaitForUpdatesEx", count: 0)
        let limits = WaitLimits(deadline: .seconds(60), outage: .milliseconds(1))
        #expect(vSphereError { try shop.session.follow(task, limits: limits) }?.code == .unavailable)
        let late = vSphereError { try shop.session.follow(task, limits: .short) }
        #expect(late?.code == .unavailable)
        #expect(late?.detail.hasPrefix("the end of task \(task) cannot be told, because https://") == true)
        #expect(late?.detail.contains("HTTP 503") == true)
        try shop.vCenter.clearFaults()
        try shop.vCenter.inject(.soap("NotAuthenticated"), method: "WaitForUpdatesEx", count: 2)
        #expect(vSphereError { try shop.session.follow(task, limits: .long) }?.code == .sessionLost)
        try shop.session.follow(task, limits: .long)
    }

    @Test("a task that the server has forgotten is told apart, before and while it is followed")
    func forgotten() throws {
        let done = try shop.session.clone(shop.id("linux"), shop.plain("done"))
        try shop.vCenter.forgetTasks()
        #expect(vSphereError { try shop.session.follow(done, limits: .long) }?.code == .taskForgotten)
        try slowTasks()
        let task = try shop.session.clone(shop.id("linux"), shop.plain("slow"))
        let error = vSphereError {
            try shop.session.follow(task, limits: .long) { if isRunning($0) { try shop.vCenter.forgetTasks() } }
        }
        #expect(error?.code == .taskForgotten)
        #expect(error?.object == ManagedObjectReference(type: "Task", value: task.value))
    }

    /// Each call that starts or asks something.
    private func calls(on machine: String) -> [(method: String, call: (VSphereSession) throws -> Void)] {
        [
            ("CloneVM_Task", { _ = try $0.clone(shop.id("linux"), shop.plain("second")) }),
            ("ReconfigVM_Task", { _ = try $0.reconfigure(machine, MachineChange(cpus: 3)) }),
            ("PowerOnVM_Task", { _ = try $0.powerOn(machine) }), ("ShutdownGuest", { try $0.shutDownGuest(machine) }),
            ("PowerOffVM_Task", { _ = try $0.powerOff(machine) }), ("Destroy_Task", { _ = try $0.destroy(machine) }),
        ]
    }

    @Test("a call whose connection breaks is not repeated; one that a lost session refused is")
    func startedOnce() throws {
        let machine = try shop.make("linux", shop.plain(), isOn: false)
        for (method, call) in calls(on: machine) {
            for fault in [SimulatedVCenter.Fault.drop, .cut(afterBytes: 0)] {
                try shop.vCenter.resetStatistics()
                try shop.vCenter.inject(fault, method: method)
                let error = vSphereError { try call(shop.session) }
                #expect(error?.code == .unfinished, "\(method): \(error?.detail ?? "it succeeded")")
                #expect(try shop.vCenter.statistics().calls[method] == 1)
            }
            try shop.vCenter.resetStatistics()
            try shop.vCenter.inject(.soap("NotAuthenticated"), method: method)
            // Done by the cut call already, so perhaps refused; but asked twice.
            _ = vSphereError { try call(shop.session) }
            #expect(try shop.vCenter.statistics().calls[method] == 2, "\(method)")
        }
        // What was cut after the server had done it was done.
        #expect(try shop.session.findVirtualMachine(uuid: Workshop.instanceUUID) == nil)
    }

    @Test("what a broken connection left in doubt is found by the instance UUID")
    func inDoubt() throws {
        try shop.vCenter.inject(.drop, method: "CloneVM_Task")
        _ = vSphereError { _ = try shop.session.clone(shop.id("linux"), shop.plain()) }
        #expect(try shop.session.findVirtualMachine(uuid: Workshop.instanceUUID) == nil)
        try shop.vCenter.inject(.cut(afterBytes: 10), method: "CloneVM_Task")
        _ = vSphereError { _ = try shop.session.clone(shop.id("linux"), shop.plain()) }
        #expect(try shop.session.findVirtualMachine(uuid: Workshop.instanceUUID.uppercased()) != nil)
    }
}
