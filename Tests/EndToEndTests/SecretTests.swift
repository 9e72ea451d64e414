import Foundation
import Support
import Testing

/// I9 from outside: what an operator, another user of the machine, or a reader of a backup can see.
@Suite("Secrets", .serialized)
struct SecretTests {
    /// With letters that XML, URLs and JSON each write in another way.
    private static let password = "Zebra<&>\"7%+/=Ünïque' Qw"
    private static let wrong = "Gnu<&>\"8%+/=Ünmöglich' Qw"

    /// A text in every form that a program may give it by accident.
    private static func forms(_ secret: String, username: String) -> [String] {
        let alone = Data(secret.utf8)
        let percent = secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? ""
        let xml = secret.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
        let json = secret.replacingOccurrences(of: "\"", with: "\\\"")
        // Base64 within a longer text: three alignments, without the characters that what stands around it changes.
        let base64 = (0..<3).map { shift -> String in
            let text = (Data(repeating: 0, count: shift) + alone.prefix(18 + 3)).base64EncodedString()
            return String(text.dropFirst(shift == 0 ? 0 : 4).prefix(20))
        }
        return [
            secret, percent, secret.addingPercentEncoding(withAllowedCharacters: .urlQueryAllowed) ?? percent, xml,
            xml.replacingOccurrences(of: ">", with: "&gt;"), json, String(secret.prefix(5)), String(secret.suffix(8)),
            alone.base64EncodedString(), Data("\(username):\(secret)".utf8).base64EncodedString(),
            alone.map { String(format: "%02x", $0) }.joined(), alone.map { String(format: "%02X", $0) }.joined(),
        ] + base64
    }

    private let forms: [String]
    private let tool: CommandLineTool
    private let vcenter: SimulatedVCenter

    init() throws {
        tool = try CommandLineTool()
        var generator = Scenario.Generator(hosts: 1, vms: 5, portGroups: 1)
        generator.prefixLength = 24
        var scenario = Scenario(name: "vault")
        scenario.password = Self.password
        scenario.generate = [generator]
        vcenter = try SimulatedVCenter(scenario)
        forms = [Self.password, Self.wrong].flatMap { [username = vcenter.username] in
            Self.forms($0, username: username)
        }
    }

    private func leaks(in text: String) -> [String] { forms.filter { text.contains($0) } }

