-- The pairs whose holder is to be decided: claimed by a touched adapter, let go of, or held by an adapter that belongs to
-- another subnet now.
INSERT INTO contested (subnet_id, ip)
SELECT v.subnet_id, v.ip FROM verdict v WHERE v.subnet_id IS NOT NULL
UNION
SELECT r.subnet_id, r.ip FROM released r JOIN subnet s ON s.id = r.subnet_id
UNION
SELECT a.subnet_id, a.ip
FROM verdict v
JOIN address a ON a.state = 'held' AND a.account_id = v.account_id AND a.owner = v.owner AND a.owner_id = v.owner_id
    AND a.device = v.device AND a.ip = v.ip
WHERE v.subnet_id <> a.subnet_id
