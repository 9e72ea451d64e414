-- $1 account. VMs that are new, changed, or back; what could not be read keeps its last value.
INSERT INTO vm AS v
    (account_id, id, name, instance_uuid, bios_uuid, host_id, power_state, template, tools, hostname, managed_by,
     digest)
SELECT $1::bigint, i.id, i.name, i.instance_uuid, i.bios_uuid, i.host_id, i.power_state, i.template, i.tools,
    i.hostname, i.managed_by, i.digest
FROM (
    SELECT s.id, coalesce(nullif(s.name, ''), b.name, s.id) AS name,
        CASE WHEN 'instance_uuid' = ANY (s.keep) THEN b.instance_uuid ELSE s.instance_uuid END AS instance_uuid,
        CASE WHEN 'bios_uuid' = ANY (s.keep) THEN b.bios_uuid ELSE s.bios_uuid END AS bios_uuid,
        CASE WHEN 'host_id' = ANY (s.keep) THEN b.host_id ELSE s.host_id END AS host_id,
        CASE WHEN 'power_state' = ANY (s.keep) THEN b.power_state ELSE s.power_state END AS power_state,
        CASE WHEN 'template' = ANY (s.keep) THEN coalesce(b.template, false) ELSE s.template END AS template,
        CASE WHEN 'tools' = ANY (s.keep) THEN b.tools ELSE s.tools END AS tools,
        CASE WHEN 'hostname' = ANY (s.keep) THEN b.hostname ELSE s.hostname END AS hostname,
        CASE WHEN 'managed_by' = ANY (s.keep) THEN b.managed_by ELSE s.managed_by END AS managed_by,
        s.digest
    FROM stage_vm s LEFT JOIN vm b ON b.account_id = $1 AND b.id = s.id
    WHERE NOT s.unchanged
) i
LEFT JOIN vm b ON b.account_id = $1 AND b.id = i.id
WHERE b.id IS NULL OR b.missing_since IS NOT NULL
    OR (b.name, b.instance_uuid, b.bios_uuid, b.host_id, b.power_state, b.template, b.tools, b.hostname, b.managed_by,
        b.digest)
    IS DISTINCT FROM (i.name, i.instance_uuid, i.bios_uuid, i.host_id, i.power_state, i.template, i.tools, i.hostname,
        i.managed_by, i.digest)
ON CONFLICT (account_id, id) DO UPDATE SET
    name = EXCLUDED.name, instance_uuid = EXCLUDED.instance_uuid, bios_uuid = EXCLUDED.bios_uuid,
    host_id = EXCLUDED.host_id, power_state = EXCLUDED.power_state, template = EXCLUDED.template,
    tools = EXCLUDED.tools, hostname = EXCLUDED.hostname, managed_by = EXCLUDED.managed_by,
    digest = EXCLUDED.digest, missing_since = NULL, missing_syncs = 0
