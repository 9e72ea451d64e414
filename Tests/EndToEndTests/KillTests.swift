import Foundation
import Support
import Testing

/// Four syncs at once, each held at a moment of its own, and then the blow.
@Suite("Kills", .serialized)
struct KillTests {
    private static let moments: [[Brakes.Moment]] = [
        [.reading, .staging, .merging, .linking], [.placing, .ending, .committing, .committed],
    ]

    @Test(
        "kill -9 of the controller leaves each account as before its sync or as after, and the next sync needs no help")
    func controller() throws {
        let world = try CrashWorld(isPrivate: false)
        for moments in Self.moments { try killController(world, at: moments) }
        world.remove()
    }

    private func killController(_ world: CrashWorld, at moments: [Brakes.Moment]) throws {
        let place = try world.copy()
        let brakes = try Brakes(place.database, world.held(at: moments))
        let sync = try place.tool.start(["sync", "--all", "--wait", "--workers", "4", "--lease", "2s"])
        try until("each sync is where it is to be held") { try brakes.hold() }
        sync.send(SIGKILL)
        _ = try sync.finish()
        try brakes.release()
        try until("the server has noticed") {
            try place.database.count(
                """
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND application_name = 'wireloom'
                """) == 0
        }
        // What was in COMMIT is committed, for the server outlives its client.
        try check(world, place, committed: [.committing, .committed], at: moments)
        place.remove()
    }

    @Test("kill -9 of PostgreSQL leaves each account as before its sync or as after, and the next sync needs no help")
    func database() throws {
        let world = try CrashWorld(isPrivate: true)
        // The last time only its first process dies, and those in the final transactions find out by themselves.
        for (moments, victims) in zip(Self.moments + Self.moments.suffix(1), [Victims.all, .all, .postmaster]) {
            let place = try world.copy()
            let brakes = try Brakes(place.database, world.held(at: moments))
            let sync = try place.tool.start(["sync", "--all", "--wait", "--workers", "4", "--lease", "2s"])
            try until("each sync is where it is to be held") { try brakes.hold() }
            try kill(victims, of: place.tool.home)
            try brakes.release()
            let result = try sync.finish()
            #expect(result.status == 69 || result.status == 1, "\(result.status) \(result.errors)")
            try place.tool.all([["status"]])
            // A session that waits for nothing does not notice that its postmaster is gone, and may come to its end.
            try check(
                world, place, committed: [.committed],
                unsettled: victims == .postmaster ? [.placing, .ending, .committing] : [], at: moments)
            place.remove()
        }
        try served(world)
        try killController(world, at: Self.moments[1])
        world.remove()
    }

    /// A server brings back the private PostgreSQL that it works on, and does what it was at.
    private func served(_ world: CrashWorld) throws {
        let place = try world.copy()
        let brakes = try Brakes(place.database, world.held(at: Self.moments[1]))
        let server = try place.tool.start(["serve", "--workers", "4", "--lease", "2s"])
        try until("each sync is where it is to be held") { try brakes.hold() }
        try kill(.all, of: place.tool.home)
        try brakes.release()
        try until("it has its database back, and all is done or has failed") {
            (try? place.database.count("SELECT count(*) FROM job WHERE state IN ('queued', 'running')")) == 0
        }
        // A sync whose connection broke has failed, and the account's next one is due by schedule; here sooner.
        for account in world.accounts where try Set(place.database.inventory(of: account.name)) == Set(account.before) {
            try place.tool.all([["sync", account.name]])
        }
        try until("each account is synced") {
            world.accounts.allSatisfy { account in
                (try? place.database.inventory(of: account.name)).map(Set.init) == Set(account.afterOne)
            }
        }
        server.send(SIGTERM)
        #expect(try server.finish().status == 0)
        place.remove()
    }

    /// - Parameter unsettled: moments of which nobody can know whether what was being done got done.
    private func check(
        _ world: CrashWorld, _ place: CrashWorld.Place, committed: Set<Brakes.Moment>,
        unsettled: Set<Brakes.Moment> = [], at moments: [Brakes.Moment]
    ) throws {
        var done: [Bool] = []
        for (account, moment) in zip(world.accounts, moments) {
            let found = try Set(place.database.inventory(of: account.name))
            let isDone =
                unsettled.contains(moment) ? found == Set(account.afterOne) : committed.contains(moment)
            done.append(isDone)
            #expect(
                found.symmetricDifference(isDone ? account.afterOne : account.before) == [], "killed while \(moment)")
        }
        let result = try place.tool.run("sync", "--all", "--wait", "--lease", "2s")
        #expect(result.status == 0, "\(result.errors)")
        for ((account, moment), isDone) in zip(zip(world.accounts, moments), done) {
            let found = try Set(place.database.inventory(of: account.name))
            #expect(
                found.symmetricDifference(isDone ? account.afterTwo : account.afterOne) == [],
                "the sync after one killed while \(moment)")
        }
    }

    private enum Victims { case postmaster, all }

    /// Kills processes of the private server, at once.
    private func kill(_ victims: Victims, of home: String) throws {
        let file = try String(contentsOfFile: "\(home)/cluster/data/postmaster.pid", encoding: .utf8)
        let postmaster = try #require(file.split(separator: "\n").first.flatMap { pid_t($0) })
        // Stopped, so that it starts no more while its children are looked for.
        Foundation.kill(postmaster, SIGSTOP)
        let children = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { pid_t($0) }.filter {
            // "PID (NAME) STATE PARENT ..."
            let status = (try? String(contentsOfFile: "/proc/\($0)/stat", encoding: .utf8)) ?? ""
            let fields = status.split(separator: ")").last?.split(separator: " ") ?? []
            return fields.count > 1 && pid_t(fields[1]) == postmaster
        }
        #expect(children.count > 4)
        for process in [postmaster] + (victims == .all ? children : []) { Foundation.kill(process, SIGKILL) }
    }
}
