-- $1 account.
INSERT INTO switch AS w (account_id, id, kind, name, uuid, host_id, datacenter)
SELECT $1::bigint, s.id, s.kind, s.name, s.uuid, s.host_id, s.datacenter
FROM stage_switch s
LEFT JOIN switch b ON b.account_id = $1 AND b.id = s.id
WHERE b.id IS NULL
    OR (b.kind, b.name, b.uuid, b.host_id, b.datacenter) IS DISTINCT FROM (s.kind, s.name, s.uuid, s.host_id, s.datacenter)
ON CONFLICT (account_id, id) DO UPDATE SET
    kind = EXCLUDED.kind, name = EXCLUDED.name, uuid = EXCLUDED.uuid, host_id = EXCLUDED.host_id,
    datacenter = EXCLUDED.datacenter
