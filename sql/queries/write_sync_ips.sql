-- The tags of VMs: of the touched and the contested addresses, and of $1 (an account, or NULL) every one that has a tag or
-- an unplaced address. A tag is the VM's unplaced addresses, sorted.
UPDATE vm v
SET sync_ips = t.ips
FROM (
    SELECT c.account_id, c.id, string_agg(DISTINCT host(p.ip), ',' ORDER BY host(p.ip)) AS ips
    FROM (
        SELECT account_id, owner_id AS id FROM touched WHERE owner = 'vm'
        UNION SELECT p.account_id, p.owner_id FROM contested k
            JOIN placement p ON p.subnet_id = k.subnet_id AND p.ip = k.ip AND p.owner = 'vm'
        UNION SELECT p.account_id, p.owner_id FROM placement p
            WHERE p.account_id = $1::bigint AND p.owner = 'vm' AND p.reason IS NOT NULL
        UNION SELECT v.account_id, v.id FROM vm v WHERE v.account_id = $1 AND v.sync_ips IS NOT NULL
    ) c
    LEFT JOIN placement p ON p.account_id = c.account_id AND p.owner = 'vm' AND p.owner_id = c.id
        AND p.reason IS NOT NULL
    GROUP BY c.account_id, c.id
) t
WHERE v.account_id = t.account_id AND v.id = t.id AND v.sync_ips IS DISTINCT FROM t.ips
