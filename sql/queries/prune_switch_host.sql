-- $1 account. Not where the host's network, or what tells the switch's members, could not be read.
DELETE FROM switch_host m
WHERE m.account_id = $1::bigint
    AND NOT EXISTS (SELECT FROM stage_switch_host s WHERE s.switch_id = m.switch_id AND s.host_id = m.host_id)
    AND NOT EXISTS (SELECT FROM stage_host h WHERE h.id = m.host_id AND NOT h.network_known)
    AND NOT EXISTS (
        SELECT FROM stage_switch s WHERE s.id = m.switch_id AND 'members' = ANY (s.keep)
            AND EXISTS (SELECT FROM stage_host h WHERE h.id = m.host_id))
