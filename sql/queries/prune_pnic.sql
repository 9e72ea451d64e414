-- $1 account. Only of hosts whose network was read.
DELETE FROM pnic p USING stage_host h
WHERE p.account_id = $1::bigint AND h.id = p.host_id AND h.network_known
    AND NOT EXISTS (SELECT FROM stage_pnic s WHERE s.host_id = p.host_id AND s.device = p.device)
