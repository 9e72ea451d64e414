internal import Jobs
internal import VSphere

/// Removes a VM from its server, whatever it is doing there.
struct VMRemoval {
    let work: VMWork

    /// Returns when the server has no such VM any more; also where it had none.
    ///
    /// - Parameter instanceUUID: what the VM must have: an object id alone could be another's by now.
    func remove(
        _ vm: String, instanceUUID: String?, _ hypervisor: any Hypervisor, until deadline: ContinuousClock.Instant
    ) throws {
        guard let facts = try hypervisor.machine(vm) else { return }
        guard instanceUUID == nil || facts.instanceUUID?.lowercased() == instanceUUID else {
            throw ProvisioningError(
                .refused,
                "\(work.title): \(vm) is the VM \(facts.name) now, with another instance UUID; it is left alone")
        }
        if facts.powerState != "poweredOff" { try powerOff(vm, hypervisor, deadline) }
        try follow(.destroy, hypervisor, deadline, unless: { try hypervisor.machine(vm) == nil }) {
            try hypervisor.beginDestroying(vm)
        }
        guard try hypervisor.machine(vm) == nil else {
            throw ProvisioningError(
                .failed, "\(work.title): the server says that it destroyed the VM, and it is still there")
        }
    }

    func powerOff(_ vm: String, _ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant) throws {
        try follow(.powerOff, hypervisor, deadline, unless: { try isOff(vm, hypervisor) }) {
            try hypervisor.beginPoweringOff(vm)
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
