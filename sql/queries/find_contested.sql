-- The pairs whose holder is to be decided: claimed by a touched adapter, or let go of.
INSERT INTO contested (subnet_id, ip)
SELECT p.subnet_id, p.ip FROM touched t JOIN placement p USING (account_id, owner, owner_id, device, ip)
WHERE p.subnet_id IS NOT NULL
UNION
SELECT r.subnet_id, r.ip FROM released r JOIN subnet s ON s.id = r.subnet_id
