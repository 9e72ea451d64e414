-- $1 account. What this transaction would release: addresses, of how many held before, and whether every VM of a host
-- or of the account would lose all that it holds. $2 is the number held before. An address that its adapter holds in
-- another subnet now is not lost. One VM alone is not "all VMs at once": the last one of a host goes every day.
WITH lost AS (
    SELECT r.owner, r.owner_id, r.subnet_id, r.ip, v.host_id
    FROM released r
    LEFT JOIN vm v ON r.owner = 'vm' AND v.account_id = r.account_id AND v.id = r.owner_id
    WHERE r.account_id = $1::bigint
        AND NOT EXISTS (SELECT FROM address a WHERE a.subnet_id = r.subnet_id AND a.ip = r.ip AND a.state = 'held')
        AND NOT EXISTS (SELECT FROM address a WHERE a.account_id = r.account_id AND a.owner = r.owner
            AND a.owner_id = r.owner_id AND a.device = r.device AND a.ip = r.ip AND a.state = 'held')
),
remaining AS (
    SELECT a.owner_id, v.host_id
    FROM address a JOIN vm v ON v.account_id = a.account_id AND v.id = a.owner_id
    WHERE a.state = 'held' AND a.account_id = $1 AND a.owner = 'vm'
)
SELECT (SELECT count(*) FROM lost) AS lost,
    $2::bigint AS held,
    (SELECT min(l.host_id) FROM (
        SELECT host_id FROM lost WHERE owner = 'vm' GROUP BY host_id HAVING count(DISTINCT owner_id) > 1
        EXCEPT SELECT host_id FROM remaining) l) AS emptied_host,
    (SELECT count(DISTINCT owner_id) > 1 FROM lost WHERE owner = 'vm') AND NOT EXISTS (SELECT FROM remaining)
        AS emptied_account
