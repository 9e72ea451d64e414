-- $1 account. A standard one goes only when its host's network was read, or its host is gone for good.
DELETE FROM portgroup p
WHERE p.account_id = $1::bigint
    AND NOT EXISTS (SELECT FROM stage_portgroup s WHERE s.id = p.id)
    AND (p.kind = 'distributed'
        OR EXISTS (SELECT FROM stage_host h WHERE h.id = p.host_id AND h.network_known)
        OR NOT EXISTS (
            SELECT FROM host h JOIN account c ON c.id = h.account_id
            WHERE h.account_id = $1 AND h.id = p.host_id
                AND NOT (h.missing_syncs >= 2 AND h.missing_since <= now() - c.grace)))
