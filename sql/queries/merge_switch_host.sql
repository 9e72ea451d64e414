-- $1 account. Uplinks are known where the host's network was read, and the switch's UUID, by which the host names it.
INSERT INTO switch_host AS m (account_id, switch_id, host_id, uplinks)
SELECT $1::bigint, i.switch_id, i.host_id, i.uplinks
FROM (
    SELECT s.switch_id, s.host_id,
        CASE WHEN NOT h.network_known OR 'uuid' = ANY (w.keep) THEN coalesce(b.uplinks, s.uplinks) ELSE s.uplinks END AS uplinks
    FROM stage_switch_host s
    LEFT JOIN stage_host h ON h.id = s.host_id
    LEFT JOIN stage_switch w ON w.id = s.switch_id AND w.kind = 'distributed'
    LEFT JOIN switch_host b ON b.account_id = $1 AND b.switch_id = s.switch_id AND b.host_id = s.host_id
) i
LEFT JOIN switch_host b ON b.account_id = $1 AND b.switch_id = i.switch_id AND b.host_id = i.host_id
WHERE b.host_id IS NULL OR b.uplinks IS DISTINCT FROM i.uplinks
ON CONFLICT (account_id, switch_id, host_id) DO UPDATE SET uplinks = EXCLUDED.uplinks
