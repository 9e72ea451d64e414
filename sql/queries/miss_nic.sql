-- $1 account. An adapter is missing when its VM's devices or its host's network were read without it.
UPDATE nic n
SET missing_since = coalesce(n.missing_since, now()), missing_syncs = n.missing_syncs + 1
WHERE n.account_id = $1::bigint AND n.missing_syncs < 2
    AND NOT EXISTS (
        SELECT FROM stage_nic s WHERE s.owner = n.owner AND s.owner_id = n.owner_id AND s.device = n.device)
    AND (EXISTS (SELECT FROM stage_vm s WHERE n.owner = 'vm' AND s.id = n.owner_id AND s.adapters_known)
        OR EXISTS (SELECT FROM stage_host s WHERE n.owner = 'host' AND s.id = n.owner_id AND s.network_known))
