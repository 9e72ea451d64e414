-- The tag of every VM of $1 (an account, or NULL: of the touched addresses): its unplaced addresses, sorted.
UPDATE vm v
SET sync_ips = t.ips
FROM (
    SELECT v.account_id, v.id, string_agg(DISTINCT host(p.ip), ',' ORDER BY host(p.ip)) AS ips
    FROM vm v
    LEFT JOIN placement p ON p.account_id = v.account_id AND p.owner = 'vm' AND p.owner_id = v.id
        AND p.reason IS NOT NULL
    WHERE v.account_id = $1::bigint OR ($1 IS NULL AND (v.account_id, v.id) IN (
        SELECT account_id, owner_id FROM touched WHERE owner = 'vm'
        UNION SELECT p.account_id, p.owner_id FROM contested k
            JOIN placement p ON p.subnet_id = k.subnet_id AND p.ip = k.ip AND p.owner = 'vm'))
    GROUP BY v.account_id, v.id
) t
WHERE v.account_id = t.account_id AND v.id = t.id AND v.sync_ips IS DISTINCT FROM t.ips
