internal import IPAM
internal import Inventory
internal import Jobs
internal import Postgres
internal import SQL
internal import VSphere

/// What a deletion job was asked.
struct VMDeletionRequest: Codable, Sendable {
    /// The account's name, for listings.
    var account: String
    var accountID: Int64
    var vm: String
    var instanceUUID: String?
    var actor: String
    var origin: String?
    var timeouts: [String: Int]

    private enum CodingKeys: String, CodingKey {
        case account
        case accountID = "account_id"
        case vm
        case instanceUUID = "instance_uuid"
        case actor, origin, timeouts
    }
}

/// Deletes one VM: its guest is asked to shut down, then it is powered off, destroyed, and what it held goes into quarantine.
///
/// Every step looks at what is there first, so a worker that finds the job half-done simply does it again.
struct VMDeletion {
    let work: VMWork
    let request: VMDeletionRequest

    private var log: VMStepLog { work.log }
    private var title: String { work.title }

    func run() throws {
        do {
            try delete()
        } catch {
            try work.checkStop()
            switch error {
            case is JobError, is JobPostponement: throw error
            case let error as DatabaseError where error.mayPass: throw error
            default: break
            }
            if work.context.isCancelled { throw error }
            let failure = VMFailure(error, title: title)
            throw JobFailure(code: failure.code, message: failure.message)
        }
    }

    private func timeout(of step: VMStep) -> Duration {
        request.timeouts[step.rawValue].map { .seconds($0) } ?? step.timeout
    }

    private func delete() throws {
        let removal = VMRemoval(
            work: work, instanceUUID: request.instanceUUID, vm: request.vm, timeout: timeout(of:))
        try shutDown(removal)
        try work.context.checkCancellation()
        try log.begin(.destroy)
        try removal.remove()
        try log.end(.destroy)
        try release()
    }

    /// The guest's own way, as far as it has one; what it does not do in time is done without it.
    private func shutDown(_ removal: VMRemoval) throws {
        if try log.entry(.shutdown)?.isDone == true { return }
        try log.begin(.shutdown)
        let limit = timeout(of: .shutdown)
        // The server has some time beside the guest's.
        try work.server(.shutdown, within: limit + .seconds(300)) { hypervisor, _ in
            guard let facts = try removal.find(hypervisor) else { return }
            try requireDeletable(facts)
            guard facts.powerState == "poweredOn", facts.toolsRun else { return }
            do { try hypervisor.shutDownGuest(facts.id) } catch let error as VSphereError where error.faultKind != nil {
                work.context.log(
                    .info, code: "no_shutdown",
                    message: "the guest of VM \(facts.name) cannot be shut down: \(error.detail)")
                return
            }
            let end = ContinuousClock.now + limit
            while ContinuousClock.now < end {
                try work.context.checkCancellation()
                if try removal.isOff(facts.id, hypervisor) { return }
                work.wait(work.pace.first)
            }
            work.context.log(
                .info, code: "no_shutdown",
                message: "the guest of VM \(facts.name) did not shut down within \(limit.words); it is powered off")
        }
        try log.end(.shutdown)
    }

    private func requireDeletable(_ facts: MachineFacts) throws {
        if facts.isTemplate {
            throw ProvisioningError(.refused, "\(title): it is a template; make it a VM first if it is to go")
        }
    }

    private func release() throws {
        let connection = work.connection
        try work.final {
            try Actor(name: request.actor, origin: request.origin, job: work.context.job.id.value).declare(
                in: connection)
            if let uuid = request.instanceUUID,
                let row = try VMRequestTable.row(instanceUUID: uuid, of: work.account.id, in: connection)
            {
                // First of all: what it was made with ends with its adapters.
                try VMRequestTable.end(row.id, as: .deleted, in: connection)
                // What it was made with and its adapters do not have (any more) goes as well.
                try work.forgetAll(of: request.vm, instanceUUID: uuid)
                try connection.execute(Queries.releaseVMHolds, row.id, true)
            } else {
                try work.forgetAll(of: request.vm, instanceUUID: request.instanceUUID)
            }
            try log.mark(.release)
            work.context.log(
                .info, code: "deleted", message: "\(title): it is destroyed, and its addresses are in quarantine")
            try work.context.finish(in: connection)
        }
    }
}
