internal import Addressing
internal import IPAM
internal import Inventory
internal import Jobs
internal import Postgres
internal import SQL
internal import VSphere

/// Makes one VM, or leaves nothing behind; a job of its own.
///
///     plan -> hold -> clone -> (configure) -> (power_on -> guest) -> place
///       └──────┴────────┴──────────┴──────────────┴───────────────────┴──> destroy -> release
///
/// Each step is written down before it is done and afterwards, and begins by looking at what is there. So a worker that finds the
/// job half-done does the same as one that begins it: what is done is done, what may have been done is looked for by the
/// instance UUID, which the VM has from its first moment. What went wrong first is written down before anything is undone,
/// and then there is only one way left. The address is let go of only when the VM is proven absent.
///
/// The job ends by its result, or by the `JobFailure` of an undoing that was completed; whatever else is thrown here postpones it.
struct VMCreation {
    let work: VMWork
    let row: VMRequestRow
    let database: Database
    /// Cloud-init's user-data: opened when it is needed, so that a worker with another key can undo what was made.
    let userData: () throws -> Secret?

    var log: VMStepLog { work.log }
    var connection: Connection { work.connection }
    var context: JobContext { work.context }
    var title: String { work.title }
    var actor: Actor { Actor(name: row.actor, origin: row.origin, job: context.job.id.value) }

    func run() throws {
        var failure = row.error.map { VMFailure(code: row.errorCode ?? "failed", message: $0) }
        if failure == nil {
            do { return try advance() } catch { failure = try reason(for: error) }
        }
        if let failure { try undo(failure) }
    }

    /// Why what was made is taken back.
    ///
    /// - Throws: what is no reason to, because the next try may well succeed.
    private func reason(for error: any Error) throws -> VMFailure {
        try work.checkStop()
        switch error {
        case is JobPostponement: throw error
        case let error as JobError where error.code == .lostLease: throw error
        // The database may well be back in a moment; what it was told last stands.
        case let error as DatabaseError where error.mayPass:
            throw JobPostponement(context.postponement, message: error.detail)
        // Others were faster in a subnet that is nearly full: it is not known yet whether anything is left.
        case let error as NetworkError where error.code == .busy:
            throw JobPostponement(work.pace.first, message: error.detail)
        // This worker has another key than the rest: that says nothing of the VM.
        case let error as InventoryError where error.code == .key:
            throw JobPostponement(context.postponement, message: error.detail)
        default: break
        }
        return switch context.cancellation.reason {
        case .requested(let person):
            VMFailure(code: "canceled", message: "\(title): canceled" + (person.map { " by \($0)" } ?? ""))
        default: VMFailure(error, title: title)
        }
    }

    private func advance() throws {
        var plan = try plan()
        plan = try hold(plan)
        let vm = try clone(plan)
        if plan.guest.configuration == .cloudInit { try configure(vm, plan) }
        if plan.powersOn {
            try powerOn(vm, plan)
            try awaitGuest(of: vm, plan)
        }
        try place(vm, plan)
    }

    private func plan() throws -> VMPlan {
        if let plan = row.plan { return plan }
        try context.checkCancellation()
        try log.begin(.plan)
        let plan = try work.server(.plan, within: row.request.timeout(of: .plan)) { hypervisor, _ in
            try VMPlanner(account: work.account, request: row.request, connection: connection).plan(hypervisor)
        }
        try log.end(.plan) { try VMRequestTable.setPlan(plan, of: row.id, in: connection) }
        for line in plan.words { context.log(.info, code: "plan", message: line) }
        return plan
    }

    /// The addresses are the job's own from here on: allocated under a key of this making of it, so that a second try gets the same,
    /// also by a job that took this one's over.
    private func hold(_ plan: VMPlan) throws -> VMPlan {
        if try log.entry(.hold)?.isDone == true { return plan }
        try context.checkCancellation()
        try log.begin(.hold)
        var plan = plan
        let allocator = Allocator(database: database, actor: actor)
        let maker = row.begunBy ?? context.job.id
        for (adapter, index) in plan.positions {
            let address = plan.adapters[adapter].addresses[index]
            var request = AllocationRequest(
                subnet: String(address.subnetID), address: address.isNamed ? address.ip.flatMap { IPAddress($0) } : nil,
                owner: "VM \(row.name) (job \(maker))",
                key: "vm-request \(row.id), job \(maker), adapter \(adapter + 1).\(index + 1)")
            request.virtualMachineRequest = row.id
            plan.adapters[adapter].addresses[index].ip = try allocator.allocate(request).addresses[0].description
        }
        try log.end(.hold) { try VMRequestTable.setPlan(plan, of: row.id, in: connection) }
        context.log(.info, code: "held", subject: row.name, message: "\(plan.addressWords) held for VM \(row.name)")
        return plan
    }

