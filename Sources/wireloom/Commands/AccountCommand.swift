import Addressing
import ArgumentParser
import Controller
import Foundation
import Inventory
import Postgres
import VSphere

struct AccountCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account", abstract: "Onboard VMware endpoints and look after them.",
        subcommands: [Add.self, List.self, Show.self, Test.self, Update.self, Enable.self, Disable.self, Remove.self])
}

/// How the certificate of an endpoint is trusted: one way at most, and never silently none.
struct TrustOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Trust certificates signed by this CA.", valueName: "pem-file"))
    var caFile: String?

    @Option(help: ArgumentHelp("Trust exactly the certificate with this SHA-256 thumbprint.", valueName: "sha256"))
    var thumbprint: String?

    @Flag(help: "Trust any certificate, or plain http. Anyone between here and there can read the password.")
    var insecure = false

    func validate() throws {
        if [caFile != nil, thumbprint != nil, insecure].count(where: { $0 }) > 1 {
            throw ValidationError("give one of --ca-file, --thumbprint and --insecure")
        }
    }

    /// `nil` where nothing was given.
    func trust() throws -> (kind: Account.Trust, value: String?)? {
        if let caFile {
            guard let pem = try? String(contentsOfFile: caFile, encoding: .utf8), pem.contains("BEGIN CERTIFICATE")
            else {
                throw Failure("the CA file \(caFile) cannot be read or holds no PEM certificate", status: 65)
            }
            return (.ca, pem)
        }
        if let thumbprint { return (.thumbprint, thumbprint) }
        return insecure ? (.insecure, nil) : nil
    }

    /// Says what not to trust an endpoint means for its password.
    ///
    /// - Throws: what is wrong with the URL, which is quoted only where it is one.
    static func warn(ofInsecure url: String) throws {
        let endpoint = try VSphereEndpoint(url: url, username: "", password: Secret(""), trust: .insecure)
        Output.note(
            endpoint.isEncrypted
                ? "warning: the certificate of \(endpoint.url) is not checked; --thumbprint would be safer"
                : "warning: the password goes to \(endpoint.url) in clear; https with --thumbprint would be safer")
    }
}

/// How often an account may be synced.
private func check(every: Interval?) throws {
    if let every, every.duration <= .zero { throw ValidationError("--every is a time of more than nothing, as 10m") }
}

/// `90s`, `10m`, `1h`, `2d`.
struct Interval: ExpressibleByArgument {
    let duration: Duration

    var defaultValueDescription: String {
        let seconds = duration.components.seconds
        let unit = [(86_400, "d"), (3600, "h"), (60, "m")].first { seconds >= $0.0 && seconds % $0.0 == 0 } ?? (1, "s")
        return "\(seconds / unit.0)\(unit.1)"
    }

    init(_ duration: Duration) {
        self.duration = duration
    }

    init?(argument: String) {
        let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = argument.last.flatMap({ units[$0] }), let count = Int(argument.dropLast()), count >= 0,
            count <= 36_500
        else { return nil }
        duration = .seconds(count * unit)
    }
}

/// A password from standard input: one line, never an argument.
func readPassword() throws -> Secret {
    if isatty(STDIN_FILENO) == 1 { Output.note("password:") }
    guard let line = readLine(strippingNewline: true), !line.isEmpty else {
        throw Failure("no password came on standard input; give it as: --password-stdin < FILE", status: 65)
    }
    return Secret(line)
}

