-- Takes the $2 lowest free addresses of pool $1 below its frontier, skipping those that others are taking just now; none
-- where they are fewer than $8. $3 owners and $4 until when, in the order of the addresses, the last also for the rest;
-- $5 key, $6 actor, $7 origin; $9 where to begin, or NULL. Tells also whether quarantines are over, whose each address is,
-- from 1, and where the frontier is. What stands in a SELECT of its own is not planned for, as a plan for the values of one
-- call takes longer to make than to run; and with OFFSET 0 unplaced addresses are looked up one by one.
WITH acting AS MATERIALIZED (
    SELECT set_config('wireloom.actor', $6::text, true), set_config('wireloom.origin', coalesce($7::text, ''), true)
),
picked AS MATERIALIZED (
    SELECT a.subnet_id, a.ip
    FROM address a, acting
    WHERE a.pool_id = (SELECT $1::bigint) AND a.state = 'free'
        AND a.ip < coalesce((SELECT e.first FROM extent e WHERE e.pool_id = $1 ORDER BY e.first LIMIT 1),
            'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')
        AND a.ip > coalesce($9::inet, '0.0.0.0')
        AND NOT EXISTS (SELECT FROM placement p WHERE p.ip = a.ip AND p.reason IS NOT NULL OFFSET 0)
    ORDER BY a.ip LIMIT (SELECT $2::int)
    FOR UPDATE OF a SKIP LOCKED
),
numbered AS (
    SELECT k.subnet_id, k.ip, row_number() OVER (ORDER BY k.ip) AS n FROM picked k LIMIT 4096
)
UPDATE address a
SET state = 'held', since = now(), allocated_to = ($3::text[])[least(k.n, cardinality($3::text[]))],
    allocated_at = now(), allocated_until = ($4::timestamptz[])[least(k.n, cardinality($4::timestamptz[]))],
    key_id = $5::bigint
FROM numbered k
WHERE a.subnet_id = k.subnet_id AND a.ip = k.ip AND (SELECT count(*) FROM picked) >= $8::int
RETURNING a.ip, EXISTS (
    SELECT FROM address q WHERE q.pool_id = $1 AND q.state = 'quarantined' AND q.until <= now()) AS has_due, a.subnet_id, k.n,
    (SELECT e.first FROM extent e WHERE e.pool_id = $1 ORDER BY e.first LIMIT 1)
