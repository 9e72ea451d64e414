import Locking
import Postgres
import Testing

@testable import Jobs

@Suite("schedules")
struct ScheduleTests {
    private func upsert(
        _ fixture: Fixture, _ subject: String, every: Duration = .seconds(600), first: Duration? = nil,
        enabled: Bool = true
    ) throws {
        try fixture.database.transaction {
            try fixture.queue.upsertSchedule(
                Schedule(
                    key: "work:\(subject)", kind: "work", subject: subject, label: subject, every: every,
                    enabled: enabled),
                first: first, in: $0)
        }
    }

    @Test("a run missed many times runs once, and the next is an interval from now, give or take a tenth")
    func missed() throws {
        let fixture = try Fixture()
        for index in 0..<40 { try upsert(fixture, "s\(index)") }
        #expect(try fixture.queue.enqueueDue() == 0)
        try fixture.execute("UPDATE schedule SET next_at = now() - interval '3 days'")
        #expect(try fixture.queue.enqueueDue() == 40)
        #expect(try fixture.queue.enqueueDue() == 0)
        #expect(try fixture.queue.jobs().count == 40)
        // Judged against the moment each job was queued, which is the moment its next time was set, but for the transaction's length.
        let outside = try fixture.count(
            """
            SELECT count(*) FROM schedule JOIN job USING (subject)
            WHERE next_at NOT BETWEEN job.queued_at + interval '535 seconds' AND job.queued_at + interval '660 seconds'
            """)
        #expect(outside == 0)
        #expect(try fixture.count("SELECT count(DISTINCT round(extract(epoch FROM next_at))) FROM schedule") > 10)
    }

    @Test("of many schedulers at once, each due schedule is one's")
    func concurrent() throws {
        let fixture = try Fixture()
        for index in 0..<60 { try upsert(fixture, "s\(index)", first: .zero) }
        let queues = [fixture.queue, fixture.otherQueue()]
        let asked = Mutex(0)
        try concurrently(4) { index in
            for _ in 0..<10 {
                let due = try queues[index % 2].enqueueDue()
                asked.withLock { $0 += due }
            }
        }
        #expect(asked.withLock { $0 } == 60)
        #expect(try fixture.queue.jobs().count == 60)
    }

    @Test("a schedule that is off asks for nothing, and turned on after its time it is due at once")
    func enabling() throws {
        let fixture = try Fixture()
        try upsert(fixture, "a", first: .zero, enabled: false)
        #expect(try fixture.queue.enqueueDue() == 0)
        try fixture.database.transaction { try fixture.queue.enableSchedule("work:a", true, in: $0) }
        #expect(try fixture.queue.enqueueDue() == 1)
        #expect(throws: JobError(.notFound, "there is no schedule 'work:b'")) {
            try fixture.database.transaction { try fixture.queue.enableSchedule("work:b", true, in: $0) }
        }
    }

    @Test("a shorter interval brings the next run nearer; other changes leave its time alone")
    func changing() throws {
        let fixture = try Fixture()
        try upsert(fixture, "a", every: .seconds(3600))
        let before = try #require(try fixture.queue.schedules().first?.nextAt)
        try upsert(fixture, "a", every: .seconds(7200))
        #expect(try fixture.queue.schedules().first?.nextAt == before)
        try upsert(fixture, "a", every: .seconds(60))
        let schedule = try #require(try fixture.queue.schedules().first)
        #expect(try #require(schedule.nextAt) < before)
        #expect(schedule.every == .seconds(60))
    }

    @Test("a schedule comes and goes with the transaction that made or deleted it")
    func transactional() throws {
        struct Stop: Error {}
        let fixture = try Fixture()
        let schedule = Schedule(key: "k", kind: "work", subject: "a", label: "a", every: .seconds(60))
        #expect(throws: Stop.self) {
            try fixture.database.transaction {
                try fixture.queue.upsertSchedule(schedule, in: $0)
                throw Stop()
            }
        }
        #expect(try fixture.queue.schedules().isEmpty)
        try fixture.database.transaction { try fixture.queue.upsertSchedule(schedule, in: $0) }
        try fixture.database.transaction { try fixture.queue.deleteSchedule("k", in: $0) }
        #expect(try fixture.queue.schedules().isEmpty)
    }

    @Test("a scheduler asks for what is due by itself, and stops twice or unstarted without harm")
    func scheduler() throws {
        let fixture = try Fixture()
        try upsert(fixture, "a", first: .zero)
        let scheduler = Scheduler(fixture.queue, every: .milliseconds(20))
        let ran = Gate()
        let runner = Runner(fixture.queue, handlers: [Handler { _ in ran.open() }], fixture.configuration())
        runner.start()
        scheduler.start()
        ran.pass()
        scheduler.stop()
        scheduler.stop()
        runner.stop()
        Scheduler(fixture.queue).stop()
    }
}
