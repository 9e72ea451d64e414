package import Inventory
package import Jobs
package import Postgres
package import VSphere

/// What the handlers of jobs on VMs have in common.
package struct VMHandlers: Sendable {
    private let database: Database
    private let secrets: SecretBox
    private let source: any HypervisorSource
    private let pace: VMPace

    /// - Parameter timeouts: of single calls; how long a step may take is the request's to say.
    package init(
        database: Database, secrets: SecretBox, timeouts: VSphereEndpoint.Timeouts = .init(), pace: VMPace = .init()
    ) {
        self.database = database
        self.secrets = secrets
        source = VSphereSource(secrets: secrets, timeouts: timeouts)
        self.pace = pace
    }

    package var all: [any JobHandler] { [CreateVMHandler(shared: self), DeleteVMHandler(shared: self)] }

    fileprivate func work(
        _ context: JobContext, _ account: Account, title: String, _ body: (VMWork) throws -> Void
    ) throws {
        let own = try VMConnection(database)
        defer { own.close() }
        try body(
            VMWork(
                context: context, account: account, source: source, log: VMStepLog(context: context, own: own),
                title: title, pace: pace))
    }

    fileprivate func account(_ id: Int64, _ title: String) throws -> Account {
        guard let account = try database.withConnection({ try AccountTable.account(id, in: $0) }) else {
            throw JobFailure(code: "account_gone", message: "\(title): its account was removed")
        }
        return account
    }

    fileprivate func create(_ context: JobContext) throws {
        let payload = try context.job.payload.decoded(as: CreateVMPayload.self)
        let title = "VM \(context.job.label)"
        guard let row = try open(payload.request, for: context) else {
            throw JobFailure(code: "account_gone", message: "\(title): its request was removed with its account")
        }
        switch row.state {
        case .created:
            return context.log(
                .info, code: "made_already", subject: row.name,
                message: "\(title) is made already, by job \(row.job?.description ?? "-")")
        case .failed, .canceled, .kept, .deleted:
            throw JobFailure(
                code: row.errorCode ?? row.state.rawValue,
                message: row.error ?? "\(title): it was \(row.state.rawValue)")
        case .open: break
        }
        let account = try account(row.account, title)
        try work(context, account, title: title) { work in
            try VMCreation(work: work, row: row, database: database, userData: { try userData(of: row, title) }).run()
        }
    }

    /// Cloud-init's user-data.
    private func userData(of row: VMRequestRow, _ title: String) throws -> Secret? {
        guard row.request.userDataDigest != nil else { return nil }
        guard let sealed = try database.withConnection({ try VMRequestTable.userData(of: row.id, in: $0) }) else {
            throw ProvisioningError(
                .refused, "\(title): its user-data is kept no longer, as its making ended a while ago; ask for it anew")
        }
        let key = try secrets.keyID
        do {
            return Secret(try secrets.unseal(sealed, for: row.instanceUUID, account: row.name))
        } catch {
            throw InventoryError(
                .key,
                "\(title): its user-data was sealed with another key than this worker's (\(key)); set WIRELOOM_KEY_FILE to "
                    + "that key, or cancel the job and ask for it anew")
        }
    }

    /// The request, begun anew where another job of it had failed, and gone on with where another left it open.
    private func open(_ request: Int64, for context: JobContext) throws -> VMRequestRow? {
        try database.transaction { connection in
            let job = context.job.id
            guard let row = try VMRequestTable.row(request, in: connection), row.job != job else {
                return try VMRequestTable.row(request, in: connection)
            }
            try context.lock(in: connection)
            switch row.state {
            case .failed, .canceled: try VMRequestTable.reopen(request, job: job, in: connection)
            case .open: try VMRequestTable.takeOver(request, from: row.job, job: job, in: connection)
            case .created, .kept, .deleted: break
            }
            return try VMRequestTable.row(request, in: connection)
        }
    }

    fileprivate func delete(_ context: JobContext) throws {
        let request = try context.job.payload.decoded(as: VMDeletionRequest.self)
        let title = "VM \(context.job.label)"
        do {
            let account = try account(request.accountID, title)
            try work(context, account, title: title) { try VMDeletion(work: $0, request: request).run() }
        } catch let error as DatabaseError where error.mayPass {
            throw JobPostponement(context.postponement, message: error.detail)
        }
    }
}

/// What a creation job was asked: the rest is the request's row.
struct CreateVMPayload: Codable, Sendable {
    /// The account's name, for listings.
    var account: String
    var request: Int64
}

struct CreateVMHandler: JobHandler {
    static let kind = "create_vm"
    let shared: VMHandlers
    var kind: String { Self.kind }

    func run(_ context: JobContext) throws { try shared.create(context) }
}

struct DeleteVMHandler: JobHandler {
    static let kind = "delete_vm"
    let shared: VMHandlers
    var kind: String { Self.kind }

    func run(_ context: JobContext) throws { try shared.delete(context) }
}
