internal import Foundation
internal import IPAM
internal import Inventory
package import Jobs
internal import Postgres

/// A VM that was asked for, as the table has it.
package struct VMRequestRow: Sendable {
    package enum State: String, Sendable, PostgresRawRepresentable {
        /// Being made, or to be made.
        case open
        case created
        /// Nothing of it is left.
        case failed, canceled
        /// It failed, and its VM stays because that was asked.
        case kept
        case deleted
    }

    package let id: Int64
    package let account: Int64
    package let name: String
    package let actor: String
    package let origin: String?
    package let key: String?
    package let request: VMRequest
    package let instanceUUID: String
    package let job: JobID?
    /// The job that began this making of it, whichever goes on with it: the addresses are held under its number.
    package let begunBy: JobID?
    package let plan: VMPlan?
    package let state: State
    /// The VM's managed-object id, once it is known.
    package let vm: String?
    /// Whether its guest may have used its addresses.
    package let poweredOn: Bool
    package let errorCode: String?
    package let error: String?
}

/// The tables `vm_request` and `vm_step`.
enum VMRequestTable {
    private static let columns = """
        id, account_id, name, actor, origin, key, request, instance_uuid, job_id, begun_by, plan, state, vm_id, powered_on, error_code,
        error
        """

    static func row(_ id: Int64, in connection: Connection) throws -> VMRequestRow? {
        try connection.query("SELECT \(columns) FROM vm_request WHERE id = $1::bigint", id).first.map(VMRequestRow.init)
    }

    static func row(key: String, of actor: String, in connection: Connection) throws -> VMRequestRow? {
        try connection.query(
            "SELECT \(columns) FROM vm_request WHERE actor = $1::text AND key = $2::text", actor, key
        ).first.map(VMRequestRow.init)
    }

    /// The request that a VM was made by, whatever its object id is now.
    static func row(instanceUUID: String, of account: Int64, in connection: Connection) throws -> VMRequestRow? {
        try connection.query(
            "SELECT \(columns) FROM vm_request WHERE account_id = $1::bigint AND instance_uuid = lower($2::text)",
            account,
            instanceUUID
        ).first.map(VMRequestRow.init)
    }

    /// `nil` where the key was used meanwhile.
    static func insert(
        _ request: VMRequest, account: Int64, actor: Actor, key: String?, instanceUUID: String,
        in connection: Connection
    ) throws -> Int64? {
        try connection.query(
            """
            INSERT INTO vm_request (account_id, name, actor, origin, key, request, instance_uuid)
            VALUES ($1::bigint, $2::text, $3::text, $4::text, $5::text, $6::jsonb, $7::text)
            ON CONFLICT (actor, key) DO NOTHING RETURNING id
            """, account, request.name, actor.name, actor.origin, key, try JSON(encoding: request), instanceUUID
        ).first?.get(0)
    }

    /// Keeps it as it is for the rest of the transaction.
    static func lock(_ request: Int64, in connection: Connection) throws {
        _ = try connection.query("SELECT FROM vm_request WHERE id = $1::bigint FOR NO KEY UPDATE", request)
    }

    static func setJob(_ job: JobID, of request: Int64, in connection: Connection) throws {
        try connection.execute(
            "UPDATE vm_request SET job_id = $2::bigint, begun_by = $2 WHERE id = $1::bigint", request, job.value)
    }

    /// - Parameter sealed: for the instance UUID, by the account's key: it may hold passwords.
    static func setUserData(_ sealed: Data, of request: Int64, in connection: Connection) throws {
        try connection.execute("UPDATE vm_request SET user_data = $2::bytea WHERE id = $1::bigint", request, sealed)
    }

    static func userData(of request: Int64, in connection: Connection) throws -> Data? {
        try connection.query("SELECT user_data FROM vm_request WHERE id = $1::bigint", request).first?.get(0)
    }

    /// Begins anew what had ended without a VM.
    static func reopen(_ request: Int64, job: JobID, in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE vm_request SET state = 'open', ended_at = NULL, error = NULL, error_code = NULL, plan = NULL, vm_id = NULL,
                powered_on = false, job_id = $2::bigint, begun_by = $2
            WHERE id = $1::bigint AND state IN ('failed', 'canceled')
            """, request, job.value)
    }

    /// Goes on with what another job left open, whose steps are this one's from now on.
    static func takeOver(_ request: Int64, from former: JobID?, job: JobID, in connection: Connection) throws {
        try connection.execute(
            "UPDATE vm_step SET job_id = $2::bigint WHERE job_id = $1::bigint", former?.value, job.value)
        try connection.execute(
            "UPDATE vm_request SET job_id = $2::bigint WHERE id = $1::bigint AND state = 'open'", request, job.value)
    }

    static func setPlan(_ plan: VMPlan, of request: Int64, in connection: Connection) throws {
        try connection.execute(
            "UPDATE vm_request SET plan = $2::jsonb WHERE id = $1::bigint", request, try JSON(encoding: plan))
    }

    static func setVM(_ vm: String, of request: Int64, in connection: Connection) throws {
        try connection.execute("UPDATE vm_request SET vm_id = $2::text WHERE id = $1::bigint", request, vm)
    }

    /// Whether its guest may use its addresses, or have used them.
    static func setPoweredOn(_ request: Int64, _ isOn: Bool, in connection: Connection) throws {
        try connection.execute(
            "UPDATE vm_request SET powered_on = $2::boolean WHERE id = $1::bigint", request, isOn)
    }

    /// What went wrong first, before anything is undone: whichever worker ends the job tells it.
    static func setError(_ error: VMFailure, of request: Int64, in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE vm_request SET error_code = coalesce(error_code, $2::text), error = coalesce(error, $3::text)
            WHERE id = $1::bigint AND state = 'open'
            """, request, error.code, error.message)
    }

    /// What only the making of a VM needs of a secret goes with its end; what may be tried again keeps it for a while.
    static func end(
        _ request: Int64, as state: VMRequestRow.State, error: VMFailure? = nil, in connection: Connection
    ) throws {
        try connection.execute(
            """
            UPDATE vm_request SET state = $2::text, ended_at = clock_timestamp(), error_code = $3::text, error = $4::text,
                user_data = CASE WHEN $2 IN ('failed', 'canceled') THEN user_data END
            WHERE id = $1::bigint
            """, request, state, error?.code, error?.message)
    }
}

extension VMRequestTable {
    /// How long user-data is kept of what failed, for another try.
    static let retryWindow = Duration.seconds(7 * 86_400)

    /// Erases user-data that nobody will try again with.
    static func eraseUserData(in connection: Connection) throws {
        try connection.execute(
            """
            UPDATE vm_request SET user_data = NULL
            WHERE user_data IS NOT NULL AND ended_at < clock_timestamp() - $1::interval
            """, retryWindow)
    }
}

extension VMRequestRow {
    init(_ row: Row) throws {
        id = try row.get("id")
        account = try row.get("account_id")
        name = try row.get("name")
        actor = try row.get("actor")
        origin = try row.get("origin")
        key = try row.get("key")
        request = try row.get("request", as: JSON.self).decoded()
        instanceUUID = try row.get("instance_uuid")
        job = try row.get("job_id", as: Int64?.self).map { JobID($0) }
        begunBy = try row.get("begun_by", as: Int64?.self).map { JobID($0) }
        plan = try row.get("plan", as: JSON?.self).map { try $0.decoded() }
        state = try row.get("state")
        vm = try row.get("vm_id")
        poweredOn = try row.get("powered_on")
        errorCode = try row.get("error_code")
        error = try row.get("error")
    }
}
