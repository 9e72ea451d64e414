import ArgumentParser
import Foundation

@main
struct Wireloom: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "wireloom",
        abstract: "Knows the addresses on the networks of many VMware accounts.",
        discussion: """
            Onboard an account, sync it, and see where every address belongs:

              wireloom account add paris --url vc.example.com --username ops \\
                  --password-stdin < password.txt
              wireloom sync --all --wait
              wireloom vm list --unplaced

            Without --database-url or WIRELOOM_DATABASE_URL, a private PostgreSQL under \
            WIRELOOM_HOME (default ~/.wireloom, as root /var/lib/wireloom) is created and \
            started when it is first needed.
            """,
        version: "0.1.0",
        subcommands: [
            AccountCommand.self, SyncCommand.self, ServeCommand.self, JobCommand.self, StatusCommand.self,
            HostCommand.self, SwitchCommand.self, PortGroupCommand.self, VMCommand.self, WireCommand.self,
            SubnetCommand.self, IPCommand.self, ApplyCommand.self, ExportCommand.self, ExplainCommand.self,
            FixCommand.self, AuditCommand.self, DoctorCommand.self,
        ])

    static func main() {
        signal(SIGPIPE, SIG_IGN)
        Signals.watch()
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch let code as ExitCode {
            Foundation.exit(code.rawValue)
        } catch {
            if let failure = Failure(error) {
                FileHandle.standardError.write(Data("wireloom: \(failure.sentence)\n".utf8))
                Foundation.exit(failure.status)
            }
            exit(withError: error)
        }
    }
}
