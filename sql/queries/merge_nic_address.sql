-- $1 account. Addresses reported now. They are live since the reading began: what another reading that began later saw
-- is newer, whichever of both is written first.
INSERT INTO nic_address AS a (account_id, owner, owner_id, device, ip, prefix_length, live, live_since)
SELECT $1::bigint, s.owner, s.owner_id, s.device, s.ip, s.prefix_length, s.live, CASE WHEN s.live THEN r.began END
FROM (SELECT DISTINCT ON (owner, owner_id, device, ip) * FROM stage_nic_address
      ORDER BY owner, owner_id, device, ip, live DESC, prefix_length) s
CROSS JOIN (SELECT began FROM reading LIMIT 1) r
LEFT JOIN nic_address b ON b.account_id = $1 AND b.owner = s.owner AND b.owner_id = s.owner_id
    AND b.device = s.device AND b.ip = s.ip
WHERE b.ip IS NULL OR b.missed <> 0 OR (b.prefix_length, b.live) IS DISTINCT FROM (s.prefix_length, s.live)
ON CONFLICT (account_id, owner, owner_id, device, ip) DO UPDATE SET
    prefix_length = EXCLUDED.prefix_length, live = EXCLUDED.live, missed = 0,
    live_since = CASE WHEN a.live AND EXCLUDED.live THEN a.live_since
                      WHEN EXCLUDED.live THEN EXCLUDED.live_since ELSE a.live_since END
