internal import Addressing
internal import Dispatch
internal import IPAM
internal import Inventory
internal import Jobs
internal import Postgres
internal import Topology
internal import VSphere

/// What jobs on VMs share: a step with a deadline, on a server that may be away for a moment, by a worker that may lose its job.
struct VMWork {
    let context: JobContext
    let account: Account
    let source: any HypervisorSource
    let log: VMStepLog
    var connection: Connection { log.connection }
    /// How a sentence about it begins.
    let title: String
    let pace: VMPace

    /// Whether this worker may do nothing more, whatever is left to do.
    var mustStop: Bool {
        switch context.cancellation.reason {
        case .leaseLost, .stopping: true
        case .requested, nil: false
        }
    }

    func checkStop() throws {
        if mustStop { try context.checkCancellation() }
    }

    /// Throws where the job may be another worker's by now: asked before every deed on the server, which no fence of the database
    /// reaches. A process that stood still finds out here.
    func requireTrust() throws {
        guard context.isTrusted else {
            throw JobError(.lostLease, "job \(context.job.id) may be another worker's by now: this one stops")
        }
    }

    /// Runs `body` with a session, and again with a new one where the server could not be reached, until `step` has taken as long
    /// as it may. `body` begins with a look at what is there: what it did before the connection went may have come about.
    ///
    /// - Parameter isUndoing: whether a person's cancellation is why this is done.
    /// - Throws: ``ProvisioningError``; what the context's cancellation throws.
    func server<T>(
        _ step: VMStep, within limit: Duration, isUndoing: Bool = false,
        _ body: (any Hypervisor, ContinuousClock.Instant) throws -> T
    ) throws -> T {
        let deadline = ContinuousClock.now + limit
        var pause = pace.first
        var refusals = 0
        while true {
            if isUndoing { try checkStop() } else { try context.checkCancellation() }
            do {
                return try session(isUndoing) { try body($0, deadline) }
            } catch let error as VSphereError {
                if isUndoing { try checkStop() } else { try context.checkCancellation() }
                refusals += error.faultKind == .hostUnavailable ? 1 : 0
                guard error.mayPass, refusals < Self.refusals else {
                    throw ProvisioningError(
                        .failed, "\(title): \(step.phrase) failed: \(error.detail)", fault: error.fault)
                }
                guard ContinuousClock.now + pause < deadline else {
                    // A wait that was as long as the step may be is no trouble of its own.
                    let trouble = error.code == .timedOut ? "" : "; the last trouble was: \(error.detail)"
                    throw ProvisioningError(
                        .timedOut, "\(title): \(step.phrase) took longer than \(limit.words)\(trouble)",
                        fault: error.fault)
                }
                context.log(
                    .warning, code: "step_interrupted",
                    message: "\(step.phrase) was interrupted and goes on: \(error.detail)")
            }
            wait(pause, isUndoing: isUndoing)
            pause = min(pause * 2, pace.longest)
        }
    }

    private func session<T>(_ isUndoing: Bool, _ body: (any Hypervisor) throws -> T) throws -> T {
        let token = CancellationToken()
        var disarm: () -> Void = {}
        // What undoes must not be stopped by the word that it obeys. And a person's word does not tear off the answer to a deed: what
        // was begun is known by that, and is undone then.
        if !isUndoing {
            let cancellation = context.cancellation
            disarm = cancellation.onCancel {
                let isPerson = if case .requested = cancellation.reason { true } else { false }
                token.cancel(sparingDeeds: isPerson)
            }
        }
        defer { disarm() }
        return try source.with(account, token, body)
    }

    /// Follows a task and shows how far it is.
    @discardableResult
    func follow(
        _ task: String, _ step: VMStep, _ hypervisor: any Hypervisor, until deadline: ContinuousClock.Instant
    ) throws -> String? {
        try hypervisor.follow(task, until: deadline) { [context] percent in
            context.report(phase: step.phrase, done: Int64(percent), total: 100)
        }
    }

