-- The subnet $1, or (NULL) all in which quarantines are over, and their pools, kept as they are: whoever changes a subnet or
-- extends a pool just now keeps it out, and is waited for by nobody.
WITH due AS MATERIALIZED (
    SELECT DISTINCT a.subnet_id FROM address a WHERE $1::bigint IS NULL AND a.state = 'quarantined' AND a.until <= now()
),
subnets AS MATERIALIZED (
    SELECT s.id FROM subnet s WHERE s.id = $1 OR s.id IN (SELECT subnet_id FROM due)
    ORDER BY s.id FOR KEY SHARE OF s SKIP LOCKED
),
pools AS MATERIALIZED (
    SELECT p.id FROM pool p WHERE p.subnet_id IN (SELECT id FROM subnets) ORDER BY p.id FOR SHARE OF p SKIP LOCKED
)
SELECT ARRAY(SELECT id FROM subnets), ARRAY(SELECT id FROM pools)
