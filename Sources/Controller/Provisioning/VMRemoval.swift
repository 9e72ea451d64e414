internal import Jobs
internal import VSphere

/// Removes a VM from its server, whatever it is doing there: powers it off, and destroys it, each in its own time.
struct VMRemoval {
    let work: VMWork
    /// What the VM must have: an object id alone could be another's by now. `nil`: it is known by nothing but its id.
    let instanceUUID: String?
    /// Its object id, where that is known.
    let vm: String?
    /// Whether a person's cancellation does not stop it.
    var isUndoing = false
    let timeout: (VMStep) -> Duration
    /// Told before a VM is powered off that has run, whoever started it.
    var isRunning: () throws -> Void = {}

    /// The VM as the server knows it now: registered anew, it has another id. `nil` where it is proven absent.
    ///
    /// - Throws: ``ProvisioningError`` where that cannot be told.
    func find(_ hypervisor: any Hypervisor) throws -> MachineFacts? {
        guard let instanceUUID else { return try vm.flatMap { try hypervisor.machine($0) } }
        switch try hypervisor.presence(of: instanceUUID, knownAs: vm) {
        case .absent: return nil
        case .present(let facts): return facts
        case .unknown(let facts): throw ProvisioningError(unknown: facts, title: work.title)
        }
    }

    /// Returns when the server has no such VM any more; also where it had none.
    func remove() throws {
        try work.server(.powerOff, within: timeout(.powerOff), isUndoing: isUndoing) { hypervisor, deadline in
            try powerOff(hypervisor, deadline)
        }
        try work.server(.destroy, within: timeout(.destroy), isUndoing: isUndoing) { hypervisor, deadline in
            // It may have been started again.
            try powerOff(hypervisor, deadline)
            guard let facts = try find(hypervisor) else { return }
            try follow(.destroy, hypervisor, deadline, unless: { try find(hypervisor) == nil }) {
                try hypervisor.beginDestroying(facts.id)
            }
            guard try find(hypervisor) == nil else {
                throw ProvisioningError(
                    .failed, "\(work.title): the server says that it destroyed the VM, and it is still there")
            }
        }
    }

    private func powerOff(_ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant) throws {
        guard let facts = try find(hypervisor), facts.powerState != "poweredOff" else { return }
        try isRunning()
        try follow(.powerOff, hypervisor, deadline, unless: { try isOff(facts.id, hypervisor) }) {
            try hypervisor.beginPoweringOff(facts.id)
        }
    }

    /// Whether it is off, or gone.
    func isOff(_ vm: String, _ hypervisor: any Hypervisor) throws -> Bool {
        guard let facts = try hypervisor.machine(vm) else { return true }
        return facts.powerState == "poweredOff"
    }

    /// What another did first is done as well.
    private func follow(
        _ step: VMStep, _ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant,
        unless isDone: () throws -> Bool, _ begin: () throws -> String
    ) throws {
        try work.requireTrust()
        do {
            try work.follow(begin(), step, hypervisor, until: deadline)
        } catch let error as VSphereError where error.faultKind != nil || error.code == .taskForgotten {
            if try !isDone() { throw error }
        }
    }
}
