-- $1 account. Lets go of what its live adapter did not report in two successive readings, and of what does not count any
-- more: a template's, and what is on the account's ignore list. What a VM was made with stays its own.
WITH gone AS (
    INSERT INTO dropped (account_id, owner, owner_id, device, ip)
    SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
    FROM nic_address a
    JOIN account c ON c.id = a.account_id
    WHERE a.account_id = $1::bigint AND (a.missed >= 2 OR a.ip <<= ANY (c.ignored::inet[])
        OR (a.owner = 'vm' AND a.owner_id IN (SELECT v.id FROM vm v WHERE v.account_id = $1 AND v.template)))
    RETURNING account_id, owner, owner_id, device, ip
)
INSERT INTO released (subnet_id, ip, account_id, owner, owner_id, device)
SELECT a.subnet_id, a.ip, a.account_id, a.owner, a.owner_id, a.device
FROM gone g
JOIN address a ON a.state = 'held' AND a.account_id = g.account_id AND a.owner = g.owner AND a.owner_id = g.owner_id
    AND a.device = g.device AND a.ip = g.ip
    AND NOT EXISTS (SELECT FROM allocation_key k WHERE k.id = a.key_id AND k.vm_request_id IS NOT NULL)
