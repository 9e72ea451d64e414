import Foundation
import Postgres
import Support
import Testing

@Suite struct ScratchTests {
    @Test("scratch databases are apart from each other, and gone when closed")
    func apart() throws {
        let (first, second) = (try ScratchDatabase(), try ScratchDatabase())
        try first.database.withConnection { try $0.script("CREATE TABLE mine (n int)") }
        try second.database.withConnection { connection in
            let there: Bool = try connection.query("SELECT to_regclass('mine') IS NOT NULL").one().get(0)
            #expect(!there)
        }
        let held = try first.database.connect()
        first.close()
        first.close()
        #expect(throws: DatabaseError.self) { try held.query("SELECT 1") }
        let error = #expect(throws: DatabaseError.self) { try Database(.init(uri: first.uri)).connect() }
        #expect(error?.sqlState == "3D000")
    }

    @Test("a server that nobody holds stops and leaves nothing behind")
    func serverStops() throws {
        var server: ScratchServer? = try ScratchServer()
        let directory = try #require(server?.directory)
        let process = try #require(
            Int32(String(contentsOfFile: "\(directory)/data/postmaster.pid", encoding: .utf8).prefix { $0 != "\n" }))
        #expect(kill(process, 0) == 0)
        server = nil
        // Another process cleans up; its end can only be polled. Without it the test would never end.
        while kill(process, 0) == 0 || FileManager.default.fileExists(atPath: directory) { sched_yield() }
    }
}
