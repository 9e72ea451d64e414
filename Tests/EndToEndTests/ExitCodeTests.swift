import Foundation
import Postgres
import Support
import Testing

/// What a script may do next is told by the status alone.
@Suite("Exit codes", .serialized)
struct ExitCodeTests {
    @Test("a malformed database URL is bad data, and is not quoted")
    func malformedURL() throws {
        let tool = try CommandLineTool()
        let result = try tool.run(
            "status", environment: ["WIRELOOM_DATABASE_URL": "postgresql://u:hunter2@[::1/x"])
        #expect(result.status == 65)
        #expect(result.errors.hasPrefix("wireloom: the database URL is malformed"), "\(result.errors)")
        #expect(!result.errors.contains("hunter2"))
    }

    @Test("a database that a newer wireloom migrated is refused, and untouched")
    func newerDatabase() throws {
        let tool = try CommandLineTool()
        try tool.all([["status"]])
        try tool.database.withConnection {
            try $0.script("INSERT INTO schema_migration (version, name, checksum) VALUES (9999, 'later', '')")
        }
        let result = try tool.run("wire", "create", "campus")
        #expect(result.status == 69)
        #expect(result.errors.contains("upgrade wireloom"), "\(result.errors)")
        #expect(try tool.database.count("SELECT count(*) FROM wire") == 0)
    }

    @Test("a role without a right is told which, and how it gets it; a database without every character is refused")
    func databaseOfOthers() throws {
        let tool = try CommandLineTool()
        let scratch = try #require(tool.scratch)
        try scratch.database.withConnection {
            try $0.script("CREATE ROLE guest LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        }
        let guest = try tool.run(
            "status", environment: ["WIRELOOM_DATABASE_URL": scratch.uri.replacing("wireloom@", with: "guest@")])
        #expect(guest.status == 77)
        #expect(
            guest.errors
                == "wireloom: the database role lacks a right: permission denied for schema public; whoever may give it can: "
                + "GRANT ALL ON SCHEMA public TO ROLE\n")
        try scratch.database.withConnection {
            try $0.script("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0 LOCALE 'C'")
        }
        let latin = try tool.run(
            "status", environment: ["WIRELOOM_DATABASE_URL": scratch.uri.replacing(scratch.name, with: "latin")])
        #expect(latin.status == 69)
        #expect(
            latin.errors.contains("keeps text as LATIN1") && latin.errors.contains("ENCODING 'UTF8'"), "\(latin.errors)"
        )
        try scratch.database.withConnection { try $0.script("DROP DATABASE latin") }
    }

    @Test("a key that cannot be read stops who needs it and nobody else, and doctor tells of it")
    func badKey() throws {
        let tool = try CommandLineTool()
        let key = tool.home + "/bad-key"
        try Data("no key\n".utf8).write(to: URL(fileURLWithPath: key))
        chmod(key, 0o600)
        let environment = ["WIRELOOM_KEY_FILE": key]
        #expect(try tool.run("account", "list", environment: environment).status == 0)
        let doctor = try tool.run("doctor", environment: environment)
        #expect(doctor.status == 1)
        #expect(doctor.output.contains("ok    PostgreSQL"), "\(doctor.output)")
        #expect(doctor.output.contains("ok    the clocks here and of the database agree"), "\(doctor.output)")
        #expect(doctor.output.contains("FAIL  the key file"), "\(doctor.output)")
        let serve = try tool.run("serve", environment: environment)
        #expect(serve.status == 77 && serve.errors.contains("holds no key"), "\(serve.errors)")
    }

    @Test("a private PostgreSQL that is busy with another is worth another try")
    func busyServer() throws {
        let tool = try CommandLineTool(scratch: nil)
        defer { try? FileManager.default.removeItem(atPath: tool.home) }
        try tool.all([["status"]])
        let file = open("\(tool.home)/cluster/users.lock", O_RDWR | O_CLOEXEC)
        try #require(file >= 0 && flock(file, LOCK_EX) == 0)
        #expect(try tool.run("status").status == 75)
        close(file)
        #expect(try tool.run("status").status == 0)
    }

    @Test(
        "a queue that keeps changing is worth another try; a job that is not there is bad data, one that has ended a rule"
    )
    func queue() throws {
        let tool = try CommandLineTool()
        let vcenter = try SimulatedVCenter.demo("tokyo")
        #expect(try tool.add(vcenter, as: "tokyo").status == 0)
        try tool.all([["sync", "tokyo"]])
        try tool.all([["job", "cancel", "1"]])
        #expect(try tool.run("job", "cancel", "1").status == 77)
        #expect(try tool.run("job", "cancel", "2").status == 65)
        // The row that was asked for is never there.
        try tool.database.withConnection {
            try $0.script(
                """
                CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
                CREATE TRIGGER nothing BEFORE INSERT ON job FOR EACH ROW EXECUTE FUNCTION nothing();
                """)
        }
        #expect(try tool.run("sync", "tokyo").status == 75)
        withExtendedLifetime(vcenter) {}
    }

    @Test("a job that this wireloom cannot read is a bug")
    func unreadable() throws {
        let tool = try CommandLineTool()
        try tool.all([["status"]])
        let database = try tool.database
        for name in try database.column(
            "SELECT conname FROM pg_constraint WHERE conrelid = 'job'::regclass AND contype = 'c'")
        {
            try database.withConnection { try $0.script("ALTER TABLE job DROP CONSTRAINT \(name)") }
        }
        try database.withConnection {
            try $0.script("INSERT INTO job (kind, subject, state) VALUES ('sync', 'account:1', 'dreaming')")
        }
        let result = try tool.run("job", "watch", "1")
        #expect(result.status == 70)
        #expect(result.errors.contains("dreaming"), "\(result.errors)")
    }
}
