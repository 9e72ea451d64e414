internal import Addressing
internal import Inventory
internal import VSphere

/// What making and deleting VMs asks of one vSphere endpoint, in the words of plans: so much of the API as jobs need, and no more.
///
/// Calls block, and throw ``VSphereError``. A task is begun and followed apart, so that its name can be written down between.
protocol Hypervisor {
    /// What is known of a template before anything is made of it.
    func template(_ id: String) throws -> TemplateFacts
    /// Where a VM goes that is made of a template on a host.
    ///
    /// - Throws: ``ProvisioningError`` with code `not_found` or `ambiguous_name` for a name that finds nothing, or several.
    func location(_ request: VMRequest, of template: TemplateFacts, on host: VMPlan.Host) throws -> MachineLocation
    /// The VM with an instance UUID, also while it is being cloned.
    func find(instanceUUID: String) throws -> String?
    /// `nil` where there is no such VM any more.
    func machine(_ id: String) throws -> MachineFacts?
    /// The tasks that a template is being cloned by now, whoever began them; `nil` where the account's user may not read that.
    func cloning(of template: String) throws -> [String]?
    /// The VM as a sync would read it; `nil` where there is none any more.
    func record(_ id: String) throws -> VirtualMachineRecord?

    func beginCloning(_ plan: VMPlan, instanceUUID: String) throws -> String
    func beginConfiguring(_ id: String, _ plan: VMPlan, instanceUUID: String, userData: Secret?) throws -> String
    func beginPoweringOn(_ id: String, _ plan: VMPlan) throws -> String
    func beginPoweringOff(_ id: String) throws -> String
    func beginDestroying(_ id: String) throws -> String
    /// Asks the guest, which may take its time or not listen.
    func shutDownGuest(_ id: String) throws
    /// Asks the server to end a task, which may not be one that can be ended.
    func cancel(_ task: String) throws
    /// Looks at a guest now and whenever something of it changes, for a while.
    ///
    /// - Returns: whether `decide` was content in that time.
    func watchGuest(_ id: String, for time: Duration, _ decide: (GuestFacts) throws -> Bool) throws -> Bool
    /// Follows a task to its end.
    ///
    /// - Parameter progress: told the percentage where there is news.
    /// - Returns: the id of the object that it made, where it made one.
    /// - Throws: ``VSphereError`` with the fault that it ended with; with code `timed_out` at the deadline, and with
    ///   `task_forgotten` where the server does not know how it ended.
    func follow(_ task: String, until deadline: ContinuousClock.Instant, progress: @escaping (Int) -> Void) throws
        -> String?
}

struct TemplateFacts {
    struct Adapter {
        let key: Int
        let label: String
    }

    let id: String
    let name: String
    let isTemplate: Bool
    let powerState: String?
    /// `nil` where the guest's kind is not known.
    let os: OSFamily?
    /// vSphere's name for the guest's kind.
    let guestID: String?
    let hasTools: Bool
    /// `nil` where it is not told.
    let coresPerSocket: Int?
    /// In the order of devices, as the customization counts them.
    let adapters: [Adapter]
}

/// Managed objects with their names.
struct MachineLocation {
    let resourcePool: VMPlan.Named
    let folder: VMPlan.Named
    let datastore: VMPlan.Named?
    let snapshot: VMPlan.Named?
}

/// A VM as the server has it now.
struct MachineFacts {
    let id: String
    let name: String
    /// Lower case; `nil` where the server has no configuration of it to show: it is being made, or is inaccessible.
    let instanceUUID: String?
    let isTemplate: Bool
    /// `poweredOn`, `poweredOff`, `suspended`.
    let powerState: String?
    let toolsRun: Bool
    /// The mark of the request that it was made by; `nil` where it has none.
    let mark: String?
}

/// What is told of a VM's guest.
struct GuestFacts {
    struct Adapter {
        /// The device key of the VM's adapter.
        let key: Int
        let isConnected: Bool
        /// The addresses that count, as in a sync.
        var reported: [IPAddress] = []
        /// Those that the guest does not use yet, until it knows whether another machine does.
        var tentative: [IPAddress] = []
        /// Those that it does not use, because another machine does.
        var duplicate: [IPAddress] = []
    }

    enum Customization: Equatable {
        /// None was asked for, or the server does not tell.
        case unknown
        case pending, running, succeeded
        case failed(String?)
    }

    let powerState: String?
    let toolsRun: Bool
    let customization: Customization
    /// Those that the guest tells of.
    let adapters: [Adapter]
}

/// What a server shows of a VM that is looked for by its instance UUID.
enum MachinePresence {
    /// Proven absent: it is found by its UUID no more, and what has its object id is none, or another VM.
    case absent
    case present(MachineFacts)
    /// Something has its object id and tells no instance UUID: the VM may well be there.
    case unknown(MachineFacts)
}

extension Hypervisor {
    /// - Parameter id: the VM's object id, where it was ever known: a VM that is inaccessible is found by that alone.
    func presence(of instanceUUID: String, knownAs id: String?) throws -> MachinePresence {
        if let found = try find(instanceUUID: instanceUUID), let facts = try machine(found) { return .present(facts) }
        guard let id, let facts = try machine(id) else { return .absent }
        guard let uuid = facts.instanceUUID else { return .unknown(facts) }
        return uuid == instanceUUID ? .present(facts) : .absent
    }
}

/// How to get at an account's endpoint.
protocol HypervisorSource: Sendable {
    /// Logs in; the session ends with `body`.
    func with<T>(_ account: Account, _ token: CancellationToken, _ body: (any Hypervisor) throws -> T) throws -> T
}
