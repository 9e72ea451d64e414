-- $1 account. What could not be read keeps its last value: the switch, the mark of an uplink, the VLAN.
INSERT INTO portgroup AS p (account_id, id, switch_id, host_id, name, kind, vlan_mode, vlan_id, vlan_ranges, uplink)
SELECT $1::bigint, i.id, i.switch_id, i.host_id, i.name, i.kind, i.vlan_mode, i.vlan_id, i.vlan_ranges, i.uplink
FROM (
    SELECT s.id, coalesce(s.switch_id, b.switch_id) AS switch_id, s.host_id,
        coalesce(nullif(s.name, ''), b.name, s.id) AS name, s.kind, coalesce(s.uplink, b.uplink, false) AS uplink,
        CASE WHEN k.known THEN s.vlan_mode ELSE b.vlan_mode END AS vlan_mode,
        CASE WHEN k.known THEN s.vlan_id ELSE b.vlan_id END AS vlan_id,
        CASE WHEN k.known THEN s.vlan_ranges ELSE b.vlan_ranges END AS vlan_ranges
    FROM stage_portgroup s
    LEFT JOIN portgroup b ON b.account_id = $1 AND b.id = s.id
    -- An uplink matches no VLAN: while it may still be one, its VLAN stays as well.
    CROSS JOIN LATERAL (
        SELECT b.id IS NULL OR (s.vlan_known AND NOT (s.uplink IS NULL AND b.uplink)) AS known) k
) i
LEFT JOIN portgroup b ON b.account_id = $1 AND b.id = i.id
WHERE i.switch_id IS NOT NULL AND (b.id IS NULL
    OR (b.switch_id, b.host_id, b.name, b.kind, b.vlan_mode, b.vlan_id, b.vlan_ranges, b.uplink)
    IS DISTINCT FROM (i.switch_id, i.host_id, i.name, i.kind, i.vlan_mode, i.vlan_id, i.vlan_ranges, i.uplink))
ON CONFLICT (account_id, id) DO UPDATE SET
    switch_id = EXCLUDED.switch_id, host_id = EXCLUDED.host_id, name = EXCLUDED.name, kind = EXCLUDED.kind,
    vlan_mode = EXCLUDED.vlan_mode, vlan_id = EXCLUDED.vlan_id, vlan_ranges = EXCLUDED.vlan_ranges,
    uplink = EXCLUDED.uplink