    /// - Parameter isUndoing: whether a person's cancellation does not cut it short.
    func wait(_ time: Duration, isUndoing: Bool = false) {
        let end = ContinuousClock.now + time
        while ContinuousClock.now < end, isUndoing ? !mustStop : !context.isCancelled {
            let left = min(end - ContinuousClock.now, .milliseconds(200))
            _ = DispatchSemaphore(value: 0).wait(timeout: .now() + max(left, .zero).dispatchInterval)
        }
    }

    /// How often a host may be out of touch before that is the end: a clone has an hour, and a dead host is dead.
    private static let refusals = 4

    // MARK: What is known of the VM

    /// Weighs the evidence of the account's switches anew, as the next sync will: a VM that came or went is some. What follows from
    /// it for links is the sync's to do and to tell.
    func weighEvidence() throws {
        let snapshot = try TopologyReader(account: account, connection: connection).snapshot()
        try TopologyWriter(account: account, connection: connection).writeSupport(decide(snapshot).links)
    }

    /// Begins a transaction that writes what is known of a VM, in the order of all locks, by the worker whose job it is.
    func final(_ body: () throws -> Void) throws {
        var attempt = 1
        while true {
            do {
                return try connection.transaction {
                    try AdvisoryLock.topology(exclusive: false).take(in: connection)
                    try AdvisoryLock.inventory(account: account.id).take(in: connection)
                    try context.lock(in: connection)
                    try body()
                }
            } catch let error as DatabaseError where error.code == .retryable && attempt < 5 {
                attempt += 1
            }
        }
    }

    /// Forgets a VM under every id that it is known by.
    func forgetAll(of vm: String?, instanceUUID: String?) throws {
        let known = try connection.query(
            "SELECT id FROM vm WHERE account_id = $1::bigint AND (instance_uuid = $2::text OR id = $3::text)",
            account.id,
            instanceUUID, vm
        ).map { try $0.get(0, as: String.self) }
        for id in Set(known + [vm].compactMap(\.self)).sorted() { try forget(id) }
        if !known.isEmpty { try weighEvidence() }
    }

    /// Forgets a VM that is gone, in the final transaction: what its adapters hold goes to whoever reports it, else into
    /// quarantine.
    func forget(_ vm: String) throws {
        try Placement.prepare(in: connection)
        try connection.execute(
            """
            INSERT INTO dropped (account_id, owner, owner_id, device, ip)
            SELECT account_id, owner, owner_id, device, ip FROM nic_address
            WHERE account_id = $1::bigint AND owner = 'vm' AND owner_id = $2::text
            """, account.id, vm)
        try connection.execute(
            """
            INSERT INTO released (subnet_id, ip, account_id, owner, owner_id, device)
            SELECT subnet_id, ip, account_id, owner, owner_id, device FROM address
            WHERE account_id = $1::bigint AND owner = 'vm' AND owner_id = $2::text
            """, account.id, vm)
        try Placement.place(account: nil, in: connection)
        try connection.execute(
            "DELETE FROM nic WHERE account_id = $1::bigint AND owner = 'vm' AND owner_id = $2::text", account.id, vm)
        try connection.execute("DELETE FROM vm WHERE account_id = $1::bigint AND id = $2::text", account.id, vm)
        try InventoryMerge.outdate(vm, of: account.id, isGone: true, in: connection)
    }
}

extension VSphereError {
    /// Whether the same step may well succeed a moment later: the server is out of reach, or something else is being done to the
    /// VM, by whomever it was begun.
    var mayPass: Bool {
        switch code {
        case .unreachable, .timedOut, .unavailable, .unfinished, .sessionLost, .taskForgotten: true
        default: faultKind?.isPassing == true
        }
    }
}

extension Duration {
    /// `20 minutes`, `90 seconds`.
    var words: String {
        let seconds = components.seconds
        if seconds == 1 { return "1 second" }
        return seconds >= 120 && seconds % 60 == 0 ? "\(seconds / 60) minutes" : "\(seconds) seconds"
    }

    var dispatchInterval: DispatchTimeInterval {
        let (seconds, attoseconds) = components
        return .milliseconds(Int(seconds) * 1000 + Int(attoseconds / 1_000_000_000_000_000))
    }
}
