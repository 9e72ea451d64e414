-- Lets go of the pairs for whoever reports them: what an allocation has stays its own, the rest goes into quarantine,
-- and placement takes it out again where another adapter has it. A subnet that nothing is allocated from needs none. What a
-- VM was made with ends with its adapter, unless the VM is still being made.
WITH mine AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, s.confirmed, p.quarantine, a.key_id, q.id IS NOT NULL AS assigned,
        a.allocated_to IS NOT NULL AND q.id IS NULL AS stays
    FROM address a
    JOIN released r ON r.subnet_id = a.subnet_id AND r.ip = a.ip AND a.state = 'held' AND a.account_id = r.account_id
        AND a.owner = r.owner AND a.owner_id = r.owner_id AND a.device = r.device
    JOIN subnet s ON s.id = a.subnet_id
    LEFT JOIN pool p ON p.id = a.pool_id
    LEFT JOIN allocation_key k ON k.id = a.key_id
    LEFT JOIN vm_request q ON q.id = k.vm_request_id AND q.state <> 'open'
    ORDER BY a.subnet_id, a.ip
    FOR UPDATE OF a
),
told AS (
    UPDATE allocation_key k SET released_at = now()
    FROM mine m WHERE m.assigned AND k.id = m.key_id AND k.released_at IS NULL
),
gone AS (
    DELETE FROM address a USING mine m
    WHERE NOT m.confirmed AND a.subnet_id = m.subnet_id AND a.ip = m.ip AND NOT m.stays
)
UPDATE address a
SET state = CASE WHEN m.stays THEN 'held' ELSE 'quarantined' END, since = now(),
    until = CASE WHEN NOT m.stays THEN now() + coalesce(m.quarantine, interval '1 hour') END,
    account_id = NULL, owner = NULL, owner_id = NULL, device = NULL,
    allocated_to = CASE WHEN m.stays THEN a.allocated_to END, allocated_at = CASE WHEN m.stays THEN a.allocated_at END,
    allocated_until = CASE WHEN m.stays THEN a.allocated_until END, key_id = CASE WHEN m.stays THEN a.key_id END
FROM mine m
WHERE (m.confirmed OR m.stays) AND a.subnet_id = m.subnet_id AND a.ip = m.ip
