-- Takes the address $2 of subnet $1, found by chance, if nobody has it: $3 owner, $4 until when, $5 key. It locks no row
-- that it does not take, and waits for none but one that is just being made: who guesses several does so ascending.
WITH fit AS MATERIALIZED (
    SELECT true AS fits
    WHERE NOT EXISTS (SELECT FROM subnet s WHERE s.id = $1::bigint AND s.gateway = $2::inet)
        AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = $1 AND $2 BETWEEN r.first AND r.last
            AND (r.expires_at IS NULL OR r.expires_at > now()))
        AND NOT EXISTS (SELECT FROM placement p WHERE p.ip = $2 AND p.reason IS NOT NULL)
),
unheld AS MATERIALIZED (
    SELECT a.subnet_id, a.ip FROM address a
    WHERE a.subnet_id = $1 AND a.ip = $2 AND (a.state = 'free' OR (a.state = 'quarantined' AND a.until <= now()))
        AND EXISTS (SELECT FROM fit)
    FOR UPDATE OF a SKIP LOCKED
),
taken AS (
    UPDATE address a
    SET state = 'held', since = now(), until = NULL, allocated_to = $3::text, allocated_at = now(),
        allocated_until = $4::timestamptz, key_id = $5::bigint
    FROM unheld u WHERE a.subnet_id = u.subnet_id AND a.ip = u.ip
    RETURNING a.ip
),
made AS (
    INSERT INTO address (subnet_id, ip, state, allocated_to, allocated_at, allocated_until, key_id)
    SELECT $1, $2, 'held', $3, now(), $4, $5 FROM fit
    WHERE NOT EXISTS (SELECT FROM address a WHERE a.subnet_id = $1 AND a.ip = $2)
    ON CONFLICT (subnet_id, ip) DO NOTHING
    RETURNING ip
)
SELECT ip FROM taken UNION ALL SELECT ip FROM made
