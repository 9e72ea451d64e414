import Foundation
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
