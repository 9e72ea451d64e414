-- $1 account. Adapters of unchanged VMs whose port group is none any more: it went, or turned out to be an uplink's.
UPDATE nic n SET portgroup_id = NULL
WHERE n.account_id = $1::bigint AND n.owner = 'vm' AND n.portgroup_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM portgroup p WHERE p.account_id = $1 AND p.id = n.portgroup_id AND NOT p.uplink)
    AND EXISTS (SELECT FROM stage_vm s WHERE s.id = n.owner_id AND s.unchanged)
