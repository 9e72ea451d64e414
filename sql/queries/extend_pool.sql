-- Gives up to $2 addresses at a frontier of pool $1 their rows: the low one, or, with $3, the high one. The caller has
-- locked the pool, so that the extents are as this statement sees them. A row that is there stays as it is and is not
-- waited for; whoever ends a quarantine keeps the pool from being extended meanwhile. With OFFSET 0 that is looked up row
-- by row: no join, for which the planner would read the whole table.
WITH target AS (
    SELECT e.first, e.last FROM extent e WHERE e.pool_id = $1::bigint
    ORDER BY CASE WHEN $3::boolean THEN e.first END DESC, e.first LIMIT 1
),
piece AS MATERIALIZED (
    SELECT t.first, t.last, n.count,
        CASE WHEN $3 THEN t.last - (n.count - 1) ELSE t.first END AS low,
        CASE WHEN $3 THEN t.last ELSE t.first + (n.count - 1) END AS high
    FROM target t, LATERAL (SELECT least($2::bigint, inet_count(t.first, t.last))::bigint AS count) n
),
used_up AS (
    DELETE FROM extent e USING piece p
    WHERE e.pool_id = $1 AND e.first = p.first AND p.low = p.first AND p.high = p.last
),
moved AS (
    UPDATE extent e
    SET first = CASE WHEN $3 THEN e.first ELSE p.high + 1 END, last = CASE WHEN $3 THEN p.low - 1 ELSE e.last END
    FROM piece p
    WHERE e.pool_id = $1 AND e.first = p.first AND (p.low > p.first OR p.high < p.last)
)
INSERT INTO address (subnet_id, ip, state, pool_id)
SELECT q.subnet_id, p.low + i, 'free', q.id
FROM piece p, pool q, generate_series(0, p.count - 1) i
WHERE q.id = $1
    AND NOT EXISTS (SELECT FROM address a WHERE a.subnet_id = q.subnet_id AND a.ip = p.low + i OFFSET 0)
ORDER BY i
ON CONFLICT (subnet_id, ip) DO NOTHING
