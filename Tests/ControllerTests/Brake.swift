import Foundation
import Postgres

/// Holds whoever inserts certain rows, until it is released.
final class Brake {
    private let session: Connection
    private static let key = 4712

    init(_ world: MachineWorld, on table: String, when condition: String) throws {
        session = try world.sandbox.database.connect()
        _ = try session.query("SELECT pg_advisory_lock(\(Self.key))::text")
        try session.script(
            """
            CREATE OR REPLACE FUNCTION vm_brake() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN PERFORM pg_advisory_xact_lock_shared(\(Self.key)); RETURN NEW; END $$;
            """)
        if table == "stage_vm" {
            // Each session makes this table for itself.
            try session.script(
                """
                CREATE FUNCTION vm_brake_staging() RETURNS event_trigger LANGUAGE plpgsql AS $$
                BEGIN
                    IF EXISTS (SELECT FROM pg_event_trigger_ddl_commands() WHERE object_identity = 'pg_temp.stage_vm') THEN
                        CREATE TRIGGER vm_brake BEFORE INSERT ON pg_temp.stage_vm FOR EACH ROW WHEN (\(condition))
                            EXECUTE FUNCTION vm_brake();
                    END IF;
                END $$;
                CREATE EVENT TRIGGER vm_brake_staging ON ddl_command_end WHEN TAG IN ('CREATE TABLE')
                    EXECUTE FUNCTION vm_brake_staging();
                """)
        } else {
            try session.script(
                """
                CREATE TRIGGER vm_brake BEFORE INSERT ON \(table) FOR EACH ROW WHEN (\(condition))
                    EXECUTE FUNCTION vm_brake()
                """)
        }
    }

    /// Returns when somebody is held.
    func awaitHeld() throws {
        let end = ContinuousClock.now + .seconds(60)
        while try session.query(
            """
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = \(Self.key) AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            """)[0].get(0, as: Int.self) == 0
        {
            guard ContinuousClock.now < end else { throw Late() }
            Thread.sleep(forTimeInterval: 0.02)
        }
    }

    func release() { session.close() }

    private struct Late: Error {}
}

/// Looks again until it is so, and throws where it never is.
func waitUntil(_ what: String, _ condition: () throws -> Bool) throws {
    struct Late: Error { let what: String }
    let end = ContinuousClock.now + .seconds(60)
    while try !condition() {
        guard ContinuousClock.now < end else { throw Late(what: what) }
        Thread.sleep(forTimeInterval: 0.02)
    }
}
