-- Ends the allocations of the addresses $2 of subnet $1, which the caller has locked: what an adapter has stays its own,
-- the rest goes into quarantine. Their keys know it.
WITH told AS (
    UPDATE allocation_key k SET released_at = now()
    WHERE k.released_at IS NULL AND k.id IN (
        SELECT a.key_id FROM address a WHERE a.subnet_id = $1::bigint AND a.ip = ANY ($2::inet[]))
)
UPDATE address a
SET state = CASE WHEN a.account_id IS NULL THEN 'quarantined' ELSE 'held' END, since = now(),
    until = CASE WHEN a.account_id IS NULL
        THEN now() + coalesce((SELECT p.quarantine FROM pool p WHERE p.id = a.pool_id), interval '1 hour') END,
    allocated_to = NULL, allocated_at = NULL, allocated_until = NULL, key_id = NULL
WHERE a.subnet_id = $1 AND a.ip = ANY ($2)
