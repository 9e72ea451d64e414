-- $1 account. The tags of other accounts' VMs that share a contested address.
UPDATE vm v
SET sync_ips = t.ips
FROM (
    SELECT v.account_id, v.id, string_agg(DISTINCT host(p.ip), ',' ORDER BY host(p.ip)) AS ips
    FROM (SELECT DISTINCT p.account_id, p.owner_id AS id FROM contested k
          JOIN placement p ON p.subnet_id = k.subnet_id AND p.ip = k.ip
          WHERE p.owner = 'vm' AND p.account_id <> $1::bigint) v
    LEFT JOIN placement p ON p.account_id = v.account_id AND p.owner = 'vm' AND p.owner_id = v.id
        AND p.reason IS NOT NULL
    GROUP BY v.account_id, v.id
) t
WHERE v.account_id = t.account_id AND v.id = t.id AND v.sync_ips IS DISTINCT FROM t.ips
