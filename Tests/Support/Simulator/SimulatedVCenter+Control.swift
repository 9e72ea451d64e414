import Foundation

/// The control verbs.
extension SimulatedVCenter {
    /// Becomes another scenario of the same kind and name: what differs is changed and announced.
    package func become(_ scenario: Scenario) throws {
        try put("PUT", "/scenario", scenario)
    }

    package func add(_ vms: [Scenario.VM]) throws {
        try put("POST", "/vm", vms)
    }

    package func add(_ vm: Scenario.VM) throws {
        try add([vm])
    }

    /// Makes the VM what is given; what is `nil` stays. Another host is a vMotion.
    package func change(_ vm: Scenario.VM) throws {
        try put("POST", "/vm/\(vm.identity)", vm)
    }

    /// Makes the host what is given; what is `nil` stays.
    package func change(_ host: Scenario.Host) throws {
        try put("POST", "/host/\(host.name)", host)
    }

    /// Makes the distributed switch what is given; what is `nil` stays.
    package func change(_ distributedSwitch: Scenario.DistributedSwitch) throws {
        try put("POST", "/switch/\(distributedSwitch.name)", distributedSwitch)
    }

    package func setGuest(of id: String, _ guest: [Scenario.GuestNIC], tools: Scenario.VM.Tools? = nil) throws {
        struct Form: Encodable {
            var guest: [Scenario.GuestNIC]
            var tools: Scenario.VM.Tools?
        }
        try put("POST", "/vm/\(id)/guest", Form(guest: guest, tools: tools))
    }

    /// Tools follow: they run with the VM.
    package func setPower(of id: String, _ power: Scenario.VM.Power) throws {
        try put("POST", "/vm/\(id)/power", ["power": power])
    }

    /// Whether `config` is unset, and the VM is found by its UUIDs no more.
    package func setInaccessible(_ id: String, _ isInaccessible: Bool) throws {
        try put("POST", "/vm/\(id)", ["inaccessible": isInaccessible])
    }

    package func remove(_ id: String) throws {
        try put("POST", "/vm/\(id)/remove", [String: String]())
    }

    /// Ends all sessions; waits that run answer NotAuthenticated.
    package func expireSessions() throws {
        try client.send("POST", "/sessions/expire")
    }

    /// What goes wrong with calls.
    package enum Fault: Sendable {
        /// The answer is this HTTP status with a page of HTML.
        case status(Int)
        case delay(milliseconds: Int)
        /// The connection breaks after so many bytes of the answer.
        case cut(afterBytes: Int)
        /// The connection breaks before the call is looked at.
        case drop
        /// The answer is this fault: "NotAuthenticated", "InvalidCollectorVersion".
        case soap(String)
        /// This property of a VM is not readable.
        case missing(vm: String, path: String, fault: String)
        /// This property of a host is not readable.
        case missingOnHost(String, path: String, fault: String)
        /// This property of the object with this id is not readable.
        case missingOnObject(String, path: String, fault: String)
    }

    /// Breaks calls.
    ///
    /// - Parameters:
    ///   - method: which; `nil`: any.
    ///   - count: how often; `nil`: once, a delay or a missing property without end.
    package func inject(_ fault: Fault, method: String? = nil, count: Int? = nil) throws {
        struct Missing: Encodable {
            var vm, host, object: String?
            var path, fault: String
        }
        struct Form: Encodable {
            var method: String?
            var count: Int?
            var status, delayMS, cutAfterBytes: Int?
            var soapFault: String?
            var drop: Bool?
            var missing: Missing?
        }
        var form = Form(method: method, count: count)
        switch fault {
        case .status(let status): form.status = status
        case .delay(let milliseconds): form.delayMS = milliseconds
        case .cut(let bytes): form.cutAfterBytes = bytes
        case .drop: form.drop = true
        case .soap(let name): form.soapFault = name
        case .missing(let vm, let path, let fault):
            form.missing = Missing(vm: vm, path: path, fault: fault)
            form.count = count ?? 0
        case .missingOnHost(let host, let path, let fault):
            form.missing = Missing(host: host, path: path, fault: fault)
            form.count = count ?? 0
        case .missingOnObject(let object, let path, let fault):
            form.missing = Missing(object: object, path: path, fault: fault)
            form.count = count ?? 0
        }
        try put("POST", "/fault", form)
    }

