import ArgumentParser
import Controller
import Foundation
import Inventory
import Jobs
import Postgres

struct JobCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job", abstract: "What runs, what ran, and what it said.",
        subcommands: [List.self, Show.self, Watch.self, Log.self, Cancel.self, Retry.self])

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the jobs, the newest first.", discussion: "  wireloom job list --state failed")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @OptionGroup var filter: AccountFilter
        @Option(help: "queued, running, succeeded, findings, failed or canceled.") var state: String?
        @Option(parsing: .unconditional, help: "At most so many.") var limit = 50

        func validate() throws {
            if limit < 1 { throw ValidationError("--limit is a number from 1") }
        }

        func run() throws {
            if let state, JobState(rawValue: state) == nil {
                let known = JobState.allCases.map(\.rawValue).joined(separator: ", ")
                throw Failure("\"\(state)\" is no state of a job; they are \(known)", status: 65)
            }
            try listing(.jobs, [filter.account, state, nil, limit], options, format, account: filter.account)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one job.", discussion: "  wireloom job show 7")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "A job's id.") var id: Int
        func run() throws { try show(.jobs, [nil, nil, id, nil], "job", String(id), options, format) }
    }

    struct Watch: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Follow a job until it ends.", discussion: "  wireloom job watch 7")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A job's id.") var id: Int

        func run() throws {
            let rows = try Runtime.with(options) { runtime in
                let display = ProgressDisplay()
                let filter = JobFilter(ids: [JobID(Int64(id))])
                var patience = Patience(.seconds(30))
                while true {
                    let found = try patience.bear(away: { Output.note("\($0.detail); waiting for it") }) {
                        try runtime.queue.jobs(filter)
                    }
                    if let rows = found {
                        if rows.isEmpty { throw Failure("there is no job \(id); see: wireloom job list", status: 65) }
                        display.show(rows)
                        if rows.allSatisfy(\.state.isFinal) {
                            display.finish(rows)
                            return rows
                        }
                    }
                    Thread.sleep(forTimeInterval: 0.5)
                }
            }
            if rows.contains(where: { $0.state == .failed || $0.state == .canceled }) { throw ExitCode(1) }
        }
    }

    struct Log: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what a job said.", discussion: "  wireloom job log 7")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A job's id.") var id: Int

        func run() throws {
            try Runtime.with(options) { runtime in
                guard let job = try runtime.queue.job(JobID(Int64(id))) else {
                    throw Failure("there is no job \(id); see: wireloom job list", status: 65)
                }
                for event in try runtime.queue.events(job.id) {
                    print("\(event.at) \(event.level.rawValue) \(event.code): \(event.message)")
                    for fix in (event.fix ?? "").split(separator: "\n") { print("    $ \(fix)") }
                }
                if let error = job.error { print("\(job.state.rawValue): \(error)") }
            }
        }
    }

    struct Cancel: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Stop a job, or take it from the queue.", discussion: "  wireloom job cancel 7")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A job's id.") var id: Int

        func run() throws {
            try Runtime.with(options) { runtime in
                _ = try runtime.queue.cancel(JobID(Int64(id)), by: NSUserName())
                print("job \(id): asked to stop")
            }
        }
    }

    struct Retry: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Queue the work of an ended job again.", discussion: "  wireloom job retry 7")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "A job's id.") var id: Int

        func run() throws {
            try Runtime.with(options) { runtime in
                let queued = try runtime.queue.retry(JobID(Int64(id)))
                print(queued.created ? "queued as job \(queued.id)" : "job \(queued.id) is queued for it already")
            }
        }
    }
}

/// How a command takes jobs.
struct WorkerOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: "How many jobs run at once here; of serve, how many syncs.") var workers = 8
    @Option(
        parsing: .unconditional,
        help: "How long this process may be silent before others take its jobs over; default 30s.")
    var lease: Interval?

    func validate() throws {
        if !(1...64).contains(workers) { throw ValidationError("--workers is a number from 1 to 64") }
        if let lease, !(.seconds(1)...(.seconds(3600))).contains(lease.duration) {
            throw ValidationError("--lease is a time from 1s to 1h")
        }
    }

    /// Enough for every lane, and for what the runner and the command do beside them.
    var maxConnections: Int { workers + 8 }

    var configuration: Runner.Configuration {
        var configuration = Runner.Configuration(worker: Runtime.workerName, width: workers)
        if let lease { configuration.lease = lease.duration }
        return configuration
    }
}

extension Runtime {
    /// Runs these jobs here, unless a server takes them first, and shows them to their end.
    func follow(_ ids: [JobID], _ worker: WorkerOptions, handlers: [any JobHandler]) throws -> [JobRow] {
        var configuration = worker.configuration
        configuration.only = ids
        let runner = Runner(queue, handlers: handlers, configuration)
        // The jobs go back to the queue, so that the next command need not wait for their leases.
        let handBack: @Sendable () -> Void = {
            Output.note("stopping: what has not ended goes back to the queue; see: wireloom job list")
            runner.stop(grace: .zero, patience: .seconds(3))
        }
        return try Signals.ending(after: handBack) {
            runner.start()
            let display = ProgressDisplay()
            do {
                let rows = try runner.wait(for: ids, every: .milliseconds(500)) { display.show($0) }
                display.finish(rows)
                runner.stop()
                return rows
            } catch {
                // The database has been away for long: nothing that the jobs still do can be written.
                runner.stop(grace: .zero, patience: .seconds(2))
                throw error
            }
        }
    }

