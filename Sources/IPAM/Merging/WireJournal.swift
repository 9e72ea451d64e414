package import Postgres
internal import SQL

/// The table `wire_journal`: what was done to whole wires, with what there was before and after.
package enum WireJournal {
    /// Keeps, until ``record(_:before:summary:in:)``, the addresses that placement may change besides those of `united`:
    /// what the touched adapters report, on the merged wires, and what they hold, anywhere.
    package static func begin(_ merge: WireMerge, in connection: Connection) throws {
        try connection.script(
            """
            CREATE TEMP TABLE IF NOT EXISTS address_before (LIKE address) ON COMMIT DELETE ROWS;
            TRUNCATE address_before;
            ANALYZE touched
            """)
        try connection.execute(
            """
            INSERT INTO address_before
            SELECT a.* FROM subnet s JOIN touched t ON t.ip <<= s.cidr::inet
            JOIN address a ON a.subnet_id = s.id AND a.ip = t.ip
            WHERE s.wire_id = ANY ($1::bigint[]) AND NOT s.id = ANY ($2::bigint[])
            UNION
            SELECT a.* FROM touched t JOIN address a ON a.account_id = t.account_id AND a.owner = t.owner
                AND a.owner_id = t.owner_id AND a.device = t.device AND a.ip = t.ip
            WHERE NOT a.subnet_id = ANY ($2)
            """, merge.involved, merge.united)
        try connection.script("ANALYZE address_before")
    }

    /// After placement.
    ///
    /// - Returns: the entry's id, for `wire undo`.
    package static func record(
        _ merge: WireMerge, before: JSON, summary: String, in connection: Connection
    ) throws -> Int64 {
        try connection.query(
            """
            INSERT INTO wire_journal (action, summary, wires, united, before, after, elsewhere)
            SELECT 'merge', $1::text, $2::bigint[], $3::bigint[], $4::jsonb, $5::jsonb, coalesce((
                SELECT jsonb_agg(jsonb_build_object('before', to_jsonb(b), 'after', to_jsonb(a)))
                FROM address_before b
                FULL JOIN (
                    SELECT a.* FROM address_before o JOIN address a ON a.subnet_id = o.subnet_id AND a.ip = o.ip
                    UNION
                    SELECT a.* FROM subnet s JOIN touched t ON t.ip <<= s.cidr::inet
                    JOIN address a ON a.subnet_id = s.id AND a.ip = t.ip
                    WHERE s.wire_id = ANY ($2) AND NOT s.id = ANY ($3)) a ON a.subnet_id = b.subnet_id AND a.ip = b.ip
                WHERE to_jsonb(a) IS DISTINCT FROM to_jsonb(b)), '[]')
            RETURNING id
            """, summary, merge.involved, merge.united, before, try merge.images(isBefore: false))[0].get(0)
    }
}