    /// Nothing goes wrong any more, and calls that are being delayed go on.
    package func clearFaults() throws {
        try client.send("DELETE", "/fault")
    }

    /// How clones behave from now on; `nil` leaves a thing as it is.
    package struct Provisioning: Encodable, Sendable {
        /// How long tasks stay in the state running.
        package var taskMS: Int?
        /// From power-on to running Tools.
        package var bootMS: Int?
        /// "apply"; "ignore" as a guest without the packages for it does; "fail".
        package var customization: String?
        /// Whether Tools come up at all.
        package var tools: Bool?
        /// What the guest reports instead of the address it was given.
        package var address: String?
        /// With what the next clone ends: "InsufficientResourcesFault".
        package var fault: String?
        /// With what the next task of a method ends: ["PowerOnVM_Task": "NoCompatibleHost"].
        package var faults: [String: String]?
        /// "tentative" or "duplicate": the state of the addresses that the guest was given.
        package var addressState: String?
        /// Whether adapters are connected once the VM runs.
        package var connected: Bool?
        /// "obey", or "ignore" as a guest that hangs does.
        package var shutdown: String?

        package init(
            taskMS: Int? = nil, bootMS: Int? = nil, customization: String? = nil, tools: Bool? = nil,
            address: String? = nil, fault: String? = nil, faults: [String: String]? = nil, connected: Bool? = nil,
            shutdown: String? = nil, addressState: String? = nil
        ) {
            self.taskMS = taskMS
            self.bootMS = bootMS
            self.customization = customization
            self.tools = tools
            self.address = address
            self.fault = fault
            self.faults = faults
            self.connected = connected
            self.shutdown = shutdown
            self.addressState = addressState
        }
    }

    /// The tasks that are running end at once.
    package func finishTasks() throws {
        try client.send("POST", "/tasks/finish")
    }

    /// Every task becomes unknown, as some minutes after its end; what runs goes on.
    package func forgetTasks() throws {
        try client.send("POST", "/tasks/forget")
    }

    /// The bodies of a method's requests as they were received, oldest first.
    package func requests(of method: String) throws -> [String] {
        try get("/requests/\(method)")
    }

    package func setProvisioning(_ provisioning: Provisioning) throws {
        try put("POST", "/provisioning", provisioning)
    }

    package struct Statistics: Decodable, Sendable {
        /// Calls by method.
        package let calls: [String: Int]
        /// The calls that run now, by method.
        package let running: [String: Int]
        /// The most that ran at one time, by method.
        package let runningMax: [String: Int]
        package let requestsNow: Int
        package let requestsMax: Int
        package let sessionsOpen: Int
        package let sessionsMax: Int
        package let logins: Int
        package let logouts: Int
        package let bytesSent: Int
    }

    package func statistics() throws -> Statistics {
        try get("/stats")
    }

    package func resetStatistics() throws {
        try client.send("DELETE", "/stats")
    }

    /// The object ids, by name; a distributed switch is "DATACENTER/SWITCH", its port group "DATACENTER/SWITCH/GROUP".
    /// A datacenter's VM folder has its name, those below are "DATACENTER/A/B"; a datastore is its datacenter's, a root
    /// pool its host's.
    package struct Objects: Decodable, Sendable {
        package let hosts, vms, switches, portGroups, networks: [String: String]
        package let datacenters, datastores, folders, pools: [String: String]
    }

    package func objects() throws -> Objects {
        try get("/objects")
    }

    private func put(_ method: String, _ path: String, _ body: some Encodable) throws {
        try client.send(method, path, Self.encode(body))
    }

    private func get<T: Decodable>(_ path: String) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(T.self, from: client.send("GET", path))
    }
}
