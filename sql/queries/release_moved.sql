-- A hold moves with its adapter: placed in another subnet now, the old pair is let go. Where the new one is another's, the
-- old hold stays.
INSERT INTO released (subnet_id, ip, account_id, owner, owner_id, device)
SELECT a.subnet_id, a.ip, a.account_id, a.owner, a.owner_id, a.device
FROM verdict v
JOIN placement p USING (account_id, owner, owner_id, device, ip)
JOIN address a ON a.state = 'held' AND a.account_id = v.account_id AND a.owner = v.owner AND a.owner_id = v.owner_id
    AND a.device = v.device AND a.ip = v.ip
WHERE p.subnet_id IS NOT NULL AND p.reason IS NULL AND a.subnet_id <> p.subnet_id
