-- $1 account. A standard switch goes only when its host's network was read, or its host is gone for good.
DELETE FROM switch w
WHERE w.account_id = $1::bigint
    AND NOT EXISTS (SELECT FROM stage_switch s WHERE s.id = w.id)
    AND (w.kind = 'distributed'
        OR EXISTS (SELECT FROM stage_host h WHERE h.id = w.host_id AND h.network_known)
        OR NOT EXISTS (
            SELECT FROM host h JOIN account c ON c.id = h.account_id
            WHERE h.account_id = $1 AND h.id = w.host_id
                AND NOT (h.missing_syncs >= 2 AND h.missing_since <= now() - c.grace)))
