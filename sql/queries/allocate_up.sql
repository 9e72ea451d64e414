-- Takes the $2 lowest free addresses of pool $1, all or none, below its frontier, skipping those that others are
-- taking just now. $3 owner, $4 until when, $5 key, $6 actor, $7 origin. A few whose quarantine is over become free on
-- the way, so that no allocation pays for many.
WITH acting AS MATERIALIZED (
    SELECT set_config('wireloom.actor', $6::text, true), set_config('wireloom.origin', coalesce($7::text, ''), true)
),
due AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, is_free_row(a.subnet_id, a.pool_id, a.ip) AS stays
    FROM address a
    WHERE a.pool_id = $1::bigint AND a.state = 'quarantined' AND a.until <= now()
    ORDER BY a.until LIMIT 4
    FOR UPDATE SKIP LOCKED
),
freed AS (
    UPDATE address a SET state = 'free', until = NULL, since = now()
    FROM due d WHERE d.stays AND a.subnet_id = d.subnet_id AND a.ip = d.ip
),
dropped AS (
    DELETE FROM address a USING due d WHERE NOT d.stays AND a.subnet_id = d.subnet_id AND a.ip = d.ip
),
picked AS MATERIALIZED (
    SELECT a.subnet_id, a.ip
    FROM address a, acting
    WHERE a.pool_id = $1 AND a.state = 'free'
        AND a.ip < coalesce((SELECT e.first FROM extent e WHERE e.pool_id = $1 ORDER BY e.first LIMIT 1), 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')
        AND NOT EXISTS (SELECT FROM placement p WHERE p.ip = a.ip AND p.reason IS NOT NULL)
    ORDER BY a.ip LIMIT $2::int
    FOR UPDATE OF a SKIP LOCKED
)
UPDATE address a
SET state = 'held', since = now(), allocated_to = $3::text, allocated_at = now(), allocated_until = $4::timestamptz,
    key_id = $5::bigint
FROM picked k
WHERE a.subnet_id = k.subnet_id AND a.ip = k.ip AND (SELECT count(*) FROM picked) = $2
RETURNING a.ip
