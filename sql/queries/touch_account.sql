-- $1 account. What has to be placed again: addresses of which this transaction wrote a fact, whoever they belong to, and
-- those of the account whose placement is missing, is about a subnet that is gone, or claims what it does not hold.
-- A row's xmin is the transaction that wrote it. Not what is dropped.
INSERT INTO touched (account_id, owner, owner_id, device, ip)
SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
FROM nic_address a
JOIN nic n ON n.account_id = $1 AND n.owner = a.owner AND n.owner_id = a.owner_id AND n.device = a.device
LEFT JOIN vm v ON a.owner = 'vm' AND v.account_id = $1 AND v.id = a.owner_id
LEFT JOIN portgroup g ON g.account_id = $1 AND g.id = n.portgroup_id
LEFT JOIN placement p ON p.account_id = $1 AND p.owner = a.owner AND p.owner_id = a.owner_id AND p.device = a.device
    AND p.ip = a.ip
LEFT JOIN address h ON h.subnet_id = p.subnet_id AND h.ip = p.ip
WHERE a.account_id = $1::bigint AND NOT EXISTS (
        SELECT FROM dropped d WHERE d.owner = a.owner AND d.owner_id = a.owner_id AND d.device = a.device AND d.ip = a.ip)
    AND (
    pg_current_xact_id()::xid IN (a.xmin, n.xmin, v.xmin, g.xmin)
    OR (n.portgroup_id IS NOT NULL AND g.id IS NULL)
    OR g.switch_id IN (SELECT l.switch_id FROM link l WHERE l.account_id = $1 AND l.xmin = pg_current_xact_id()::xid)
    OR p.ip IS NULL
    OR (p.subnet_id IS NOT NULL AND (h.account_id, h.owner, h.owner_id, h.device)
        IS DISTINCT FROM (a.account_id, a.owner, a.owner_id, a.device))
    OR (p.subnets <> '{}' AND EXISTS (
        SELECT FROM unnest(p.subnets) AS told (id) WHERE NOT EXISTS (SELECT FROM subnet s WHERE s.id = told.id))))
UNION
SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
FROM subnet s JOIN nic_address a ON a.ip <<= s.cidr::inet
WHERE s.xmin = pg_current_xact_id()::xid AND NOT EXISTS (
    SELECT FROM dropped d
    WHERE (d.account_id, d.owner, d.owner_id, d.device, d.ip) = (a.account_id, a.owner, a.owner_id, a.device, a.ip))
