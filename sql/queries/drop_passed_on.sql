-- An address that its adapter did not report, and another one has now, has passed on: it is not its former adapter's
-- unplaced one. One that holds it still, in another subnet, is known by it until it is released there. What another sync is
-- at is left to that one. Its VMs count as touched: their tags change.
WITH gone AS (
    SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
    FROM contested k
    JOIN placement p ON p.subnet_id = k.subnet_id AND p.ip = k.ip AND p.reason = 'held_by_other'
    JOIN nic_address a ON (a.account_id, a.owner, a.owner_id, a.device, a.ip)
        = (p.account_id, p.owner, p.owner_id, p.device, p.ip)
    WHERE a.missed > 0 AND NOT EXISTS (
        SELECT FROM address h
        WHERE (h.account_id, h.owner, h.owner_id, h.device, h.ip) = (a.account_id, a.owner, a.owner_id, a.device, a.ip))
    FOR UPDATE OF a SKIP LOCKED
),
deleted AS (
    DELETE FROM nic_address a USING gone g
    WHERE (a.account_id, a.owner, a.owner_id, a.device, a.ip) = (g.account_id, g.owner, g.owner_id, g.device, g.ip)
    RETURNING a.account_id, a.owner, a.owner_id, a.device, a.ip
)
INSERT INTO touched (account_id, owner, owner_id, device, ip)
SELECT account_id, owner, owner_id, device, ip FROM deleted
