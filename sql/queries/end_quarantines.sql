-- Ends the quarantines that are over, at most $2, in subnet $1 or (NULL) everywhere: free where the address may be allocated and has
-- been before, without a row elsewhere. Those that others hold locked wait for the next time.
WITH due AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, is_free_row(a.subnet_id, a.pool_id, a.ip) AS stays
    FROM address a
    WHERE a.state = 'quarantined' AND a.until <= now() AND ($1::bigint IS NULL OR a.subnet_id = $1)
    ORDER BY a.until LIMIT $2::int
    FOR UPDATE SKIP LOCKED
),
dropped AS (
    DELETE FROM address a USING due d WHERE NOT d.stays AND a.subnet_id = d.subnet_id AND a.ip = d.ip
)
UPDATE address a SET state = 'free', until = NULL, since = now()
FROM due d WHERE d.stays AND a.subnet_id = d.subnet_id AND a.ip = d.ip
