-- Ends the allocations whose time is over, in subnet $1 or (NULL) everywhere: what an adapter has stays its own, the rest
-- goes into quarantine. Their keys know it.
WITH due AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, a.key_id, a.allocated_until
    FROM address a
    WHERE a.allocated_until <= now() AND ($1::bigint IS NULL OR a.subnet_id = $1)
    ORDER BY a.subnet_id, a.ip
    FOR UPDATE SKIP LOCKED
),
told AS (
    UPDATE allocation_key k SET released_at = d.over
    FROM (SELECT key_id, min(allocated_until) AS over FROM due GROUP BY key_id) d WHERE k.id = d.key_id AND k.released_at IS NULL
)
UPDATE address a
SET state = CASE WHEN a.account_id IS NULL THEN 'quarantined' ELSE 'held' END, since = now(),
    until = CASE WHEN a.account_id IS NULL
        THEN now() + coalesce((SELECT p.quarantine FROM pool p WHERE p.id = a.pool_id), interval '1 hour') END,
    allocated_to = NULL, allocated_at = NULL, allocated_until = NULL, key_id = NULL
FROM due d WHERE a.subnet_id = d.subnet_id AND a.ip = d.ip
