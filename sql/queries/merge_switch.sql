-- $1 account. What could not be read keeps its last value.
INSERT INTO switch AS w (account_id, id, kind, name, uuid, host_id, datacenter)
SELECT $1::bigint, i.id, i.kind, i.name, i.uuid, i.host_id, i.datacenter
FROM (
    SELECT s.id, s.kind, coalesce(nullif(s.name, ''), b.name, s.id) AS name, s.host_id,
        CASE WHEN 'uuid' = ANY (s.keep) THEN b.uuid ELSE s.uuid END AS uuid,
        CASE WHEN 'datacenter' = ANY (s.keep) THEN b.datacenter ELSE s.datacenter END AS datacenter
    FROM stage_switch s LEFT JOIN switch b ON b.account_id = $1 AND b.id = s.id
) i
LEFT JOIN switch b ON b.account_id = $1 AND b.id = i.id
WHERE b.id IS NULL
    OR (b.kind, b.name, b.uuid, b.host_id, b.datacenter) IS DISTINCT FROM (i.kind, i.name, i.uuid, i.host_id, i.datacenter)
ON CONFLICT (account_id, id) DO UPDATE SET
    kind = EXCLUDED.kind, name = EXCLUDED.name, uuid = EXCLUDED.uuid, host_id = EXCLUDED.host_id,
    datacenter = EXCLUDED.datacenter
