/// A task of a vCenter (Task): worth keeping, because it can be followed from another session and process.
package struct TaskID: Hashable, Sendable, CustomStringConvertible {
    /// The managed object's id, such as `task-123`.
    package let value: String

    package init(_ value: String) { self.value = value }

    package var description: String { value }

    fileprivate var reference: ManagedObjectReference { ManagedObjectReference(type: "Task", value: value) }
}

/// How far a task is (TaskInfo).
package struct TaskProgress: Hashable, Sendable {
    package enum State: String, Sendable { case queued, running, success, error }

    package var state: State
    /// `info.progress`, 0 to 100; `nil` while the server tells none.
    package var percent: Int?

    package init(state: State, percent: Int? = nil) {
        self.state = state
        self.percent = percent
    }
}

// A cancellation that spares deeds spares these: their answer says what was begun.
// What starts a task returns once the server took it on. A connection that ends before tells nothing of whether it did:
// these calls are never repeated on such an error, and whoever gets `unfinished`, `timedOut` or `unreachable` looks for
// what the task would have made. `NotAuthenticated` is a refusal, after which they are repeated in a new session.
extension VSphereSession {
    /// CloneVM_Task: `follow` tells the new VM's id.
    ///
    /// - Parameter source: the id of the template or VM.
    package func clone(_ source: String, _ specification: CloneSpecification) throws -> TaskID {
        try start("CloneVM_Task", source, specification.write)
    }

    /// ReconfigVM_Task. Adapters keep their MAC addresses: give them as they were read of this VM.
    package func reconfigure(_ id: String, _ change: MachineChange) throws -> TaskID {
        try start("ReconfigVM_Task", id) { writer in
            writer.element("spec") { change.write(to: &$0, isNew: false) }
        }
    }

    /// PowerOnVM_Task.
    ///
    /// - Parameter host: the HostSystem to start it on; `nil`: where it is, or where DRS wants it.
    package func powerOn(_ id: String, host: String? = nil) throws -> TaskID {
        try start("PowerOnVM_Task", id) { writer in
            if let host { writer.element("host", ManagedObjectReference(type: "HostSystem", value: host)) }
        }
    }

    /// PowerOffVM_Task: at once, without asking the guest.
    package func powerOff(_ id: String) throws -> TaskID {
        try start("PowerOffVM_Task", id)
    }

    /// Destroy_Task: the VM and its disks. It must be off.
    package func destroy(_ id: String) throws -> TaskID {
        try start("Destroy_Task", id)
    }

    /// ShutdownGuest: asks the guest to shut down. Returns at once; `waitForGuest` sees the power state change.
    ///
    /// - Throws: the kind `toolsUnavailable` where Tools do not run, `invalidPowerState` where the VM is not on.
    package func shutDownGuest(_ id: String) throws {
        try renewingOnce("ShutdownGuest") {
            try call(SOAPRequest("ShutdownGuest", on: machine(id), isRepeatable: false))
        }
    }

    /// CancelTask: asks a task to end. Returns at once; `follow` then throws the kind `canceled`, unless the task was
    /// done before it heard.
    ///
    /// - Throws: the kind `notSupported` of a task that cannot be canceled, `notFound` of one that is forgotten,
    ///   `invalidState` of one that has ended.
    package func cancel(_ task: TaskID) throws {
        try renewingOnce("CancelTask") { try call(SOAPRequest("CancelTask", on: task.reference)) }
    }

    /// The tasks that a VM or template is being cloned by now, whoever asked for it; `nil` where the user may not read them.
    ///
    /// A task does not tell the name of what it makes, only of what that is made.
    package func readCloning(of source: String) throws -> [TaskID]? {
        try renewingOnce("the reading of the tasks of VM \(source)") {
            var recent: [String]?
            var isUnreadable = false
            try withoutActuallyEscaping({ (found: ObjectProperties) in
                isUnreadable = found.unreadable["recentTask"] != nil
                recent = found.references("recentTask")
            }) { try retrieve(.recentTasks, of: [ObjectSpec(object: machine(source))], $0) }
            guard let recent, !isUnreadable else { return nil }
            var cloning: [TaskID] = []
            for id in recent.map({ TaskID($0) }) {
                switch try isCloning(id) {
                case nil: return nil
                case true?: cloning.append(id)
                case false?: break
                }
            }
            return cloning
        }
    }

