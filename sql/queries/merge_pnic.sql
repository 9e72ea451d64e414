-- $1 account.
INSERT INTO pnic AS p (account_id, host_id, device, mac, speed_mb)
SELECT $1::bigint, s.host_id, s.device, s.mac, s.speed_mb
FROM stage_pnic s
LEFT JOIN pnic b ON b.account_id = $1 AND b.host_id = s.host_id AND b.device = s.device
WHERE b.device IS NULL OR (b.mac, b.speed_mb) IS DISTINCT FROM (s.mac, s.speed_mb)
ON CONFLICT (account_id, host_id, device) DO UPDATE SET mac = EXCLUDED.mac, speed_mb = EXCLUDED.speed_mb
