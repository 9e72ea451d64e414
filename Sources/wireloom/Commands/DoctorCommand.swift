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
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var format: OutputOptions
        func run() throws { try listing(.conflicts, [], options, format) }
    }

    struct System: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check the database, its schema, the key and the jobs.")
        @OptionGroup var options: GlobalOptions

        func run() throws {
            let problems = try Runtime.with(options) { runtime in
                try runtime.database.withConnection { connection -> Int in
                    let version: String = try connection.query("SHOW server_version")[0].get(0)
                    print("ok    PostgreSQL \(version), schema current")
                    var problems = 0
                    for account in try AccountTable.all(in: connection) {
                        do {
                            _ = try runtime.secrets.unseal(account.secret, for: account.identity, account: account.name)
                            print("ok    password of account \(account.name) opens with key \(runtime.secrets.keyID)")
                        } catch let error as InventoryError {
                            problems += 1
                            print("FAIL  \(error.detail)")
                        }
                        if account.trust == .insecure {
                            print("warn  account \(account.name) trusts any certificate; give it a --thumbprint")
                        }
                    }
                    let stuck: Int = try connection.query(
                        "SELECT count(*) FROM job WHERE state = 'running' AND lease_until < now()")[0].get(0)
                    if stuck > 0 {
                        problems += 1
                        print("FAIL  \(stuck) jobs lost their worker; `wireloom serve` queues them again")
                    } else {
                        print("ok    no job lost its worker")
                    }
                    let left = try VMService.abandoned(in: connection)
                    for vm in left {
                        problems += 1
                        print(
                            "FAIL  VM \(vm.name) of account \(vm.account) is half-made and no job is at it; to take it back: "
                                + "wireloom vm delete \(vm.uuid) --account \(vm.account)")
                    }
                    if left.isEmpty { print("ok    no VM was left half-made") }
                    return problems
                }
            }
            if problems > 0 { throw ExitCode(1) }
        }
    }
}
