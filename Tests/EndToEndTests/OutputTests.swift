import Foundation
import Postgres
import Support
import Testing

/// What the forms of a listing have in common, and what a terminal makes of them.
@Suite("Output", .serialized)
struct OutputTests {
    @Test("each form that is asked for is the one that comes; a listing without rows has its header in csv")
    func forms() throws {
        let tool = try CommandLineTool()
        #expect(try tool.run("status", "-o", "yaml").output.contains("\naccounts: 0\n".dropFirst()))
        let status = try tool.run("status", "-o", "csv").output.split(separator: "\n")
        #expect(status.count == 2 && status[0].hasPrefix("accounts,failing,held,hosts,"), "\(status)")
        let doctor = try tool.run("doctor", "-o", "json").output
        let checks = try JSONSerialization.jsonObject(with: Data(doctor.utf8)) as? [[String: String]]
        #expect(checks?.compactMap { $0["check"] } == ["database", "clock", "key", "jobs", "vms"], "\(doctor)")
        #expect(checks?.allSatisfy { $0["state"] == "ok" } == true, "\(doctor)")
        #expect(try tool.run("wire", "suggest", "-o", "csv").output == "evidence,id,into,score,wires\n")
        #expect(try tool.run("wire", "suggest", "-o", "yaml").output == "[]\n")
        for words in [
            ["account", "list"], ["job", "list"], ["host", "list"], ["switch", "list"], ["portgroup", "list"],
            ["wire", "list"],
            ["subnet", "list"], ["vm", "list"], ["wire", "journal"], ["audit", "list"], ["doctor", "addresses"],
            ["ip", "find", "10.0.0.1"], ["ip", "history", "10.0.0.1"],
        ] {
            let result = try tool.start(words + ["-o", "csv"]).finish()
            #expect(
                result.status == 0 && result.output.split(separator: "\n").count == 1 && result.output.contains(","),
                "\(words): \(result.output) \(result.errors)")
        }
        let header = try tool.run("vm", "list", "-o", "csv").output
        #expect(header.hasPrefix("account,host,id,missing,name,nics,power_state,"), "\(header)")
        #expect(try tool.run("subnet", "merge", "a", "b", "-o", "csv").status == 64)
        #expect(try !tool.run("subnet", "merge", "--help").output.contains("csv"))
    }

    @Test("on 80 columns names that differ stay different, bars give way first, and reasons stand below their rows")
    func narrow() throws {
        let tool = try CommandLineTool()
        for words in [
            ["wire", "create", "lab-esxi/esx-1.example.com/vSwitch0", "--site", "france"],
            ["wire", "create", "lab-esxi/esx-1.example.com/vSwitch1", "--site", "france"],
            [
                "subnet", "create", "campus-servers-of-floor-1", "--wire",
                "lab-esxi/esx-1.example.com/vSwitch0",
                "--cidr", "2001:db8:1234:5678::/64", "--vlan", "20",
            ],
            [
                "subnet", "create", "campus-servers-of-floor-2", "--wire",
                "lab-esxi/esx-1.example.com/vSwitch0",
                "--cidr", "2001:db8:1234:5679::/64", "--vlan", "20",
            ],
            [
                "subnet", "reserve", "campus-servers-of-floor-1", "2001:db8:1234:5678:aaaa:bbbb:cccc:dddd",
                "--owner",
                "whoever looks after the routers of the campus",
            ],
        ] {
            try tool.all([words])
        }
        func rows(_ words: String...) throws -> [String] {
            let lines = try tool.start(words).finish().output.split(separator: "\n").map(String.init)
            #expect(lines.allSatisfy { $0.count <= 80 }, "\(lines)")
            return Array(lines.dropFirst())
        }
        let wires = try rows("wire", "list")
        #expect(wires.count == 2 && Set(wires).count == 2, "\(wires)")
        #expect(wires.allSatisfy { $0.contains("witch") && $0.contains("]") }, "\(wires)")
        let subnets = try rows("subnet", "list")
        #expect(Set(subnets.map { $0.prefix { $0 != " " } }).count == 2, "\(subnets)")
        #expect(subnets.allSatisfy { $0.contains("2001:db8:1234:567") && $0.contains("::/64") }, "\(subnets)")
        let addresses = try rows("ip", "list", "campus-servers-of-floor-1")
        #expect(addresses.first?.hasPrefix("2001:db8:1234:5678:aaaa:bbbb:cccc:dddd ") == true, "\(addresses)")
        try tool.database.withConnection {
            try $0.script(
                """
                INSERT INTO job (kind, subject, label, state, queued_at, started_at, finished_at, phase, error, error_code)
                VALUES ('sync', 'account:1', 'paris', 'failed', now(), now(), now(), 'reading',
                    'https://vcenter.example.com:8443/sdk cannot be reached: Connection refused', 'unreachable');
                INSERT INTO job (kind, subject, label, state, queued_at, started_at, phase, done)
                VALUES ('sync', 'account:1', 'paris', 'queued', now(), now() - interval '99 seconds', 'reading', 7);
                """)
        }
        let jobs = try rows("job", "list")
        #expect(
            jobs.last == "    https://vcenter.example.com:8443/sdk cannot be reached: Connection refused", "\(jobs)")
        // What the attempt that was given back came to is not what the job is at.
        let queued = try tool.json("job", "list").first
        for field in ["phase", "started_at", "seconds", "done"] { #expect(queued?[field] is NSNull, "\(field)") }
    }

    @Test("what was audited has a name, though what it was named by went with it")
    func audited() throws {
        let tool = try CommandLineTool()
        for words in [
            ["wire", "create", "w"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "10.0.0.0/24", "--pool", "10.0.0.10-10.0.0.19"],
            ["subnet", "reserve", "s", "10.0.0.2-10.0.0.9", "--owner", "core"], ["subnet", "delete", "s", "--force"],
        ] {
            try tool.all([words])
        }
        let gone = try tool.json("audit", "list").filter { $0["action"] as? String == "delete" }
        let names = Set(gone.compactMap { $0["name"] as? String })
        #expect(names == ["s", "10.0.0.10-10.0.0.19", "10.0.0.2-10.0.0.9"], "\(gone)")
    }

    @Test("progress is no higher than the terminal, and whole at the end")
    func progress() throws {
        let tool = try CommandLineTool()
        let vcenters = try ["tokyo", "lyon", "paris", "lab-esxi"].map { name in
            let vcenter = try SimulatedVCenter.demo(name)
            #expect(try tool.add(vcenter, as: name).status == 0)
            return vcenter
        }
        let typescript = tool.home + "/typescript"
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = [
            "-c",
            "exec script -qefc \"stty rows 4 cols 80; \(CommandLineTool.program) sync --all --wait --workers 1\" \(typescript)",
        ]
        var environment = ProcessInfo.processInfo.environment
        environment["WIRELOOM_DATABASE_URL"] = tool.scratch?.uri
        environment["WIRELOOM_HOME"] = tool.home
        environment["WIRELOOM_KEY_FILE"] = nil
        process.environment = environment
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        let text = try String(contentsOfFile: typescript, encoding: .utf8)
        #expect(text.contains("… 2 more queued"), "\(text)")
        let moves = text.matches(of: #/\x1B\[(\d+)A/#).compactMap { Int($0.1) }
        #expect(!moves.isEmpty && moves.allSatisfy { $0 <= 3 }, "\(moves)")
        let last = text.components(separatedBy: "\u{1B}[J").last ?? ""
        for name in ["tokyo", "lyon", "paris", "lab-esxi"] { #expect(last.contains(name), "\(last)") }
        withExtendedLifetime(vcenters) {}
    }
}
