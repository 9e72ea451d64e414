-- $1 account. Lets go of what its live adapter did not report in two successive readings.
WITH gone AS (
    DELETE FROM nic_address WHERE account_id = $1::bigint AND missed >= 2
    RETURNING account_id, owner, owner_id, device, ip
)
INSERT INTO released (subnet_id, ip, account_id, owner, owner_id, device)
SELECT a.subnet_id, a.ip, a.account_id, a.owner, a.owner_id, a.device
FROM gone g
JOIN address a ON a.state = 'held' AND a.account_id = g.account_id AND a.owner = g.owner AND a.owner_id = g.owner_id
    AND a.device = g.device AND a.ip = g.ip