    private func clone(_ plan: VMPlan) throws -> String {
        if try log.entry(.clone)?.isDone == true, let vm = row.vm { return vm }
        try context.checkCancellation()
        try log.begin(.clone)
        let vm = try work.server(.clone, within: row.request.timeout(of: .clone)) { hypervisor, deadline in
            try followEarlier(.clone, hypervisor, deadline)
            try settleClone(plan, hypervisor, deadline)
            if let id = try findOwn(hypervisor) { return try awaitConfiguration(of: id, hypervisor, deadline) }
            try work.requireTrust()
            let before = try hypervisor.cloning(of: plan.template.id)
            do {
                let task = try log.ask(.clone, before: before) {
                    try hypervisor.beginCloning(plan, instanceUUID: row.instanceUUID)
                }
                if let id = try work.follow(task, .clone, hypervisor, until: deadline) { return id }
            } catch let error as VSphereError where error.faultKind == .duplicateName {
                // Perhaps it is the VM of a call whose answer was lost; one that is being made does not say yet whose it is.
                if let other = error.object?.value { _ = try awaitConfiguration(of: other, hypervisor, deadline) }
                if let id = try findOwn(hypervisor, knownAs: error.object?.value) {
                    return try awaitConfiguration(of: id, hypervisor, deadline)
                }
                let other = error.object.map { " (\($0.value))" } ?? ""
                throw ProvisioningError(
                    .failed,
                    "\(title): \(VMStep.clone.phrase) failed with DuplicateName: folder \(plan.folder.name) has a VM of this name "
                        + "already\(other); choose another name or folder", fault: error.fault)
            }
            guard let id = try findOwn(hypervisor) else {
                throw ProvisioningError(
                    .failed, "\(title): the server says that it cloned the template, and there is no VM")
            }
            return id
        }
        try log.end(.clone) { try VMRequestTable.setVM(vm, of: row.id, in: connection) }
        context.log(
            .info, code: "cloned", subject: row.name,
            message: "VM \(row.name) is \(vm), cloned from \(plan.template.name)")
        return vm
    }

    /// A VM that is found while it is still being cloned has no configuration yet.
    private func awaitConfiguration(
        of vm: String, _ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant
    ) throws -> String {
        while let facts = try hypervisor.machine(vm), facts.instanceUUID == nil, ContinuousClock.now < deadline {
            try context.checkCancellation()
            work.wait(work.pace.longest)
        }
        return vm
    }

    /// A task that an earlier try began, or a worker that is gone, is still the one that counts.
    private func followEarlier(
        _ step: VMStep, _ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant
    ) throws {
        while let detail = try log.entry(step)?.detail, let task = detail.tasks.first {
            do {
                try work.follow(task, step, hypervisor, until: deadline)
                if detail.tasks.count == 1 { return }
                try forget(task, of: step)
            } catch let error as VSphereError where error.code == .taskForgotten || error.faultKind != nil {
                // It is over, and not to be followed once more. Where the server has forgotten it, what is there decides.
                try forget(task, of: step)
                if error.code != .taskForgotten { throw error }
            }
        }
    }

    private func forget(_ task: String, of step: VMStep) throws {
        guard var detail = try log.entry(step)?.detail else { return }
        detail.tasks.removeAll { $0 == task }
        try log.note(detail, of: step)
    }

