-- Ends the quarantines that are over, at most $3, in the subnets $1 and their pools $2, which the caller has locked: free
-- where the address may be allocated and has been before, without a row elsewhere. Those that others hold locked wait
-- for the next time.
WITH due AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, is_free_row(a.subnet_id, a.pool_id, a.ip) AS stays
    FROM address a
    WHERE a.state = 'quarantined' AND a.until <= now() AND a.subnet_id = ANY ($1::bigint[])
        AND (a.pool_id IS NULL OR a.pool_id = ANY ($2::bigint[]))
    ORDER BY a.until LIMIT $3::int
    FOR UPDATE SKIP LOCKED
),
dropped AS (
    DELETE FROM address a USING due d WHERE NOT d.stays AND a.subnet_id = d.subnet_id AND a.ip = d.ip
)
UPDATE address a SET state = 'free', until = NULL, since = now()
FROM due d WHERE d.stays AND a.subnet_id = d.subnet_id AND a.ip = d.ip
