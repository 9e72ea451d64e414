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
struct VMCreation {
    let work: VMWork
    let row: VMRequestRow
    let database: Database
    /// Cloud-init's user-data.
    let userData: Secret?

    var log: VMStepLog { work.log }
    var connection: Connection { work.connection }
    var context: JobContext { work.context }
    var title: String { work.title }
    var actor: Actor { Actor(name: row.actor, origin: row.origin, job: context.job.id.value) }

    func run() throws {
        if let message = row.error {
            try undo(VMFailure(code: row.errorCode ?? "failed", message: message))
        }
        do {
            try advance()
        } catch {
            try work.checkStop()
            switch error {
            case is JobPostponement: throw error
            case let error as JobError where error.code == .lostLease: throw error
            // The database may well be back in a moment; what it was told last stands.
            case let error as DatabaseError where error.mayPass:
                throw JobPostponement(work.postponement, message: error.detail)
            // Others were faster in a subnet that is nearly full: it is not known yet whether anything is left.
            case let error as NetworkError where error.code == .busy:
                throw JobPostponement(work.pace.first, message: error.detail)
            default: break
            }
            let reason: VMFailure =
                switch context.cancellation.reason {
                case .requested(let person):
                    VMFailure(code: "canceled", message: "\(title): canceled" + (person.map { " by \($0)" } ?? ""))
                default: VMFailure(error, title: title)
                }
            try undo(reason)
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

    /// The addresses are the job's own from here on: allocated under a key of this job, so that a second try gets the same.
    private func hold(_ plan: VMPlan) throws -> VMPlan {
        if try log.entry(.hold)?.isDone == true { return plan }
        try context.checkCancellation()
        try log.begin(.hold)
        var plan = plan
        let allocator = Allocator(database: database, actor: actor)
        for (adapter, index) in plan.positions {
            let address = plan.adapters[adapter].addresses[index]
            var request = AllocationRequest(
                subnet: String(address.subnetID), address: address.isNamed ? address.ip.flatMap { IPAddress($0) } : nil,
                owner: "VM \(row.name) (job \(context.job.id))",
                key: "vm-request \(row.id), job \(context.job.id), adapter \(adapter + 1).\(index + 1)")
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
            if let id = try findOwn(hypervisor) { return try awaitConfiguration(of: id, hypervisor, deadline) }
            try work.requireTrust()
            do {
                let task = try hypervisor.beginCloning(plan, instanceUUID: row.instanceUUID)
                try log.note(.init(task: task), of: .clone)
                if let id = try work.follow(task, .clone, hypervisor, until: deadline) { return id }
            } catch let error as VSphereError where error.faultKind == .duplicateName {
                // Perhaps it is the VM of a call whose answer was lost.
                if let id = try findOwn(hypervisor) { return try awaitConfiguration(of: id, hypervisor, deadline) }
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
        guard let task = try log.entry(step)?.detail.task else { return }
        do {
            try work.follow(task, step, hypervisor, until: deadline)
        } catch let error as VSphereError where error.code == .taskForgotten || error.faultKind != nil {
            // It is over, and not to be followed once more. Where the server has forgotten it, what is there decides.
            try log.note(.init(task: nil), of: step)
            if error.code != .taskForgotten { throw error }
        }
    }

    /// The VM of this request, confirmed by its mark.
    func findOwn(_ hypervisor: any Hypervisor) throws -> String? {
        guard let id = try hypervisor.find(instanceUUID: row.instanceUUID), let facts = try hypervisor.machine(id)
        else {
            return nil
        }
        guard facts.mark == nil || facts.mark == row.instanceUUID else {
            throw ProvisioningError(
                .failed,
                "\(title): the VM \(facts.name) (\(id)) has its instance UUID \(row.instanceUUID) and not its mark; it is left alone"
            )
        }
        return id
    }

    private func configure(_ vm: String, _ plan: VMPlan) throws {
        if try log.entry(.configure)?.isDone == true { return }
        try context.checkCancellation()
        try log.begin(.configure)
        try work.server(.configure, within: row.request.timeout(of: .configure)) { hypervisor, deadline in
            try followEarlier(.configure, hypervisor, deadline)
            _ = try own(vm, hypervisor)
            try work.requireTrust()
            let task = try hypervisor.beginConfiguring(
                vm, plan, instanceUUID: row.instanceUUID, userData: userData)
            try log.note(.init(task: task), of: .configure)
            try work.follow(task, .configure, hypervisor, until: deadline)
        }
        try log.end(.configure)
    }

    private func powerOn(_ vm: String, _ plan: VMPlan) throws {
        if try log.entry(.powerOn)?.isDone == true { return }
        try context.checkCancellation()
        try log.begin(.powerOn) { try VMRequestTable.setPoweredOn(row.id, true, in: connection) }
        do {
            try work.server(.powerOn, within: row.request.timeout(of: .powerOn)) { hypervisor, deadline in
                try followEarlier(.powerOn, hypervisor, deadline)
                if try own(vm, hypervisor).powerState == "poweredOn" { return }
                try work.requireTrust()
                let task = try hypervisor.beginPoweringOn(vm, plan)
                try log.note(.init(task: task), of: .powerOn)
                try work.follow(task, .powerOn, hypervisor, until: deadline)
            }
        } catch let error as ProvisioningError where error.fault != nil && error.code == .failed {
            // The server refused, and nobody else did it: its guest has used no address.
            let isOff = try work.server(.powerOn, within: .seconds(60)) { hypervisor, _ in
                try hypervisor.machine(vm)?.powerState == "poweredOff"
            }
            if isOff { try fenced { try VMRequestTable.setPoweredOn(row.id, false, in: connection) } }
            throw error
        }
        try log.end(.powerOn)
    }

    private func own(_ vm: String, _ hypervisor: any Hypervisor) throws -> MachineFacts {
        guard let facts = try hypervisor.machine(vm), facts.instanceUUID?.lowercased() == row.instanceUUID else {
            throw ProvisioningError(.failed, "\(title): somebody else removed it while it was being made")
        }
        return facts
    }

    private func awaitGuest(of vm: String, _ plan: VMPlan) throws {
        if try log.entry(.guest)?.isDone == true { return }
        try context.checkCancellation()
        try log.begin(.guest)
        let limit = row.request.timeout(of: .guest)
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
            throw late(verdict, limit, plan)
        }
        try log.end(.guest)
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

    /// The hold becomes the placement: one transaction with the VM's inventory and the end of the job.
    private func place(_ vm: String, _ plan: VMPlan) throws {
        try context.checkCancellation()
        try log.begin(.place)
        try stage(vm)
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
                if try row?.get(1, as: Bool.self) == true { continue }
                let reason = try row?.get(0, as: String?.self) ?? "it is not reported on that adapter"
                throw ProvisioningError(
                    .failed,
                    "\(title): its guest reports \(ip), which has no place in subnet \(address.subnet) any more (\(reason)): the "
                        + "network was changed while it was being made")
            }
        }
    }
}
