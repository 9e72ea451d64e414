import ArgumentParser
import Controller
import Foundation
import Jobs
import VSphere

extension OSFamily: ExpressibleByArgument {}

/// `2048`, `2048M`, `8G`: as MiB.
struct MemorySize: ExpressibleByArgument {
    let mebibytes: Int

    init?(argument: String) {
        let unit = argument.last.flatMap { ["m": 1, "g": 1024, "t": 1_048_576][$0.lowercased()] }
        let digits = unit == nil ? argument : String(argument.dropLast())
        guard let number = Int(digits), number > 0, number <= 25_165_824 / (unit ?? 1) else { return nil }
        mebibytes = number * (unit ?? 1)
    }
}

/// `guest=20m`: how long a step may take.
struct StepTimeoutArgument: ExpressibleByArgument {
    let step: String
    let seconds: Int

    init?(argument: String) {
        let parts = argument.split(separator: "=", maxSplits: 1)
        guard parts.count == 2, let interval = Interval(argument: String(parts[1])) else { return nil }
        step = String(parts[0])
        seconds = Int(interval.duration.components.seconds)
    }
}

extension VMCommand {
    struct Create: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make VMs from a template, each with its address.",
            discussion: """
                Chooses a host that has a port group of the subnet's VLAN on a switch of its \
                wire, holds an address, clones the template, configures its guest, powers it \
                on, and is done when the guest itself reports the address. What fails is \
                removed again, and its address let go of.

                  wireloom vm create web-1 --account paris --template ubuntu-24.04 \\
                      --subnet campus-servers --wait
                  wireloom vm create db-# -n 3 --account paris --template ubuntu-24.04 \\
                      --subnet campus-servers,campus-servers-v6 --nic campus-apps
                  wireloom vm create web-1 … --dry-run

                Without --wait the jobs run when `wireloom serve` takes them. A step that may \
                take longer or shorter than usual: --timeout guest=40m, with the steps plan, \
                clone, configure, power_on, guest, shutdown, power_off and destroy.
                """)

        @OptionGroup var options: GlobalOptions
        @Argument(help: "What to call it; # is the number of one of several, ## with zeros.")
        var name: String
        @Option(help: "The vCenter account to make it in.") var account: String
        @Option(help: "The template's, or powered-off VM's, name, id or UUID.") var template: String
        @Option(help: "The first adapter's subnet; with a comma one of each family.") var subnet: String
        @Option(help: "A further adapter's; may be repeated.") var nic: [String] = []
        @Option(help: "This address of the subnet that has it; may be repeated.") var address: [String] = []
        @Option(help: "On this host.") var host: String?
        @Option(help: "On a host of this cluster.") var cluster: String?
        @Option(help: "Where its disks go; default: where the template's are.") var datastore: String?
        @Option(help: "Its folder, as A/B; default: the template's.") var folder: String?
        @Option(help: "Its resource pool; default: the root of the host or its cluster.")
        var resourcePool: String?
        @Option(help: "How many CPUs; default: the template's.") var cpus: Int?
        @Option(help: "How much memory, as 2048M or 8G; default: the template's.") var memory: MemorySize?
        @Flag(help: "Share the disks of the template's snapshot, named with --snapshot.") var linkedClone = false
        @Option(help: "The snapshot to grow from.") var snapshot: String?
        @Option(help: "linux or windows; default: as the template says.") var os: OSFamily?
        @Option(help: "The guest's DNS domain; default: the subnet's.") var domain: String?
        @Option(help: "Europe/Paris, or Windows' number; default: the template's.") var timezone: String?
        @Option(help: ArgumentHelp("Configure by cloud-init, with this user-data; - for none.", valueName: "file"))
        var cloudInit: String?
        @Flag(help: "Leave it off, with its address held for it.") var noPowerOn = false
        @Flag(help: "Keep what was made where it fails.") var keep = false
        @Option(help: ArgumentHelp("How long a step may take; may be repeated.", valueName: "step=time"))
        var timeout: [StepTimeoutArgument] = []
        @Option(name: [.customShort("n"), .long], help: "How many.") var count = 1
        @Option(help: "A name of yours for this: asked again, no second VM is made.") var key: String?
        @Flag(help: "Show what would be made and where; make nothing.") var dryRun = false
        @Flag(help: "Run or follow the jobs to their end.") var wait = false
        @Option(name: .shortAndLong, help: "table, json, yaml or csv.") var output: OutputFormat = .table
        @OptionGroup var worker: WorkerOptions

        func validate() throws {
            if linkedClone != (snapshot != nil) { throw ValidationError("--linked-clone goes with --snapshot") }
            if host != nil, cluster != nil { throw ValidationError("give --host or --cluster, not both") }
            if count > 1, !address.isEmpty { throw ValidationError("--address is for one VM; leave it out, or -n") }
        }

        func run() throws {
            let names = try NamePattern.names(name, count: count)
            let userData = try cloudInit.flatMap { $0 == "-" ? nil : try Self.read($0) }
            let request = request(named: names[0], userData)
            try request.validate()
            let ended = try Runtime.with(options, maxConnections: worker.maxConnections) { runtime -> [JobRow] in
                let service = runtime.machines
                if dryRun {
                    let plans = try names.map { name in
                        var one = request
                        one.name = name
                        return try service.plan(one)
                    }
                    try Self.write(plans, as: output)
                    return []
                }
                let orders = try service.create(request, names: names, key: key, userData: userData.map { Secret($0) })
                guard wait else {
                    try Self.write(orders, as: output)
                    Output.note("they run when `wireloom serve` takes them; add --wait to run them here")
                    return []
                }
                let rows = try runtime.follow(orders.map(\.job), worker, handlers: runtime.machineHandlers)
                if output != .table { try runtime.list(rows, as: output) }
                return rows
            }
            if ended.contains(where: { $0.state == .failed || $0.state == .canceled }) { throw ExitCode(1) }
        }

        private func request(named name: String, _ userData: String?) -> VMRequest {
            func subnets(_ text: String) -> [String] {
                text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
            }
            var request = VMRequest(
                name: name, account: account, template: template, adapters: ([subnet] + nic).map(subnets))
            request.addresses = address
            request.host = host
            request.cluster = cluster
            request.datastore = datastore
            request.folder = folder
            request.resourcePool = resourcePool
            request.cpus = cpus
            request.memoryMiB = memory?.mebibytes
            request.snapshot = snapshot
            request.os = os
            request.domain = domain
            request.timeZone = timezone
            request.usesCloudInit = cloudInit != nil
            request.userDataDigest = userData.map(VMRequest.digest(of:))
            request.powersOn = !noPowerOn
            request.keeps = keep
            request.timeouts = Dictionary(timeout.map { ($0.step, $0.seconds) }, uniquingKeysWith: { _, last in last })
            return request
        }

        private static func read(_ file: String) throws -> String {
            do {
                let text = try String(contentsOfFile: file, encoding: .utf8)
                // guestinfo values are limited, and base64 makes four bytes of three.
                guard text.utf8.count <= 48_000 else {
                    throw Failure(
                        "the user-data in \(file) is longer than the 48,000 bytes that a guest reads", status: 65)
                }
                return text
            } catch let error as Failure {
                throw error
            } catch {
                throw Failure("the user-data in \(file) cannot be read: \(error.localizedDescription)", status: 65)
            }
        }

        private static func write(_ plans: [VMPlan], as format: OutputFormat) throws {
            switch format {
            case .json: print(try Output.json(plans))
            case .yaml: print(try Output.yaml(plans), terminator: "")
            case .table: for line in plans.flatMap(\.words) { Self.write(hanging: line) }
            case .csv:
                throw Failure("a plan is no table; write it with -o json, yaml or table", status: 64)
            }
        }

        /// What does not fit goes on below the text of its line.
        private static func write(hanging line: String) {
            let margin = String(repeating: " ", count: 13)
            let isTitle = !line.hasPrefix(" ")
            let start = isTitle ? "" : String(line.prefix(margin.count))
            let lines = wrap(String(line.dropFirst(start.count)), width: Output.width - start.count)
            for (index, text) in lines.enumerated() { print((index == 0 ? start : margin) + text) }
        }

        private static func write(_ orders: [VMService.Order], as format: OutputFormat) throws {
            guard format != .table else {
                for order in orders {
                    print(
                        "VM \(order.name): job \(order.job) \(order.isKnown ? "was asked for with this key before" : "queued")"
                    )
                }
                return
            }
            let rows = orders.map { order in
                JSONValue.object([
                    "name": .string(order.name), "uuid": .string(order.instanceUUID), "job": .int(Int(order.job.value)),
                    "known": .bool(order.isKnown),
                ])
            }
            try Output.write(rows, of: .jobs, as: format)
        }
    }

    struct Delete: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Delete a VM and let go of its addresses, into quarantine.",
            discussion: """
                Its guest is asked to shut down first and has two minutes for that \
                (--timeout shutdown=5m); then it is powered off and destroyed.

                  wireloom vm delete web-1 --wait
                """)

        @OptionGroup var options: GlobalOptions
        @Argument(help: "A VM's name, id or UUID.") var name: String
        @OptionGroup var filter: AccountFilter
        @Flag(help: "Also one that wireloom did not make.") var force = false
        @Option(help: ArgumentHelp("How long a step may take; may be repeated.", valueName: "step=time"))
        var timeout: [StepTimeoutArgument] = []
        @Flag(help: "Run or follow the job to its end.") var wait = false
        @OptionGroup var worker: WorkerOptions

        func run() throws {
            let timeouts = Dictionary(timeout.map { ($0.step, $0.seconds) }, uniquingKeysWith: { _, last in last })
            let ended = try Runtime.with(options, maxConnections: worker.maxConnections) { runtime -> [JobRow] in
                let queued = try runtime.machines.delete(
                    name, account: filter.account, force: force, timeouts: timeouts)
                guard wait else {
                    print("VM \(queued.name): job \(queued.job) \(queued.created ? "queued" : "is queued already")")
                    Output.note("it runs when `wireloom serve` takes it; add --wait to run it here")
                    return []
                }
                return try runtime.follow([queued.job], worker, handlers: runtime.machineHandlers)
            }
            if ended.contains(where: { $0.state == .failed || $0.state == .canceled }) { throw ExitCode(1) }
        }
    }
}
