-- $1 account.
INSERT INTO switch_host AS m (account_id, switch_id, host_id, uplinks)
SELECT $1::bigint, s.switch_id, s.host_id, s.uplinks
FROM stage_switch_host s
LEFT JOIN switch_host b ON b.account_id = $1 AND b.switch_id = s.switch_id AND b.host_id = s.host_id
WHERE b.host_id IS NULL OR b.uplinks IS DISTINCT FROM s.uplinks
ON CONFLICT (account_id, switch_id, host_id) DO UPDATE SET uplinks = EXCLUDED.uplinks