    /// Finds out what became of a clone that the server was asked for and whose answer was lost. Afterwards the VM is there, or no
    /// clone is under way that could become it.
    ///
    /// A task does not tell what it makes, so every clone of the template that was not there before is waited for, unless another job
    /// knows it for its own; none is ended, for it may be anybody's. Where tasks cannot be read, a clone may come for as long as one
    /// may take.
    func settleClone(
        _ plan: VMPlan, isUndoing: Bool = false, _ hypervisor: any Hypervisor, _ deadline: ContinuousClock.Instant
    ) throws {
        guard let entry = try log.entry(.clone), !entry.isDone, entry.detail.isAsked else { return }
        // The call may still be on its way to becoming a task.
        let settled = ContinuousClock.now + work.pace.settle
        while ContinuousClock.now < settled, try findOwn(hypervisor) == nil {
            if isUndoing { try work.checkStop() } else { try context.checkCancellation() }
            work.wait(work.pace.first, isUndoing: isUndoing)
        }
        if let before = entry.detail.before, let tasks = try hypervisor.cloning(of: plan.template.id) {
            let known = try log.clonesOfOthers().union(before)
            for task in tasks where !known.contains(task) {
                do { try work.follow(task, .clone, hypervisor, until: deadline) } catch let error as VSphereError
                    where error.code == .taskForgotten || error.faultKind != nil
                {}
            }
        } else {
            let limit = row.request.timeout(of: .clone)
            while try findOwn(hypervisor) == nil, try (log.entry(.clone)?.age ?? limit) < limit {
                // To undo it, the job comes back later.
                guard !isUndoing, ContinuousClock.now < deadline else {
                    throw ProvisioningError(
                        isUndoing ? .failed : .timedOut,
                        "\(title): the answer to its cloning was lost, and the account's user may not read the tasks of template "
                            + "\(plan.template.name): a VM may come of it for \(limit.words)")
                }
                try context.checkCancellation()
                work.wait(work.pace.longest)
            }
        }
        guard var detail = try log.entry(.clone)?.detail else { return }
        detail.isAsked = false
        detail.before = nil
        try log.note(detail, of: .clone)
    }

    /// The VM of this request, confirmed by its mark; `nil` where it is proven absent.
    ///
    /// - Parameter id: what it is known as, where the row of the request does not have it yet.
    func findOwn(_ hypervisor: any Hypervisor, knownAs id: String? = nil) throws -> String? {
        switch try hypervisor.presence(of: row.instanceUUID, knownAs: id ?? row.vm) {
        case .absent: return nil
        case .unknown(let facts): throw ProvisioningError(unknown: facts, title: title)
        case .present(let facts):
            guard facts.mark == nil || facts.mark == row.instanceUUID else {
                throw ProvisioningError(
                    .failed,
                    "\(title): the VM \(facts.name) (\(facts.id)) has its instance UUID \(row.instanceUUID) and not its mark; it "
                        + "is left alone")
            }
            return facts.id
        }
    }

    private func configure(_ vm: String, _ plan: VMPlan) throws {
        if try log.entry(.configure)?.isDone == true { return }
        try context.checkCancellation()
        try log.begin(.configure)
        let userData = try userData()
        try work.server(.configure, within: row.request.timeout(of: .configure)) { hypervisor, deadline in
            try followEarlier(.configure, hypervisor, deadline)
            _ = try own(vm, hypervisor)
            try work.requireTrust()
            let task = try log.ask(.configure) {
                try hypervisor.beginConfiguring(vm, plan, instanceUUID: row.instanceUUID, userData: userData)
            }
            try work.follow(task, .configure, hypervisor, until: deadline)
        }
        try log.end(.configure)
    }

    private func powerOn(_ vm: String, _ plan: VMPlan) throws {
        if try log.entry(.powerOn)?.isDone == true { return }
        try context.checkCancellation()
        // What an earlier worker came to is not known: it may have run.
        var mayHaveRun = try log.entry(.powerOn) != nil
        try log.begin(.powerOn) { try VMRequestTable.setPoweredOn(row.id, true, in: connection) }
        do {
            try work.server(.powerOn, within: row.request.timeout(of: .powerOn)) { hypervisor, deadline in
                try followEarlier(.powerOn, hypervisor, deadline)
                if try own(vm, hypervisor).powerState == "poweredOn" { return }
                try work.requireTrust()
                do {
                    let task = try log.ask(.powerOn) { try hypervisor.beginPoweringOn(vm, plan) }
                    try work.follow(task, .powerOn, hypervisor, until: deadline)
                } catch {
                    // But for what the server says that it did not do.
                    if (error as? VSphereError)?.faultKind == nil { mayHaveRun = true }
                    throw error
                }
            }
        } catch let error as ProvisioningError where !mayHaveRun && error.fault != nil && error.code == .failed {
            // The server refused, and nobody else did it: its guest has used no address.
            let isOff = try work.server(.powerOn, within: .seconds(60)) { hypervisor, _ in
                try hypervisor.machine(vm)?.powerState == "poweredOff"
            }
            if isOff { try log.fenced { try VMRequestTable.setPoweredOn(row.id, false, in: connection) } }
            throw error
        }
        try log.end(.powerOn)
    }

