-- A hold moves with its adapter: placed in another subnet now, the old pair is let go.
INSERT INTO released (subnet_id, ip, account_id, owner, owner_id, device)
SELECT a.subnet_id, a.ip, a.account_id, a.owner, a.owner_id, a.device
FROM touched t
JOIN placement p USING (account_id, owner, owner_id, device, ip)
JOIN address a ON a.state = 'held' AND a.account_id = t.account_id AND a.owner = t.owner AND a.owner_id = t.owner_id
    AND a.device = t.device AND a.ip = t.ip
WHERE p.subnet_id IS NOT NULL AND a.subnet_id <> p.subnet_id
