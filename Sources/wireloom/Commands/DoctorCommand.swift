import Addressing
import ArgumentParser
import Controller
import EmbeddedPostgres
import Foundation
import Inventory
import Postgres

struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor", abstract: "Check what could go wrong before it does.",
        subcommands: [System.self, Addresses.self], defaultSubcommand: System.self)

    struct Addresses: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Find conflicts of addresses that nobody noticed yet.",
            discussion: """
                two_reporters  two adapters report one address, or will when one is on again
                same_mac       different VMs have adapters with one MAC address
                unseen         an address was allocated long ago, and no adapter reports it
                in_pool        an adapter without a place reports an address of a pool
                not_reported   an adapter holds an address of a pool and reports it no more

                  wireloom doctor addresses
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        func run() throws { try listing(.conflicts, [], options, format) }
    }

    struct System: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the database, its schema and clock, the key, the accounts' trust and the jobs.",
            discussion: """
                Ends with 1 where a check fails; a warning is none.

                  wireloom doctor
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions

        func run() throws {
            let checks = try Runtime.with(options) { runtime in
                try runtime.database.withConnection { try Self.checks(runtime, $0) }
            }
            switch format.output {
            case .table:
                for check in checks {
                    for (index, line) in wrap(check.detail, width: Output.width - 6).enumerated() {
                        print((index == 0 ? check.verdict.label : "      ") + line)
                    }
                }
            case .json: print(try Output.json(checks.map(\.json)))
            case .yaml: print(try Output.yaml(checks.map(\.json)), terminator: "")
            case .csv: Output.csv(checks.map(\.json))
            }
            if checks.contains(where: { $0.verdict == .failed }) { throw ExitCode(1) }
        }

        private struct Check {
            enum Verdict: String {
                case ok, warning, failed

                var label: String {
                    switch self {
                    case .ok: "ok    "
                    case .warning: "warn  "
                    case .failed: "FAIL  "
                    }
                }
            }

            let subject: String
            let verdict: Verdict
            let detail: String

            init(_ subject: String, _ verdict: Verdict, _ detail: String) {
                self.subject = subject
                self.verdict = verdict
                self.detail = detail
            }

            var json: JSONValue {
                .object(["check": .string(subject), "state": .string(verdict.rawValue), "detail": .string(detail)])
            }
        }

        private static func checks(_ runtime: Runtime, _ connection: Connection) throws -> [Check] {
            let version: String = try connection.query("SHOW server_version")[0].get(0)
            var checks = [
                Check("database", .ok, "PostgreSQL \(version), schema current"), try clock(connection),
            ]
            do {
                checks.append(Check("key", .ok, "the key is \(try runtime.secrets.keyID)"))
                checks += try AccountTable.all(in: connection).map { password($0, runtime) }
            } catch let error as InventoryError where error.code == .key {
                checks.append(Check("key", .failed, error.detail))
            }
            for account in try AccountTable.all(in: connection) where account.trust == .insecure {
                let what = account.url.hasPrefix("http://") ? "sends its password in clear" : "trusts any certificate"
                checks.append(
                    Check("trust", .warning, "account \(account.name) \(what); give it https and a --thumbprint"))
            }
            let stuck: Int = try connection.query(
                "SELECT count(*) FROM job WHERE state = 'running' AND lease_until < now()")[0].get(0)
            let jobs = stuck == 1 ? "1 job lost its worker" : "\(stuck) jobs lost their worker"
            checks.append(
                stuck > 0
                    ? Check("jobs", .failed, "\(jobs); `wireloom serve` queues them again")
                    : Check("jobs", .ok, "no job lost its worker"))
            let left = try VMService.abandoned(in: connection)
            if left.isEmpty { checks.append(Check("vms", .ok, "no VM was left half-made")) }
            checks += left.map { vm in
                Check(
                    "vms", .failed,
                    "VM \(vm.name) of account \(vm.account) is half-made and no job is at it; to take it back: "
                        + "wireloom vm delete \(vm.uuid) --account \(vm.account)")
            }
            return checks
        }

        private static func password(_ account: Account, _ runtime: Runtime) -> Check {
            do {
                _ = try runtime.secrets.unseal(account.secret, for: account.identity, account: account.name)
                return Check("password", .ok, "the password of account \(account.name) opens with the key")
            } catch {
                return Check("password", .failed, "\(error)")
            }
        }

        /// What ends by a time that a person gives as a duration begins by the clock here, and ends by the database's.
        private static func clock(_ connection: Connection) throws -> Check {
            let before = Timestamp.now
            let there: Timestamp = try connection.query("SELECT clock_timestamp()")[0].get(0)
            let after = Timestamp.now
            // Somewhere between asking and hearing it was told.
            let ahead = Double(max(0, before.microseconds - there.microseconds)) / 1_000_000
            let behind = Double(max(0, there.microseconds - after.microseconds)) / 1_000_000
            let apart = max(ahead, behind)
            guard apart >= 1 else { return Check("clock", .ok, "the clocks here and of the database agree") }
            return Check(
                "clock", .warning,
                String(
                    format: "the clock here is %.0f s %@ that of the database; let both follow one time server", apart,
                    ahead > 0 ? "ahead of" : "behind"))
        }
    }
}