    /// `nil` where the user may not read it.
    private func isCloning(_ task: TaskID) throws -> Bool? {
        var answer: Bool?
        do {
            try withoutActuallyEscaping({ (found: ObjectProperties) in
                guard let state = found.text("info.state").flatMap(TaskProgress.State.init) else { return }
                let isRunning = state == .queued || state == .running
                // A server that does not tell what it is may mean any.
                let kind = found.text("info.descriptionId") ?? "clone"
                answer = isRunning && kind.hasSuffix("clone")
            }) {
                try retrieve(.task, of: [ObjectSpec(object: task.reference)], optional: ["info.descriptionId"], $0)
            }
        } catch let fault as SOAPFault where fault.type == "ManagedObjectNotFound" && fault.object == task.reference {
            return false
        }
        return answer
    }

    private func machine(_ id: String) -> ManagedObjectReference {
        ManagedObjectReference(type: "VirtualMachine", value: id)
    }

    private func start(
        _ operation: StaticString, _ id: String, _ parameters: @escaping (inout ElementWriter) -> Void = { _ in }
    ) throws -> TaskID {
        let request = SOAPRequest(operation, on: machine(id), isRepeatable: false, parameters)
        return try renewingOnce("\(operation)") { TaskID(try reference(request).value) }
    }

    /// Waits for a task's end, in this session and those that replace it.
    ///
    /// The task goes on where the wait does not: after the deadline, a cancellation or an outage it may be followed anew.
    ///
    /// - Parameter progress: gets each state and percentage that differs from the last. What it throws ends the wait.
    /// - Returns: `info.result` where it is an object, such as the VM that a clone made.
    /// - Throws: the task's own fault with the server's sentence (`faultKind`); `taskForgotten` where the server does not
    ///   know the task any more, as some minutes after its end; `timedOut` at the deadline of a task that goes on;
    ///   `canceled`; or why the server stays out of reach, which is never `timedOut`.
    @discardableResult
    package func follow(
        _ task: TaskID, limits: WaitLimits, progress: (TaskProgress) throws -> Void = { _ in }
    ) throws -> ManagedObjectReference? {
        let watch = PropertyWatch(
            self, .task, of: task.reference, for: "the end of task \(task)", limits: limits,
            optional: ["info.descriptionId"])
        defer { watch.finish() }
        var info = TaskInfo()
        var told: TaskProgress?
        do {
            while true {
                try watch.next { info.read($0) }
                if let present = info.progress, present != told {
                    told = present
                    try progress(present)
                }
                switch told?.state {
                case .success: return info.result
                case .error:
                    throw VSphereError(
                        info.fault ?? SOAPFault(type: "", message: ""),
                        operation: "task \(task)" + (info.kind.map { " (\($0))" } ?? ""), url: endpoint.url)
                default: break
                }
            }
        } catch let error as VSphereError where error.code == .notFound && error.object == task.reference {
            throw VSphereError(
                .taskForgotten,
                "\(endpoint.url) does not know task \(task) any more, and not how it ended: "
                    + "it keeps tasks for some minutes after their end", fault: error.fault, object: error.object)
        }
    }
}

/// TaskInfo, as far as it came.
private struct TaskInfo {
    private var state: TaskProgress.State?
    private var percent: Int?
    private(set) var kind: String?
    private(set) var fault: SOAPFault?
    private(set) var result: ManagedObjectReference?

    var progress: TaskProgress? { state.map { TaskProgress(state: $0, percent: percent) } }

    mutating func read(_ properties: ObjectProperties) {
        if properties.has("info.state") { state = properties.text("info.state").flatMap(TaskProgress.State.init) }
        if properties.has("info.progress") { percent = properties["info.progress"]?.int }
        if properties.has("info.descriptionId") { kind = properties.text("info.descriptionId") }
        if properties.has("info.error") { fault = properties["info.error"].map(SOAPFault.init(localized:)) }
        if properties.has("info.result") {
            result = properties["info.result"]?.reference.flatMap { $0.type.isEmpty ? nil : $0 }
        }
    }
}

extension PropertyQuery {
    fileprivate static let recentTasks = PropertyQuery(["VirtualMachine": ["recentTask": .array(of: .reference)]])

    fileprivate static let task = PropertyQuery([
        "Task": [
            "info.state": .text, "info.progress": .text, "info.descriptionId": .text,
            "info.error": .object([.methodFault: Projection.faultShape, .localizedMessage: .text]),
            "info.result": .reference,
        ]
    ])
}