extension AccountCommand {
    struct Add: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Onboard a vCenter or an ESXi host.",
            discussion: """
                Logs in, reads the endpoint's identity and stores the password sealed. \
                Nothing is stored if any of it fails.

                  wireloom account add paris --url vc1.example.com --username ops \\
                      --password-stdin --ca-file vc1-ca.pem < password.txt
                """)

        @OptionGroup var options: GlobalOptions
        @Argument(help: "What to call it.") var name: String
        @Option(help: "Its address, such as vcenter.example.com or https://10.0.0.5:8443.") var url: String
        @Option(help: "Who to be there.") var username: String
        @Flag(help: "Read the password from standard input.") var passwordStdin = false
        @OptionGroup var trust: TrustOptions
        @Option(help: "A label; automatic decisions consider only wires of this site or of none.") var site: String?
        @Option(parsing: .unconditional, help: "How often to sync, as 90s, 10m, 1h; default 10m.")
        var every: Interval?
        @Option(parsing: .unconditional, help: "How long what vanished keeps its addresses; default 1h.")
        var grace: Interval?
        @Option(help: "Do not look at addresses in this prefix; may be repeated.") var ignore: [String] = []

        func validate() throws {
            if !passwordStdin { throw ValidationError("give the password on standard input, with --password-stdin") }
            try check(every: every)
        }

        func run() throws {
            let password = try readPassword()
            let chosen = try trust.trust() ?? (kind: .system, value: nil)
            let ignored = try ignore.map(prefix)
            if chosen.kind == .insecure { try TrustOptions.warn(ofInsecure: url) }
            try Runtime.with(options) { runtime in
                let added: (account: Account, probe: AccountService.Probe)
                do {
                    added = try runtime.accounts.add(
                        AccountService.Request(
                            name: name, url: url, username: username, password: password, trust: chosen, site: site,
                            every: every?.duration ?? .seconds(600), grace: grace?.duration ?? .seconds(3600),
                            ignored: ignored))
                } catch let error as VSphereError where error.code == .certificate {
                    if let certificate = try? serverCertificate(of: url) {
                        throw Failure(
                            "\(error.detail)\nit shows a certificate of \(certificate.subject), with the SHA-256 thumbprint\n"
                                + "  \(certificate.thumbprint)\n"
                                + "compare that with the endpoint's own, and give it as --thumbprint", status: 77)
                    }
                    throw error
                }
                print("account \(name): \(added.probe.product), identity \(added.probe.identity)")
            }
        }
    }

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List the accounts.", discussion: "  wireloom account list -o json")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions

        func run() throws {
            try listing(.accounts, [nil], options, format)
        }
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show everything of one account.", discussion: "  wireloom account show paris -o yaml")
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        @Argument(help: "Its name or id.") var name: String

        func run() throws {
            try show(.accounts, [name], "account", name, options, format)
        }
    }

    struct Test: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Log in and read the identity; change nothing.", discussion: "  wireloom account test paris")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "Its name or id.") var name: String

        func run() throws {
            try Runtime.with(options) { runtime in
                let account = try runtime.database.withConnection { try AccountTable.named(name, in: $0) }
                let probe = try runtime.accounts.test(account)
                print("account \(account.name): \(probe.product) answers as \(probe.identity)")
            }
        }
    }

    struct Update: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Change an account; a new way to reach it is tried first.",
            discussion: """
                  wireloom account update paris --every 5m --site france
                  wireloom account update paris --password-stdin < password.txt
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "Its name or id.") var name: String
        @Option(help: "Another name.") var rename: String?
        @Option(help: "Another address of the same endpoint.") var url: String?
        @Option(help: "Another user.") var username: String?
        @Flag(help: "Read a new password from standard input.") var passwordStdin = false
        @OptionGroup var trust: TrustOptions
        @Option(help: "An empty text takes the site away.") var site: String?
        @Option(parsing: .unconditional, help: "How often to sync, as 90s, 10m, 1h.") var every: Interval?
        @Option(parsing: .unconditional, help: "How long what vanished keeps its addresses.") var grace: Interval?
        @Option(help: "Replaces the list; an empty text empties it.") var ignore: [String] = []
        @Option(help: "on or off: ask hosts hourly what they see of the physical network, for wire suggest.")
        var networkHints: Toggle?
        @Option(
            parsing: .unconditional, help: "How many jobs that make or delete VMs run on it at once; 4 at first.")
        var vmJobs: Int?

        func validate() throws {
            if let vmJobs, !(1...64).contains(vmJobs) { throw ValidationError("--vm-jobs is a number from 1 to 64") }
            try check(every: every)
            let given: [Any?] = [
                rename, url, username, trust.caFile, trust.thumbprint, site, every, grace, ignore.first, networkHints,
                vmJobs,
            ]
            guard passwordStdin || trust.insecure || given.contains(where: { $0 != nil }) else {
                throw ValidationError("say what to change, as --every 5m")
            }
        }

        func run() throws {
            let password = passwordStdin ? try readPassword() : nil
            var change = AccountChange()
            change.networkHints = networkHints.map { $0 == .on }
            change.machineJobs = vmJobs
            change.name = rename
            change.url = url
            change.username = username
            change.trust = try trust.trust()
            change.site = site
            change.every = every?.duration
            change.grace = grace?.duration
            if !ignore.isEmpty { change.ignored = try ignore.filter { !$0.isEmpty }.map(prefix) }
            try Runtime.with(options) { runtime in
                let account = try runtime.database.withConnection { try AccountTable.named(name, in: $0) }
                if (change.trust?.kind ?? account.trust) == .insecure, change.trust != nil || url != nil {
                    try TrustOptions.warn(ofInsecure: url ?? account.url)
                }
                try runtime.accounts.update(account, change, password: password)
                print("account \(rename ?? account.name) updated")
            }
        }
    }

    struct Enable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sync it by its schedule again.", discussion: "  wireloom account enable paris")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "Its name or id.") var name: String

        func run() throws { try setEnabled(true, name, options) }
    }

    struct Disable: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Sync it no more; what is known of it stays.", discussion: "  wireloom account disable paris")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "Its name or id.") var name: String

        func run() throws { try setEnabled(false, name, options) }
    }

    struct Remove: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget an account; what its adapters held goes into quarantine.",
            discussion: "  wireloom account remove paris")
        @OptionGroup var options: GlobalOptions
        @Argument(help: "Its name or id.") var name: String

        func run() throws {
            try Runtime.with(options) { runtime in
                let account = try runtime.database.withConnection { try AccountTable.named(name, in: $0) }
                try runtime.accounts.remove(account)
                print("account \(account.name) removed")
            }
        }
    }

    private static func setEnabled(_ enabled: Bool, _ name: String, _ options: GlobalOptions) throws {
        try Runtime.with(options) { runtime in
            let account = try runtime.database.withConnection { try AccountTable.named(name, in: $0) }
            var change = AccountChange()
            change.enabled = enabled
            try runtime.accounts.update(account, change, password: nil)
            print("account \(account.name) \(enabled ? "enabled" : "disabled")")
        }
    }
}

enum Toggle: String, ExpressibleByArgument, CaseIterable {
    case on, off
}