    /// - Throws: an error that may pass, where the server has no configuration of it to show now.
    private func own(_ vm: String, _ hypervisor: any Hypervisor) throws -> MachineFacts {
        guard let facts = try hypervisor.machine(vm) else {
            throw ProvisioningError(.failed, "\(title): somebody else removed it while it was being made")
        }
        guard let uuid = facts.instanceUUID else {
            throw VSphereError(.unavailable, "the server shows no configuration of \(vm): it is inaccessible now")
        }
        guard uuid == row.instanceUUID else {
            throw ProvisioningError(
                .failed, "\(title): somebody else removed it while it was being made: \(vm) is the VM \(facts.name) now"
            )
        }
        return facts
    }

    private func awaitGuest(of vm: String, _ plan: VMPlan) throws {
        if try log.entry(.guest)?.isDone == true { return }
        try context.checkCancellation()
        try log.begin(.guest)
        try watchGuest(of: vm, plan, for: row.request.timeout(of: .guest))
        try log.end(.guest)
    }

    /// Returns when the guest reports what it was given.
    private func watchGuest(of vm: String, _ plan: VMPlan, for limit: Duration) throws {
        let expected = plan.adapters.map { adapter in
            (key: adapter.key, addresses: adapter.addresses.compactMap { $0.ip.flatMap { IPAddress($0) } })
        }
        // Since when its guest has had another address.
        var since: ContinuousClock.Instant?
        try work.server(.guest, within: limit) { hypervisor, deadline in
            var verdict = GuestVerdict.waiting(for: "nothing is told of its guest")
            var patience = work.pace.otherAddress
            while ContinuousClock.now < deadline {
                try context.checkCancellation()
                _ = try own(vm, hypervisor)
                let slice = min(deadline - ContinuousClock.now, patience)
                let isReady = try hypervisor.watchGuest(vm, for: slice) { facts in
                    verdict = GuestVerdict(facts, expecting: expected)
                    // A guest whose customization nobody tells of may have the address of before it for a while.
                    patience = work.pace.otherAddress * (facts.customization == .succeeded ? 1 : 10)
                    if case .failed(let why) = verdict { throw ProvisioningError(.failed, "\(title): \(why)") }
                    if case .other = verdict { since = since ?? .now } else { since = nil }
                    return verdict == .ready
                }
                if isReady { return }
                if let since, ContinuousClock.now - since >= patience { break }
            }
            throw late(verdict, row.request.timeout(of: .guest), plan)
        }
    }

    private func late(_ verdict: GuestVerdict, _ limit: Duration, _ plan: VMPlan) -> ProvisioningError {
        switch verdict {
        case .other(let given, let reported):
            ProvisioningError(
                .otherAddress, "\(title): its guest reports \(reported), and it was given \(given)")
        case .waiting(let what):
            ProvisioningError(
                .timedOut, "\(title): its guest did not report \(plan.addressWords) within \(limit.words): \(what)")
        case .ready, .failed: ProvisioningError(.failed, "\(title): its guest is \(verdict)")
        }
    }

    /// An address of the plan that the guest did not report when the VM was read.
    private struct NotReported: Error {
        let ip: IPAddress
    }

    /// The hold becomes the placement: one transaction with the VM's inventory and the end of the job.
    ///
    /// Tools that restart tell nothing for a while: what the guest had reported is waited for once more, for as long as its step may
    /// take.
    private func place(_ vm: String, _ plan: VMPlan) throws {
        try context.checkCancellation()
        try log.begin(.place)
        let end = ContinuousClock.now + row.request.timeout(of: .guest)
        while true {
            try stage(vm)
            do {
                return try finish(vm, plan)
            } catch let error as NotReported {
                guard ContinuousClock.now < end else {
                    throw ProvisioningError(
                        .timedOut, "\(title): its guest reported \(error.ip) and does not any more")
                }
                context.log(
                    .info, code: "not_reported", subject: row.name,
                    message: "its guest does not report \(error.ip) just now, and is waited for once more")
                work.wait(work.pace.first)
                try watchGuest(of: vm, plan, for: end - .now)
            }
        }
    }

