-- The verdicts, as placements. Who holds a claimed address is decided afterwards; until then a claim keeps its reason. An
-- adapter's address that another sync takes away meanwhile is passed over.
INSERT INTO placement AS p (account_id, owner, owner_id, device, ip, subnet_id, reason, subnets)
SELECT v.account_id, v.owner, v.owner_id, v.device, v.ip, v.subnet_id,
    CASE WHEN v.subnet_id IS NULL THEN v.reason
         WHEN b.subnet_id = v.subnet_id THEN b.reason
         ELSE 'held_by_other' END,
    v.subnets
FROM verdict v
JOIN nic_address a ON (a.account_id, a.owner, a.owner_id, a.device, a.ip)
    = (v.account_id, v.owner, v.owner_id, v.device, v.ip)
LEFT JOIN placement b ON (b.account_id, b.owner, b.owner_id, b.device, b.ip)
    = (v.account_id, v.owner, v.owner_id, v.device, v.ip)
WHERE b.ip IS NULL OR b.subnet_id IS DISTINCT FROM v.subnet_id OR b.subnets IS DISTINCT FROM v.subnets
    OR (v.subnet_id IS NULL AND b.reason IS DISTINCT FROM v.reason)
FOR KEY SHARE OF a
ON CONFLICT (account_id, owner, owner_id, device, ip) DO UPDATE SET
    subnet_id = EXCLUDED.subnet_id, reason = EXCLUDED.reason, subnets = EXCLUDED.subnets
