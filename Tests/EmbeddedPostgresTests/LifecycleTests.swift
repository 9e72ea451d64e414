import EmbeddedPostgres
import Foundation
import Glibc
import Locking
import Testing

@Suite("The private server's life")
struct LifecycleTests {
    @Test("the first user creates and starts the server, the last one stops it")
    func firstAndLast() throws {
        let fixture = try Fixture()
        let first = try fixture.acquire()
        let process = try #require(fixture.server())
        let second = try fixture.acquire()
        #expect(fixture.server() == process)

        first.release()
        #expect(try query(second, "SELECT current_database() || ' ' || current_user") == "wireloom wireloom")
        second.release()
        #expect(fixture.server() == nil)
        // And somebody collects it: a child that nobody waits for stays in the table of processes.
        waitUntilGone(process)
    }

    @Test("what was written is there when the next command starts the server again")
    func survivesStop() throws {
        let fixture = try Fixture(made: true)
        var lease = try fixture.acquire()
        _ = try query(lease, "CREATE TABLE t AS SELECT 7 AS n")
        lease.release()
        lease = try fixture.acquire()
        #expect(try query(lease, "SELECT n FROM t") == "7")
        lease.release()
    }

    @Test("users that come at once all get the same server")
    func concurrentUsers() throws {
        let fixture = try Fixture(made: true)
        let answers = Mutex<[String]>([])
        let leases = Mutex<[ClusterLease]>([])
        let group = DispatchGroup()
        for number in 0..<6 {
            DispatchQueue(label: "user \(number)").async(group: group) {
                do {
                    let lease = try fixture.acquire()
                    let answer = try query(lease, "SELECT pg_postmaster_start_time()")
                    answers.withLock { $0.append(answer) }
                    leases.withLock { $0.append(lease) }
                } catch {
                    Issue.record(error)
                }
            }
        }
        group.wait()
        #expect(answers.withLock { $0.count } == 6)
        #expect(Set(answers.withLock { $0 }).count == 1)
        leases.withLock { $0 }.forEach { $0.release() }
        #expect(fixture.server() == nil)
    }

    @Test("users that come and go at once never meet a server that is going down")
    func churn() throws {
        let fixture = try Fixture(made: true)
        try fixture.acquire().release()
        let group = DispatchGroup()
        for number in 0..<4 {
            DispatchQueue(label: "user \(number)").async(group: group) {
                for _ in 0..<4 {
                    do {
                        let lease = try fixture.acquire()
                        #expect(try query(lease, "SELECT 1") == "1")
                        lease.release()
                    } catch {
                        Issue.record(error)
                    }
                }
            }
        }
        group.wait()
        #expect(fixture.server() == nil)
    }

    @Test("a released lease counts no more, however often it is released")
    func releaseTwice() throws {
        let fixture = try Fixture(made: true)
        let first = try fixture.acquire()
        let second = try fixture.acquire()
        first.release()
        first.release()
        #expect(fixture.server() != nil)
        second.release()
        #expect(fixture.server() == nil)
    }

    @Test("a lease released by two threads at once is released for both when the server has stopped")
    func releaseTogether() throws {
        let fixture = try Fixture(made: true)
        let lease = try fixture.acquire()
        let process = try #require(fixture.server())
        // It does not stop before it goes on.
        kill(process, SIGSTOP)
        let group = DispatchGroup()
        DispatchQueue(label: "first").async(group: group) { lease.release() }
        let decision = open(fixture.cluster + "/start.lock", O_RDWR | O_CLOEXEC)
        try #require(decision >= 0)
        defer { close(decision) }
        while flock(decision, LOCK_EX | LOCK_NB) == 0 {
            flock(decision, LOCK_UN)
            sched_yield()
        }
        let begun = DispatchSemaphore(value: 0)
        let left = Mutex<pid_t?>(-1)
        DispatchQueue(label: "second").async(group: group) {
            begun.signal()
            lease.release()
            left.withLock { $0 = fixture.server() }
        }
        begun.wait()
        sched_yield()
        kill(process, SIGCONT)
        group.wait()
        #expect(left.withLock { $0 } == nil)
    }

    @Test("a lease that is dropped is released")
    func droppedLease() throws {
        let fixture = try Fixture(made: true)
        do { _ = try fixture.acquire() }
        #expect(fixture.server() == nil)
    }

    @Test("a server whose last user was killed stays, and the next command stops it")
    func killedUser() throws {
        let fixture = try Fixture(made: true)
        let lease = try fixture.acquire()
        let process = try #require(fixture.server())
        // Another process that holds a lease: all that counts is its lock.
        let user = Process()
        user.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        user.arguments = [
            "flock", "--shared", "--no-fork", fixture.cluster + "/users.lock", "sh", "-c", "echo; exec cat",
        ]
        let (input, output) = (Pipe(), Pipe())
        user.standardInput = input
        user.standardOutput = output
        try user.run()
        _ = output.fileHandleForReading.availableData

        lease.release()
        #expect(fixture.server() == process)
        killHard(user.processIdentifier)
        user.waitUntilExit()
        #expect(fixture.server() == process)

        let next = try fixture.acquire()
        #expect(fixture.server() == process)
        next.release()
        #expect(fixture.server() == nil)
    }
}