    private func finish(_ vm: String, _ plan: VMPlan) throws {
        try work.final {
            try register(vm, plan)
            if plan.powersOn { try requirePlaced(vm, plan) }
            try VMRequestTable.end(row.id, as: .created, in: connection)
            try log.mark(.place)
            context.log(
                .info, code: "created", subject: row.name,
                message: plan.powersOn
                    ? "VM \(row.name) is made and reports \(plan.addressWords)"
                    : "VM \(row.name) is made, and is off; \(plan.addressWords) stays its own")
            try context.finish(in: connection)
        }
    }

    /// Reads the VM as a sync does, and stages it.
    func stage(_ vm: String, isUndoing: Bool = false) throws {
        let record = try work.server(.place, within: row.request.timeout(of: .place), isUndoing: isUndoing) {
            hypervisor, _ in
            guard let record = try hypervisor.record(vm) else {
                throw ProvisioningError(.failed, "\(title): somebody else removed it while it was being made")
            }
            return record
        }
        let staging = try Staging(of: work.account.id, on: connection, comparesVirtualMachines: false)
        var writer = SnapshotWriter(account: work.account, staging: staging)
        try writer.add(.virtualMachine(record))
        try writer.finish()
    }

    /// Writes what is staged of the VM, places what it reports, and gives its adapters what they do not report yet.
    func register(_ vm: String, _ plan: VMPlan) throws {
        try actor.declare(in: connection)
        try InventoryMerge.applyVirtualMachines(account: work.account.id, in: connection)
        try connection.execute(
            """
            INSERT INTO touched (account_id, owner, owner_id, device, ip)
            SELECT account_id, owner, owner_id, device, ip FROM nic_address
            WHERE account_id = $1::bigint AND owner = 'vm' AND owner_id = $2::text
            """, work.account.id, vm)
        try Placement.place(account: nil, in: connection)
        for adapter in plan.adapters {
            for address in adapter.addresses {
                guard let ip = address.ip.flatMap({ IPAddress($0) }) else { continue }
                try connection.execute(
                    """
                    UPDATE address a SET account_id = $3::bigint, owner = 'vm', owner_id = $4::text, device = $5::text, since = now()
                    FROM allocation_key k
                    WHERE a.subnet_id = $1::bigint AND a.ip = $2::inet AND a.account_id IS NULL AND k.id = a.key_id
                        AND k.vm_request_id = $6::bigint
                        AND EXISTS (SELECT FROM nic n WHERE n.account_id = $3 AND n.owner = 'vm' AND n.owner_id = $4
                            AND n.device = $5)
                    """, address.subnetID, ip, work.account.id, vm, String(adapter.key), row.id)
            }
        }
        try work.weighEvidence()
        try InventoryMerge.outdate(vm, of: work.account.id, isGone: false, in: connection)
    }

    /// Every address is placed in the subnet that it is of, and its adapter holds it.
    ///
    /// - Throws: ``NotReported``; ``ProvisioningError`` where it is reported and has no place there.
    private func requirePlaced(_ vm: String, _ plan: VMPlan) throws {
        for adapter in plan.adapters {
            for address in adapter.addresses {
                guard let ip = address.ip.flatMap({ IPAddress($0) }) else { continue }
                let row = try connection.query(
                    """
                    SELECT p.reason, p.subnet_id IS NOT DISTINCT FROM $5::bigint AND p.reason IS NULL
                        AND EXISTS (SELECT FROM address a WHERE a.subnet_id = $5 AND a.ip = $4::inet AND a.state = 'held'
                            AND (a.account_id, a.owner, a.owner_id, a.device) = ($1::bigint, 'vm', $2::text, $3::text))
                    FROM placement p
                    WHERE (p.account_id, p.owner, p.owner_id, p.device, p.ip) = ($1, 'vm', $2, $3, $4)
                    """, work.account.id, vm, String(adapter.key), ip, address.subnetID
                ).first
                guard let row else { throw NotReported(ip: ip) }
                if try row.get(1, as: Bool.self) { continue }
                let reason = try row.get(0, as: String?.self) ?? "another one has it"
                throw ProvisioningError(
                    .failed,
                    "\(title): its guest reports \(ip), which has no place in subnet \(address.subnet) any more (\(reason)): the "
                        + "network was changed while it was being made")
            }
        }
    }
}