    /// Writes jobs as `job list` does.
    func list(_ jobs: [JobRow], as format: OutputFormat) throws {
        let rows = try database.withConnection { connection in
            try jobs.flatMap { try Listing.jobs.rows([nil, nil, $0.id.value, nil], in: connection) }
        }
        try write(rows, of: .jobs, as: format)
    }
}

struct SyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sync", abstract: "Queue a sync of accounts.",
        discussion: """
            Without --wait the jobs run when `wireloom serve` takes them. With --wait they \
            run here, unless a server takes them first, and are followed to the end; the exit \
            status is 1 when one failed.

              wireloom sync --all --wait
            """)

    @OptionGroup var options: GlobalOptions
    @Argument(help: "Accounts.") var names: [String] = []
    @Flag(help: "Every enabled account.") var all = false
    @Flag(help: "Run or follow the jobs to their end.") var wait = false
    @Flag(help: "Apply the releases that the release breaker would stop.") var acceptReleases = false
    @Flag(help: "Exit with 1 also when there are findings.") var strict = false
    @OptionGroup var worker: WorkerOptions

    func validate() throws {
        if all != names.isEmpty { throw ValidationError("give names of accounts, or --all") }
    }

    func run() throws {
        let rows = try Runtime.with(options, maxConnections: worker.maxConnections) { runtime -> [JobRow] in
            if wait { _ = try runtime.secrets.keyID }
            let accounts = try runtime.accounts.selected(names: names, all: all)
            if accounts.isEmpty {
                Output.note("there is no enabled account; see: wireloom account add --help")
                return []
            }
            var ids: [JobID] = []
            for account in accounts {
                let queued = try runtime.accounts.queueSync(account, acceptReleases: acceptReleases)
                ids.append(queued.id)
                if !wait {
                    print(
                        "account \(account.name): job \(queued.id) \(queued.created ? "queued" : "is queued already")")
                }
            }
            guard wait else {
                Output.note("they run when `wireloom serve` takes them; add --wait to run them here")
                return []
            }
            return try runtime.follow(
                ids, worker, handlers: [SyncHandler(database: runtime.database, secrets: runtime.secrets)])
        }
        if rows.contains(where: { $0.state == .failed || $0.state == .canceled }) { throw ExitCode(1) }
        if strict, rows.contains(where: { $0.state == .findings }) { throw ExitCode(1) }
    }
}

struct ServeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve", abstract: "Run the workers and the schedule until told to stop.",
        discussion: """
            Stops gracefully on SIGTERM, SIGINT and SIGHUP: running syncs get 20 seconds to finish.

              wireloom serve --workers 16
            """)

    @OptionGroup var options: GlobalOptions
    @OptionGroup var worker: WorkerOptions
    @Option(parsing: .unconditional, help: "How many VMs are made and deleted at once here.") var vmWorkers = 8

    func validate() throws {
        if !(1...64).contains(vmWorkers) { throw ValidationError("--vm-workers is a number from 1 to 64") }
    }

    func run() throws {
        let stop = DispatchSemaphore(value: 0)
        // Each VM's job has a connection of its own, and needs another where it allocates.
        try Runtime.with(options, maxConnections: worker.maxConnections + 2 * vmWorkers) { runtime in
            try Signals.handing(to: { stop.signal() }) { try serve(runtime, until: stop) }
        }
    }

    private func serve(_ runtime: Runtime, until stop: DispatchSemaphore) throws {
        _ = try runtime.secrets.keyID
        let runner = Runner(
            runtime.queue,
            handlers: [SyncHandler(database: runtime.database, secrets: runtime.secrets)],
            worker.configuration)
        // Lanes of their own: VMs take minutes, and no sync waits for them.
        var machineConfiguration = Runner.Configuration(worker: Runtime.workerName + "/vm", width: vmWorkers)
        machineConfiguration.lease = worker.configuration.lease
        let machines = Runner(runtime.queue, handlers: runtime.machineHandlers, machineConfiguration)
        let scheduler = Scheduler(runtime.queue)
        // The private PostgreSQL is nobody else's to look after; with a database that was given this does nothing.
        let watching = DispatchQueue(label: "wireloom.watch")
        let watch = DispatchSource.makeTimerSource(queue: watching)
        watch.schedule(deadline: .now() + .seconds(2), repeating: .seconds(2))
        watch.setEventHandler { @Sendable in
            do { try runtime.revive() } catch { Output.note("\(error)") }
        }
        watch.resume()
        defer {
            watch.cancel()
            watching.sync {}
        }
        runner.start()
        machines.start()
        scheduler.start()
        let housekeeping = Housekeeping(database: runtime.database)
        housekeeping.start()
        defer { housekeeping.stop() }
        Output.note("serving with \(worker.workers) workers; stop with SIGTERM or Ctrl-C")
        stop.wait()
        Output.note("stopping: running jobs may finish")
        scheduler.stop()
        // At once: what a VM's job has not done goes on where it is taken next.
        let stopping = DispatchGroup()
        DispatchQueue.global().async(group: stopping) { machines.stop(grace: .zero, patience: .seconds(10)) }
        let isQuiet = runner.stop()
        stopping.wait()
        if !isQuiet {
            Output.note("a job did not stop in time; its lease will run out and it is queued again")
        }
    }
}
