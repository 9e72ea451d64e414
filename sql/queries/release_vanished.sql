-- $1 account. Lets go of every address of adapters that vanished, alone or with their owner, and whose grace is over.
WITH gone AS (
    INSERT INTO dropped (account_id, owner, owner_id, device, ip)
    SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
    FROM vanished v JOIN nic_address a USING (account_id, owner, owner_id, device)
    WHERE v.account_id = $1::bigint
)
INSERT INTO released (subnet_id, ip, account_id, owner, owner_id, device)
SELECT a.subnet_id, a.ip, a.account_id, a.owner, a.owner_id, a.device
FROM vanished v
JOIN address a ON a.state = 'held' AND a.account_id = v.account_id AND a.owner = v.owner AND a.owner_id = v.owner_id
    AND a.device = v.device
WHERE v.account_id = $1
    AND NOT EXISTS (SELECT FROM released r WHERE r.subnet_id = a.subnet_id AND r.ip = a.ip)
