import Foundation
import Postgres
import Support
import Testing

/// Each mistake is one clear sentence, the right status, and nothing written.
@Suite("Bad input", .serialized)
struct BadInputTests {
    @Test("a wrong password, port, thumbprint or URL onboards nothing and says why")
    func endpoints() throws {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("tokyo")
        func add(_ url: String, _ password: String, _ thumbprint: String) throws -> CommandLineTool.Result {
            try tool.run(
                "account", "add", "x", "--url", url, "--username", vcenter.username, "--password-stdin", "--thumbprint",
                thumbprint, input: password + "\n")
        }
        let wrong = try add(vcenter.url, "not-the-password", vcenter.thumbprint)
        #expect(wrong.status == 77)
        #expect(!wrong.errors.contains("not-the-password"))
        #expect(try add("https://127.0.0.1:1/sdk", vcenter.password, vcenter.thumbprint).status == 69)
        #expect(try add(vcenter.url, vcenter.password, String(repeating: "00", count: 32)).status == 77)
        #expect(try add(vcenter.url, vcenter.password, "abc").status == 65)
        #expect(try add("ftp://nowhere", vcenter.password, vcenter.thumbprint).status == 65)
        for (url, trust) in [(vcenter.url.replacing("https:", with: "http:"), ["--thumbprint", vcenter.thumbprint])] {
            let clear = try tool.start(
                ["account", "add", "x", "--url", url, "--username", "u", "--password-stdin"] + trust, input: "p\n"
            ).finish()
            #expect(clear.status == 65 && clear.errors.contains("would send the password in clear"), "\(clear.errors)")
        }
        func addInsecure(_ url: String) throws -> CommandLineTool.Result {
            try tool.run(
                "account", "add", "x", "--url", url, "--username", "u", "--password-stdin", "--insecure", input: "p\n")
        }
        let named = try addInsecure("https://u:hunter2@127.0.0.1/sdk")
        #expect(named.status == 65 && !named.errors.contains("hunter2"), "\(named.errors)")
        #expect(!named.errors.contains("warning"))
        #expect(try !addInsecure("").errors.contains("warning"))
        #expect(
            try addInsecure("http://127.0.0.1:1").errors.hasPrefix(
                "warning: the password goes to http://127.0.0.1:1/sdk in clear; "))
        #expect(
            try addInsecure("127.0.0.1:1").errors.hasPrefix(
                "warning: the certificate of https://127.0.0.1:1/sdk is not checked; "))
        #expect(try tool.json("account", "list").isEmpty)
        for result in [wrong] {
            #expect(result.errors.hasPrefix("wireloom: "))
            #expect(result.errors.split(separator: "\n").count == 1)
        }
    }

    @Test("the same endpoint cannot be onboarded twice, and the first account is named")
    func twice() throws {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("tokyo")
        #expect(try tool.add(vcenter, as: "first").status == 0)
        let second = try tool.add(vcenter, as: "second")
        #expect(second.status == 77)
        #expect(second.errors.contains("first"))
        #expect(try tool.json("account", "list").count == 1)
        #expect(try vcenter.statistics().calls["Login"] == 2)

        let clear = try tool.run("account", "update", "first", "--url", vcenter.url.replacing("https:", with: "http:"))
        #expect(clear.status == 65 && clear.errors.contains("would send the password in clear"), "\(clear.errors)")
        let lyon = try SimulatedVCenter.demo("lyon")
        #expect(try tool.add(lyon, as: "lyon").status == 0)
        let other = try tool.run(
            "account", "update", "first", "--url", lyon.url, "--thumbprint", lyon.thumbprint, "--username",
            lyon.username,
            "--password-stdin", input: lyon.password + "\n")
        #expect(other.status == 77)
        #expect(
            other.errors.hasPrefix("wireloom: \(lyon.url)") && other.errors.contains("is that of account lyon;"),
            "\(other.errors)")
        #expect(try tool.database.column("SELECT url FROM account WHERE name = 'first'") != [lyon.url])
    }

    @Test(
        "malformed networks are refused in one sentence and change nothing",
        arguments: [
            ["subnet", "create", "s", "--wire", "w", "--cidr", "10.0.0.1/24"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "10.0.0.0/33"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "0.0.0.0/0"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "010.0.0.0/24"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "10.0.0.0/24", "--vlan", "4095"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "10.0.0.0/24", "--gateway", "10.0.1.1"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "10.0.0.0/24", "--pool", "10.0.0.200-10.0.0.100"],
            ["subnet", "create", "s", "--wire", "w", "--cidr", "10.0.0.0/24", "--pool", "10.0.0.0-10.0.0.9"],
            ["subnet", "create", "a\u{7}b", "--wire", "w", "--cidr", "10.0.0.0/24"],
            ["subnet", "create", "s", "--wire", "nowhere", "--cidr", "10.0.0.0/24"],
            ["wire", "link", "nothing", "w"],
            ["explain", "ip", "10.0.0.1.2"],
            ["job", "show", "999999"],
            ["sync", "nobody", "--wait"],
        ])
    func networks(_ words: [String]) throws {
        let tool = try CommandLineTool()
        try tool.run("wire", "create", "w")
        let result = try tool.start(words).finish()
        #expect([65, 77].contains(result.status), "\(result.status) \(result.errors)")
        #expect(result.errors.hasPrefix("wireloom: "), "\(result.errors)")
        #expect(try tool.json("subnet", "list").isEmpty)
    }

    private static let subnet = ["subnet", "create", "s", "--wire", "w", "--cidr"]

    @Test(
        "what cannot be is refused with its status and a word of why, and nobody's name is taken for nothing found",
        arguments: [
            (["account", "update", "paris"], 64, "say what to change"),
            (["account", "update", "paris", "--every", "0s"], 64, "--every is a time of more than nothing"),
            (["account", "update", "paris", "--every", "-5m"], 64, "'-5m'"),
            (["account", "update", "paris", "--ignore", "10.0.0.1/8"], 65, "did you mean 10.0.0.0/8?"),
            (["account", "update", "paris", "--ignore", "abc"], 65, "\"abc\" is not a prefix"),
            (["subnet", "update", "net"], 64, "say what to change"),
            (["subnet", "update", "net", "--description", "x\u{1B}y"], 65, "without control characters"),
            (["subnet", "update", "net", "--dns-suffix", "bad suffix!"], 65, "\"bad suffix!\" is no DNS suffix"),
            (subnet + ["10.0.1.0/24", "--dns-suffix", "a..example.com"], 65, "is no DNS suffix"),
            (subnet + ["10.0.1.0/24", "--description", "\u{7}"], 65, "without control characters"),
            (subnet + ["10.0.1.0/24", "--vlan", "-1"], 65, "-1 is no VLAN id"),
            (subnet + ["fe80::/64"], 65, "nothing but link-local addresses"),
            (subnet + ["224.0.0.0/8"], 65, "nothing but multicast addresses"),
            (subnet + ["127.0.0.0/8"], 65, "nothing but loopback addresses"),
            (subnet + ["0.0.0.0/8"], 65, "addresses that name no adapter"),
            (subnet + ["::ffff:10.9.0.0/120"], 65, "write 10.9.0.0/24"),
            (subnet + ["10. 9.0.0/24"], 65, "it has a space in it"),
            (["subnet", "reserve", "net", "10.0.0.9", "--owner", "a", "--expires", "0s"], 65, "over at once"),
            (
                ["subnet", "reserve", "net", "10.0.0.9", "--owner", "a", "--expires", "2020-01-01T00:00:00Z"], 65,
                "a reservation cannot end at 2020-01-01T00:00:00Z"
            ),
            (
                ["subnet", "reserve", "net", "10.0.0.2-10.0.0.9", "--owner", "a"], 77,
                "10.0.0.5 is reserved for \"core\""
            ),
            (["subnet", "pool", "add", "net", "10.0.0.1-10.0.0.20"], 77, "overlaps its pool 10.0.0.10-10.0.0.19"),
            (subnet + ["10.0.1.0/24", "--pool", "10.0.1.1-10.0.1.9", "--pool", "10.0.1.9"], 77, "overlap"),
            (["subnet", "list", "--wire", "nosuch"], 65, "there is no wire \"nosuch\""),
            (["ip", "release", "net", "10.99.0.77"], 65, "10.99.0.77 is not in subnet net (10.0.0.0/24)"),
            (["ip", "history", "--vm", "nosuch"], 65, "\"nosuch\" ever had an address"),
            (["audit", "list", "--kind", "nosuch"], 65, "they are account, wire, subnet"),
            (["audit", "list", "--limit", "-1"], 64, "--limit is a number from 1"),
            (["job", "list", "--limit", "-1"], 64, "--limit is a number from 1"),
            (["job", "cancel", "999"], 65, "there is no job 999; see: wireloom job list"),
            (["job", "list", "--account", "nosuch"], 65, "there is no account \"nosuch\""),
            (["host", "list", "--account", "nosuch"], 65, "there is no account \"nosuch\""),
            (["host", "show", "x", "--account", "nosuch"], 65, "there is no account \"nosuch\""),
            (["vm", "list", "--account", "nosuch"], 65, "there is no account \"nosuch\""),
            (["vm", "list", "--unplaced", "--account", "nosuch"], 65, "there is no account \"nosuch\""),
            (["explain", "switch", "x", "--account", "nosuch"], 65, "there is no account \"nosuch\""),
            (["wire", "link", "dvs", "w", "--account", "nosuch"], 65, "there is no account \"nosuch\""),
            (["wire", "link", "dvs", "w"], 65, "there is no switch \"dvs\"; see"),
            (["vm", "show", "nosuch"], 65, "there is no VM \"nosuch\"; see: wireloom vm list"),
            (["apply", "-f", "/tmp"], 66, "cannot read /tmp: it is a directory"),
            (["export", "-o", "/tmp"], 73, "cannot write /tmp: it is a directory"),
            (["export", "-o", "json"], 64, "write ./json"),
            (
                ["wire", "create", String(repeating: "n", count: 300)], 65,
                "\(String(repeating: "n", count: 40))…\" is longer"
            ),
        ] as [([String], Int32, String)])
    func refused(words: [String], status: Int32, sentence: String) throws {
        let tool = try Self.small.get()
        let before = try tool.run("export").output
        let result = try tool.start(words).finish()
        #expect(result.status == status && result.errors.contains(sentence), "\(result.status) \(result.errors)")
        #expect(try tool.run("export").output == before)
    }

    /// A wire with a subnet, its pool and a reservation, and an account that nobody can reach. Refusals leave it as it is.
    private static let small = Result {
        let tool = try CommandLineTool()
        try tool.run("wire", "create", "w")
        try tool.run("subnet", "create", "net", "--wire", "w", "--cidr", "10.0.0.0/24", "--pool", "10.0.0.10-10.0.0.19")
        try tool.run("subnet", "reserve", "net", "10.0.0.5", "--owner", "core")
        try tool.database.withConnection {
            try $0.script(
                """
                INSERT INTO account (name, url, username, secret, secret_key_id, trust, kind, identity)
                VALUES ('paris', 'https://127.0.0.1:1/sdk', 'u', '', '', 'insecure', 'vcenter', 'i')
                """)
        }
        return tool
    }

    @Test("a database that is down is one sentence and status 69, without its password")
    func databaseDown() throws {
        let tool = try CommandLineTool()
        let result = try tool.run(
            "status", environment: ["WIRELOOM_DATABASE_URL": "postgresql://u:hunter2@127.0.0.1:1/x"])
        #expect(result.status == 69)
        #expect(!result.errors.contains("hunter2"))
    }

    @Test("a failed sync of one account is the status of all, and the others succeed")
    func oneDown() throws {
        let tool = try CommandLineTool()
        let good = try SimulatedVCenter.demo("tokyo")
        let bad = try SimulatedVCenter.demo("lyon")
        #expect(try tool.add(good, as: "good").status == 0)
        #expect(try tool.add(bad, as: "bad").status == 0)
        bad.stop()
        let result = try tool.run("sync", "--all", "--wait")
        #expect(result.status == 1)
        let states = try tool.json("account", "list").map { "\($0["name"] ?? "") \($0["last_sync_state"] ?? "")" }
        #expect(states == ["bad failed", "good findings"])
        withExtendedLifetime(good) {}
    }
}
