-- $1 account.
DELETE FROM switch_host m
WHERE m.account_id = $1::bigint
    AND NOT EXISTS (SELECT FROM stage_switch_host s WHERE s.switch_id = m.switch_id AND s.host_id = m.host_id)
    AND NOT EXISTS (SELECT FROM stage_host h WHERE h.id = m.host_id AND NOT h.network_known)
