-- The subnets in which a holder may change, ascending: the order in which placement takes their locks. Nothing changes
-- where the holder claims the address and is live, and nobody else claims it.
SELECT DISTINCT k.subnet_id
FROM contested k
LEFT JOIN address a ON a.subnet_id = k.subnet_id AND a.ip = k.ip AND a.state = 'held'
LEFT JOIN placement p ON p.subnet_id = k.subnet_id AND p.ip = k.ip AND p.reason IS NULL
    AND (p.account_id, p.owner, p.owner_id, p.device) = (a.account_id, a.owner, a.owner_id, a.device)
LEFT JOIN nic_address n ON n.account_id = p.account_id AND n.owner = p.owner AND n.owner_id = p.owner_id
    AND n.device = p.device AND n.ip = p.ip AND n.live
WHERE n.ip IS NULL
    OR EXISTS (SELECT FROM placement o WHERE o.subnet_id = k.subnet_id AND o.ip = k.ip AND
        (o.account_id, o.owner, o.owner_id, o.device) IS DISTINCT FROM (a.account_id, a.owner, a.owner_id, a.device))
    OR EXISTS (SELECT FROM verdict v WHERE v.ip = k.ip AND (v.subnet_id IS NOT DISTINCT FROM k.subnet_id)
        <> ((v.account_id, v.owner, v.owner_id, v.device) IS NOT DISTINCT FROM (a.account_id, a.owner, a.owner_id, a.device)))
    OR EXISTS (SELECT FROM released r WHERE r.subnet_id = k.subnet_id AND r.ip = k.ip)
ORDER BY 1
