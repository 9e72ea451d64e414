-- $1 account. Hosts that are new or changed; what could not be read keeps its last value.
INSERT INTO host AS h
    (account_id, id, name, uuid, datacenter, cluster, connection_state, maintenance, version, managed_by, gateways)
SELECT $1::bigint, i.id, i.name, i.uuid, i.datacenter, i.cluster, i.connection_state, i.maintenance, i.version,
    i.managed_by, i.gateways
FROM (
    SELECT s.id, coalesce(nullif(s.name, ''), h.name, s.id) AS name,
        CASE WHEN 'datacenter' = ANY (s.keep) THEN h.datacenter ELSE s.datacenter END AS datacenter,
        CASE WHEN 'cluster' = ANY (s.keep) THEN h.cluster ELSE s.cluster END AS cluster,
        CASE WHEN 'uuid' = ANY (s.keep) THEN h.uuid ELSE s.uuid END AS uuid,
        CASE WHEN 'connection_state' = ANY (s.keep) THEN h.connection_state ELSE s.connection_state END
            AS connection_state,
        CASE WHEN 'maintenance' = ANY (s.keep) THEN h.maintenance ELSE s.maintenance END AS maintenance,
        CASE WHEN 'version' = ANY (s.keep) THEN h.version ELSE s.version END AS version,
        CASE WHEN 'managed_by' = ANY (s.keep) THEN h.managed_by ELSE s.managed_by END AS managed_by,
        CASE WHEN s.network_known THEN s.gateways ELSE coalesce(h.gateways, '{}') END AS gateways
    FROM stage_host s LEFT JOIN host h ON h.account_id = $1 AND h.id = s.id
) i
LEFT JOIN host b ON b.account_id = $1 AND b.id = i.id
WHERE b.id IS NULL OR b.missing_since IS NOT NULL
    OR (b.name, b.uuid, b.datacenter, b.cluster, b.connection_state, b.maintenance, b.version, b.managed_by, b.gateways)
    IS DISTINCT FROM (i.name, i.uuid, i.datacenter, i.cluster, i.connection_state, i.maintenance, i.version,
        i.managed_by, i.gateways)
ON CONFLICT (account_id, id) DO UPDATE SET
    name = EXCLUDED.name, uuid = EXCLUDED.uuid, datacenter = EXCLUDED.datacenter, cluster = EXCLUDED.cluster,
    connection_state = EXCLUDED.connection_state, maintenance = EXCLUDED.maintenance, version = EXCLUDED.version,
    managed_by = EXCLUDED.managed_by, gateways = EXCLUDED.gateways, missing_since = NULL, missing_syncs = 0
