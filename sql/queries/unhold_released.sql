-- Lets go of the pairs for whoever reports them: what an allocation has stays its own, the rest goes into quarantine,
-- and placement takes it out again where another adapter has it. A subnet that nothing is allocated from needs none.
WITH mine AS MATERIALIZED (
    SELECT a.subnet_id, a.ip, s.confirmed, p.quarantine
    FROM address a
    JOIN released r ON r.subnet_id = a.subnet_id AND r.ip = a.ip AND a.state = 'held' AND a.account_id = r.account_id
        AND a.owner = r.owner AND a.owner_id = r.owner_id AND a.device = r.device
    JOIN subnet s ON s.id = a.subnet_id
    LEFT JOIN pool p ON p.id = a.pool_id
    ORDER BY a.subnet_id, a.ip
    FOR UPDATE OF a
),
gone AS (
    DELETE FROM address a USING mine m
    WHERE NOT m.confirmed AND a.subnet_id = m.subnet_id AND a.ip = m.ip AND a.allocated_to IS NULL
)
UPDATE address a
SET state = CASE WHEN a.allocated_to IS NULL THEN 'quarantined' ELSE 'held' END, since = now(),
    until = CASE WHEN a.allocated_to IS NULL THEN now() + coalesce(m.quarantine, interval '1 hour') END,
    account_id = NULL, owner = NULL, owner_id = NULL, device = NULL
FROM mine m
WHERE (m.confirmed OR a.allocated_to IS NOT NULL) AND a.subnet_id = m.subnet_id AND a.ip = m.ip
