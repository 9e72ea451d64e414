internal import Addressing
internal import IPAM
internal import Jobs
internal import Postgres
internal import SQL
internal import VSphere

/// The way back: what was made is removed, and what was held is let go of, in that order.
extension VMCreation {
    /// What is left of the VM.
    private enum Remains {
        case absent
        case kept(String)
    }

    /// Takes back what was done, and fails the job; postpones it where that cannot be done now.
    func undo(_ failure: VMFailure) throws -> Never {
        let told = try postponing {
            // The connection may have been lost while a guest was waited for, and nobody noticed.
            try log.fenced { try VMRequestTable.setError(failure, of: row.id, in: connection) }
            switch try remove(reread()) {
            case .absent: return try release(reread())
            case .kept(let vm): return try keep(vm, reread())
            }
        }
        throw JobFailure(code: told.code, message: told.message)
    }

    private func reread() throws -> VMRequestRow {
        guard let present = try VMRequestTable.row(row.id, in: connection) else {
            throw JobFailure(code: "account_gone", message: "\(title): its account was removed while it was being made")
        }
        return present
    }

    private func postponing<T>(_ body: () throws -> T) throws -> T {
        do {
            return try body()
        } catch {
            try work.checkStop()
            if error is JobFailure { throw error }
            if let error = error as? JobError, error.code == .lostLease { throw error }
            let failure = VMFailure(error, title: title)
            let delay = context.postponement
            context.log(
                .warning, code: "not_undone", subject: row.name,
                message:
                    "what was made of VM \(row.name) cannot be removed now, which is tried again in \(delay.words): "
                    + failure.message)
            throw JobPostponement(delay, message: failure.message)
        }
    }

    private func remove(_ present: VMRequestRow) throws -> Remains {
        // Nothing was ever asked of the server. A log that has not even the plan went with the job that wrote it.
        let isWhole = try present.plan == nil || log.entry(.plan) != nil
        guard try log.entry(.clone) != nil || !isWhole else { return .absent }
        let limit = row.request.timeout(of: .destroy)
        try log.begin(.destroy)
        let vm = try work.server(.destroy, within: limit, isUndoing: true) { hypervisor, deadline in
            try findRemains(present, hypervisor, deadline)
        }
        if let vm, row.request.keeps { return .kept(vm) }
        try VMRemoval(
            work: work, instanceUUID: row.instanceUUID, vm: vm ?? present.vm, isUndoing: true,
            timeout: row.request.timeout(of:),
            isRunning: {
                // Whoever started it, and whatever it was asked to be: its guest may use what it was given.
                try log.fenced { try VMRequestTable.setPoweredOn(row.id, true, in: connection) }
            }
        ).remove()
        try log.end(.destroy)
        return .absent
    }

    /// What may have become of a clone that was begun.
    private func findRemains(
        _ present: VMRequestRow, _ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant
    ) throws -> String? {
        if let clone = try log.entry(.clone), !clone.isDone {
            for task in clone.detail.tasks { try end(task, hypervisor, deadline) }
            if let plan = present.plan { try settleClone(plan, isUndoing: true, hypervisor, deadline) }
        }
        try work.checkStop()
        return try findOwn(hypervisor, knownAs: present.vm)
    }

    /// However it ends, afterwards it is known what there is.
    private func end(_ task: String, _ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant) throws {
        func isOver(_ error: VSphereError) -> Bool { error.code == .taskForgotten || error.faultKind != nil }
        // One that cannot be ended is waited for.
        do { try hypervisor.cancel(task) } catch let error as VSphereError where isOver(error) {}
        do { try work.follow(task, .clone, hypervisor, until: deadline) } catch let error as VSphereError
            where isOver(error)
        {}
    }

    private func release(_ present: VMRequestRow) throws -> VMFailure {
        let isCanceled = present.errorCode == "canceled"
        var message = VMFailure(code: present.errorCode ?? "failed", message: present.error ?? "\(title): it failed")
        var subnets: Set<Int64> = []
        try work.final {
            try actor.declare(in: connection)
            // First of all: whoever allocates for it just now is done afterwards, and what it was given is seen.
            try VMRequestTable.lock(row.id, in: connection)
            try work.forgetAll(of: present.vm, instanceUUID: row.instanceUUID)
            let released = try connection.query(Queries.releaseVMHolds, row.id, present.poweredOn)
            subnets = Set(try released.map { try $0.get(0, as: Int64.self) })
            let words = try released.map { try $0.get(1, as: IPAddress.self).description }.sorted().joined(
                separator: " and ")
            message = message.followed(by: try consequence(present, words))
            try VMRequestTable.end(row.id, as: isCanceled ? .canceled : .failed, error: message, in: connection)
            try log.mark(.release)
        }
        if !present.poweredOn {
            // Free at once: nobody need wait for the next one who allocates.
            do {
                for subnet in subnets.sorted() { try SubnetTable.settle(subnet, in: connection) }
            } catch {
                context.log(
                    .info, code: "not_settled", subject: row.name,
                    message:
                        "the addresses are let go of, and free with the next allocation: \(VMFailure(error, title: title).message)"
                )
            }
        }
        return message
    }

    private func consequence(_ present: VMRequestRow, _ addresses: String) throws -> String {
        let start =
            present.vm != nil
            ? "the VM is removed again" : try log.entry(.clone) == nil ? "nothing was made" : "nothing is left of it"
        if addresses.isEmpty { return start }
        let verb = addresses.contains(" and ") ? "are" : "is"
        return "\(start), and \(addresses) \(verb) \(present.poweredOn ? "in quarantine" : "free again")"
    }

    /// The VM stays, and its addresses with it.
    private func keep(_ vm: String, _ present: VMRequestRow) throws -> VMFailure {
        guard let plan = present.plan else { throw ProvisioningError(.failed, "\(title): it has no plan") }
        try stage(vm, isUndoing: true)
        let message = VMFailure(code: present.errorCode ?? "failed", message: present.error ?? "\(title): it failed")
            .followed(
                by:
                    "the VM stays, as you asked, with \(plan.addressWords); to remove it: wireloom vm delete \(row.name)"
            )
        try work.final {
            try register(vm, plan)
            try VMRequestTable.setVM(vm, of: row.id, in: connection)
            try VMRequestTable.end(row.id, as: .kept, error: message, in: connection)
        }
        return message
    }
}
