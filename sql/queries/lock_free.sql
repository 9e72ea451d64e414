-- Locks up to $2 free addresses of the pools $1, lowest first, and waits for those that others hold locked.
SELECT a.ip FROM address a
WHERE a.pool_id = ANY ($1::bigint[]) AND a.state = 'free'
    AND NOT EXISTS (SELECT FROM placement p WHERE p.ip = a.ip AND p.reason IS NOT NULL)
ORDER BY a.subnet_id, a.ip LIMIT $2::int
FOR UPDATE OF a
