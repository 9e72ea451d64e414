-- $1 account. The VMs of which nothing would be written if what was staged of them last were staged again: nothing of them is
-- missing, so that no reading counts, and each adapter's port group was found.
SELECT v.id, v.digest
FROM vm v
WHERE v.account_id = $1::bigint AND v.digest IS NOT NULL AND v.missing_since IS NULL
    AND NOT EXISTS (
        SELECT FROM nic n WHERE n.account_id = $1 AND n.owner = 'vm' AND n.owner_id = v.id
            AND (n.missing_since IS NOT NULL
                OR (n.portgroup_id IS NULL AND n.network_kind IN ('standard', 'distributed'))))
    AND NOT EXISTS (
        SELECT FROM nic_address a WHERE a.account_id = $1 AND a.owner = 'vm' AND a.owner_id = v.id AND a.missed > 0)
