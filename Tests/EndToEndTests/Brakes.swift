import Postgres
import Support

/// Holds the sync of each account at a moment of its own, so that one blow hits them all there.
///
/// Triggers wait for an advisory lock that this object's session has; the reading is held up by the vCenter. Nothing in
/// the product knows of it. When the server dies, the lock is gone, and the triggers hold nobody any more.
struct Brakes {
    enum Moment: String {
        /// The vCenter has been asked for its inventory and has not answered.
        case reading
        /// In the COPY of the first VMs into staging.
        case staging
        /// In the final transaction, when the VMs are merged.
        case merging
        /// When the new switch has its wire and its link.
        case linking
        /// When the addresses have their placements.
        case placing
        /// When the job's row says that it has succeeded.
        case ending
        /// Within COMMIT.
        case committing
        /// The sync is over.
        case committed
    }

    struct Held {
        let account: String
        let moment: Moment
        let vcenter: SimulatedVCenter
    }

    private static let key = 4711
    let held: [Held]
    private let database: Database
    private let session: Connection

    init(_ database: Database, _ held: [Held]) throws {
        self.database = database
        self.held = held
        session = try database.connect()
        _ = try session.query("SELECT pg_advisory_lock(\(Self.key))::text")
        try session.script(
            """
            CREATE FUNCTION brake() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock_shared(\(Self.key)); RETURN NEW; END $$
            """)
        for item in held { try install(item) }
    }

    private func install(_ item: Held) throws {
        let account =
            "(NEW.account_id = \(try database.count("SELECT id FROM account WHERE name = '\(item.account)'")))"
        let end = "(NEW.label = '\(item.account)' AND NEW.state IN ('succeeded', 'findings'))"
        func trigger(_ kind: String, _ event: String, _ rest: String) throws {
            try session.script(
                "CREATE \(kind) brake_\(item.moment) \(event) \(rest) EXECUTE FUNCTION brake()")
        }
        switch item.moment {
        case .reading: try item.vcenter.inject(.delay(milliseconds: 300_000), method: "WaitForUpdatesEx")
        case .staging:
            // The staging tables are temporary: each session makes its own, and gets this trigger with it.
            try session.script(
                """
                CREATE FUNCTION brake_staging() RETURNS event_trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'pg_temp.stage_vm') THEN
                        CREATE TRIGGER brake_staging BEFORE INSERT ON pg_temp.stage_vm FOR EACH ROW
                            WHEN (NEW.name LIKE '\(item.account)-%') EXECUTE FUNCTION brake();
                    END IF;
                END $$;
                CREATE EVENT TRIGGER brake_staging ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
                    EXECUTE FUNCTION brake_staging();
                """)
        case .merging: try trigger("TRIGGER", "AFTER INSERT OR UPDATE ON vm", "FOR EACH ROW WHEN \(account)")
        case .linking: try trigger("TRIGGER", "AFTER INSERT ON link", "FOR EACH ROW WHEN \(account)")
        case .placing: try trigger("TRIGGER", "AFTER INSERT OR UPDATE ON placement", "FOR EACH ROW WHEN \(account)")
        case .ending: try trigger("TRIGGER", "AFTER UPDATE ON job", "FOR EACH ROW WHEN \(end)")
        case .committing:
            try trigger(
                "CONSTRAINT TRIGGER", "AFTER UPDATE ON job",
                "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN \(end)")
        case .committed: break
        }
    }

    /// Whether each sync is where it is to be held.
    func hold() throws -> Bool {
        let waiting = try database.count(
            """
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = \(Self.key) AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """)
        guard waiting == held.count(where: { $0.moment != .reading && $0.moment != .committed }) else { return false }
        for item in held {
            let job =
                try database.column(
                    "SELECT concat_ws(' ', state, phase) FROM job WHERE label = '\(item.account)' ORDER BY id DESC LIMIT 1"
                ).first ?? ""
            switch item.moment {
            case .reading:
                let asked = try item.vcenter.statistics().running["WaitForUpdatesEx"] == 1
                guard job == "running reading", asked else { return false }
            case .committed: guard job.hasPrefix("succeeded") || job.hasPrefix("findings") else { return false }
            default: guard job.hasPrefix("running") else { return false }
            }
        }
        return true
    }

    func release() throws {
        session.close()
        for item in held { try item.vcenter.clearFaults() }
    }
}
