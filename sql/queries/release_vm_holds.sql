-- Lets go of what is held for the VM request $1: into quarantine where its guest may have used it ($2), else into one that
-- is over at once. What another's adapter has all the same stays that one's, and is held for nobody else any more.
WITH mine AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, p.quarantine,
        coalesce(a.owner = 'host' OR EXISTS (
            SELECT FROM vm v WHERE v.account_id = a.account_id AND v.id = a.owner_id
                AND (v.account_id, v.instance_uuid) IS DISTINCT FROM (q.account_id, q.instance_uuid)), false) AS other
    FROM allocation_key k
    JOIN vm_request q ON q.id = k.vm_request_id
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
SET state = CASE WHEN m.other THEN 'held' ELSE 'quarantined' END, since = now(),
    until = CASE WHEN NOT m.other THEN
        now() + CASE WHEN $2::boolean THEN coalesce(m.quarantine, interval '1 hour') ELSE interval '0' END END,
    account_id = CASE WHEN m.other THEN a.account_id END, owner = CASE WHEN m.other THEN a.owner END,
    owner_id = CASE WHEN m.other THEN a.owner_id END, device = CASE WHEN m.other THEN a.device END,
    allocated_to = NULL, allocated_at = NULL, allocated_until = NULL, key_id = NULL
FROM mine m WHERE a.subnet_id = m.subnet_id AND a.ip = m.ip
RETURNING a.subnet_id, a.ip
