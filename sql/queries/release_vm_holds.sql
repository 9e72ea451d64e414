-- Lets go of what is held for the VM request $1, whoever has it: into quarantine where its guest may have used it ($2), else
-- into one that is over at once.
WITH mine AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, p.quarantine
    FROM allocation_key k
    JOIN address a ON a.key_id = k.id
    LEFT JOIN pool p ON p.id = a.pool_id
    WHERE k.vm_request_id = $1::bigint
    ORDER BY a.subnet_id, a.ip
    FOR UPDATE OF a
),
told AS (
    UPDATE allocation_key k SET released_at = now() WHERE k.vm_request_id = $1 AND k.released_at IS NULL
)
UPDATE address a
SET state = 'quarantined', since = now(),
    until = now() + CASE WHEN $2::boolean THEN coalesce(m.quarantine, interval '1 hour') ELSE interval '0' END,
    account_id = NULL, owner = NULL, owner_id = NULL, device = NULL,
    allocated_to = NULL, allocated_at = NULL, allocated_until = NULL, key_id = NULL
FROM mine m WHERE a.subnet_id = m.subnet_id AND a.ip = m.ip
RETURNING a.subnet_id, a.ip