    @Test("the forms looked for would be found")
    func detector() throws {
        let secret = Self.password
        for text in [
            secret, "url?password=\(secret.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")",
            Data("user:\(secret)".utf8).base64EncodedString(), Data("us:\(secret)".utf8).base64EncodedString(),
            Data("u:\(secret)".utf8).base64EncodedString(),
            "<password>\(secret.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;"))",
        ] { #expect(!leaks(in: text).isEmpty, "\(text)") }
    }

    @Test("I9: a password is in no process's arguments, output, log or file, and in no form in the database")
    func nowhere() throws {
        let add = [
            "account", "add", "vault", "--url", vcenter.url, "--username", vcenter.username, "--password-stdin",
            "--thumbprint", vcenter.thumbprint, "--every", "1h", "-v",
        ]
        // While it talks to the vCenter, in a login that fails and in ones that do not.
        try watched(add, input: Self.wrong, at: "Login", status: 77)
        try watched(add, input: Self.password, at: "Login", status: 0)
        try watched(["account", "test", "vault", "-v"], at: "Login", status: 0)
        try watched(
            ["account", "update", "vault", "--password-stdin", "-v"], input: Self.wrong, at: "Login", status: 77)
        try watched(
            ["account", "update", "vault", "--password-stdin", "-v"], input: Self.password, at: "Login", status: 0)
        try watched(["sync", "vault", "--wait", "-v"], at: "WaitForUpdatesEx", status: 0)

        // A login that fails in a sync, an answer that breaks off in it, and a sync by serve.
        try vcenter.inject(.soap("InvalidLogin"), method: "Login")
        try watched(["sync", "vault", "--wait", "-v"], status: 1)
        try vcenter.inject(.cut(afterBytes: 300), method: "Login")
        try watched(["sync", "vault", "--wait", "-v"], status: 1)
        let server = try tool.start(["serve", "-v"])
        try tool.all([["sync", "vault"]])
        try until("serve has synced") {
            try tool.database.column("SELECT state FROM job ORDER BY id DESC LIMIT 1").first == "succeeded"
                || tool.database.column("SELECT state FROM job ORDER BY id DESC LIMIT 1").first == "findings"
        }
        try look(at: server)
        server.send(SIGTERM)
        try check(server, status: 0)

        for words in [
            ["account", "list", "-o", "json"], ["account", "show", "vault", "-o", "yaml"], ["status"], ["doctor"],
            ["job", "list", "-o", "json"], ["job", "log", "2"], ["job", "log", "3"],
        ] { try check(tool.start(words), status: 0) }
        try database()
        for file in try FileManager.default.subpathsOfDirectory(atPath: tool.home) {
            guard let data = FileManager.default.contents(atPath: "\(tool.home)/\(file)") else { continue }
            #expect(leaks(in: String(decoding: data, as: UTF8.self)) == [], "\(file)")
        }
    }

    @Test("I9: a password is in no file of the private PostgreSQL, and in no process's arguments")
    func privateServer() throws {
        let tool = try CommandLineTool(scratch: nil)
        defer { try? FileManager.default.removeItem(atPath: tool.home) }
        let add = [
            "account", "add", "vault", "--url", vcenter.url, "--username", vcenter.username, "--password-stdin",
            "--thumbprint", vcenter.thumbprint, "-v",
        ]
        try check(tool.start(add, input: Self.wrong + "\n"), status: 77)
        try check(tool.start(add, input: Self.password + "\n"), status: 0)
        try vcenter.inject(.delay(milliseconds: 300_000), method: "WaitForUpdatesEx")
        let sync = try tool.start(["sync", "vault", "--wait", "-v"])
        try until("it waits for the vCenter") { try vcenter.statistics().running["WaitForUpdatesEx"] == 1 }
        let processes = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }
        // The server's processes show in theirs what they do.
        let arguments = processes.map { process in
            String(
                decoding: FileManager.default.contents(atPath: "/proc/\(process)/cmdline") ?? Data(), as: UTF8.self)
        }
        #expect(arguments.count { $0.contains("\(tool.home)/cluster/run") || $0.hasPrefix("postgres: wireloom-") } > 5)
        #expect(leaks(in: arguments.joined(separator: "\n")) == [])
        try vcenter.clearFaults()
        try check(sync, status: 0)

        // The server is down, so everything is in its files: the data, the log before them, and what it said.
        #expect(try files(of: tool.home, with: [vcenter.username]).contains { $0.contains("/cluster/data/base/") })
        #expect(try files(of: tool.home, with: [vcenter.username]).contains { $0.contains("/cluster/data/pg_wal/") })
        #expect(FileManager.default.fileExists(atPath: "\(tool.home)/cluster/data/log"))
        #expect(try files(of: tool.home, with: forms) == [])
    }

    /// The files below a directory that hold one of the texts.
    private func files(of directory: String, with texts: [String]) throws -> [String] {
        let patterns = NSTemporaryDirectory() + "wireloom-patterns-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: patterns) }
        try texts.joined(separator: "\n").write(toFile: patterns, atomically: true, encoding: .utf8)
        let grep = Process()
        grep.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        grep.arguments = ["LC_ALL=C", "grep", "-rlaF", "-f", patterns, directory]
        let output = Pipe()
        grep.standardOutput = output
        try grep.run()
        let found = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        grep.waitUntilExit()
        // 1 is "none", 2 "could not read".
        #expect(grep.terminationStatus < 2)
        return found.split(separator: "\n").map(String.init)
    }

    @Test("I9: the password of the database's URL is in no output and no process's arguments")
    func databaseURL() throws {
        let secret = try #require(
            Self.password.addingPercentEncoding(withAllowedCharacters: .alphanumerics))
        // The server trusts its socket, so that any password will do.
        let url = try #require(tool.scratch).uri.replacingOccurrences(of: "wireloom@", with: "wireloom:\(secret)@")
        #expect(leaks(in: url) != [])
        let environment = ["WIRELOOM_DATABASE_URL": url]
        try vcenter.inject(.delay(milliseconds: 300_000), method: "Login")
        let add = try tool.start(
            [
                "account", "add", "vault", "--url", vcenter.url, "--username", vcenter.username, "--password-stdin",
                "--thumbprint", vcenter.thumbprint, "-v",
            ], input: vcenter.password + "\n", environment: environment)
        try until("it waits for the vCenter") { try vcenter.statistics().running["Login"] == 1 }
        let process = add.process.processIdentifier
        let arguments = try #require(FileManager.default.contents(atPath: "/proc/\(process)/cmdline"))
        #expect(leaks(in: String(decoding: arguments, as: UTF8.self)) == [])
        try vcenter.clearFaults()
        try check(add, status: 0)
        for (words, status) in [
            (["sync", "vault", "--wait", "-v"], Int32(0)), (["doctor", "-v"], 0), (["status", "-v"], 0),
            // A statement that fails, and a server that is not there.
            (["subnet", "show", "nowhere", "-v"], 65),
        ] { try check(tool.start(words, environment: environment), status: status) }
        let gone = url.replacingOccurrences(of: "@%2F", with: "@%2Fnowhere%2F")
        try check(tool.start(["status", "-v"], environment: ["WIRELOOM_DATABASE_URL": gone]), status: 69)
    }

    /// Runs a command, looks at its process while it waits for the vCenter, and at what it said.
    private func watched(_ words: [String], input: String? = nil, at method: String? = nil, status: Int32) throws {
        if let method { try vcenter.inject(.delay(milliseconds: 300_000), method: method) }
        let running = try tool.start(words, input: input.map { $0 + "\n" } ?? "")
        if let method {
            try until("it waits for the vCenter") { try vcenter.statistics().running[method] == 1 }
            try look(at: running)
            try vcenter.clearFaults()
        }
        try check(running, status: status)
    }

    /// What `ps` shows of a process, and its environment; and what the database shows of its sessions.
    private func look(at running: CommandLineTool.Running) throws {
        let process = running.process.processIdentifier
        for file in ["cmdline", "environ", "comm", "task/\(process)/comm"] {
            let data = try #require(FileManager.default.contents(atPath: "/proc/\(process)/\(file)"))
            #expect(!data.isEmpty, "\(file)")
            #expect(leaks(in: String(decoding: data, as: UTF8.self)) == [], "\(file)")
        }
        let sessions = try tool.database.column("SELECT concat_ws(' ', application_name, query) FROM pg_stat_activity")
        #expect(leaks(in: sessions.joined(separator: "\n")) == [])
    }

    private func check(_ running: CommandLineTool.Running, status: Int32) throws {
        let words = (running.process.arguments ?? []).joined(separator: " ")
        let result = try running.finish()
        #expect(result.status == status, "\(words): \(result.errors)")
        #expect(leaks(in: result.output) == [], "\(words)")
        #expect(leaks(in: result.errors) == [], "\(words)")
    }

    /// Every row of every table, jobs' errors and logs among them.
    private func database() throws {
        let database = try tool.database
        let tables = try database.column(
            """
            SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
            WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
            """)
        #expect(tables.count > 15)
        var rows = 0
        for table in tables {
            let text = try database.column("SELECT t::text FROM \(table) t")
            rows += text.count
            #expect(leaks(in: text.joined(separator: "\n")) == [], "\(table)")
        }
        #expect(rows > 50)
        #expect(
            try database.count("SELECT count(*) FROM account WHERE length(secret) > \(Self.password.utf8.count)") == 1)
        #expect(try database.count("SELECT count(*) FROM job WHERE state = 'failed' AND error <> ''") == 2)
        #expect(try database.count("SELECT count(*) FROM job_event") > 0)
    }
}
