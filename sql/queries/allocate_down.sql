-- Takes the $2 highest free addresses of pool $1, all or none, above its frontier, skipping those that others are
-- taking just now. $3 owner, $4 until when, $5 key, $6 actor, $7 origin. Tells also whether quarantines are over.
WITH acting AS MATERIALIZED (
    SELECT set_config('wireloom.actor', $6::text, true), set_config('wireloom.origin', coalesce($7::text, ''), true)
),
picked AS MATERIALIZED (
    SELECT a.subnet_id, a.ip
    FROM address a, acting
    WHERE a.pool_id = $1::bigint AND a.state = 'free'
        AND a.ip > coalesce((SELECT e.last FROM extent e WHERE e.pool_id = $1 ORDER BY e.first DESC LIMIT 1),
            '0.0.0.0')
        AND NOT EXISTS (SELECT FROM placement p WHERE p.ip = a.ip AND p.reason IS NOT NULL)
    ORDER BY a.ip DESC LIMIT $2::int
    FOR UPDATE OF a SKIP LOCKED
)
UPDATE address a
SET state = 'held', since = now(), allocated_to = $3::text, allocated_at = now(), allocated_until = $4::timestamptz,
    key_id = $5::bigint
FROM picked k
WHERE a.subnet_id = k.subnet_id AND a.ip = k.ip AND (SELECT count(*) FROM picked) = $2
RETURNING a.ip, EXISTS (
    SELECT FROM address q WHERE q.pool_id = $1 AND q.state = 'quarantined' AND q.until <= now()) AS has_due, a.subnet_id
