-- $1 account. Adapters of what was read. A standard backing names its port group by name, on the adapter's host: of a VM
-- whose host could not be read, the last known one.
INSERT INTO nic AS n
    (account_id, owner, owner_id, device, label, mac, connected, network_kind, network_name, portgroup_id, services,
     netstack, management)
SELECT $1::bigint, i.owner, i.owner_id, i.device, i.label, i.mac, i.connected, i.network_kind, i.network_name,
    i.resolved, i.services, i.netstack, i.management
FROM (
    SELECT s.*, p.id AS resolved
    FROM stage_nic s
    LEFT JOIN vm v ON s.owner = 'vm' AND s.host_id IS NULL AND v.account_id = $1 AND v.id = s.owner_id
    LEFT JOIN portgroup p ON p.account_id = $1 AND NOT p.uplink AND p.id = CASE s.network_kind
        WHEN 'distributed' THEN s.portgroup_id WHEN 'standard' THEN coalesce(s.host_id, v.host_id) || '/' || s.network_name END
) i
LEFT JOIN nic b ON b.account_id = $1 AND b.owner = i.owner AND b.owner_id = i.owner_id AND b.device = i.device
WHERE b.device IS NULL OR b.missing_since IS NOT NULL
    OR (b.label, b.mac, b.connected, b.network_kind, b.network_name, b.portgroup_id, b.services, b.netstack, b.management)
    IS DISTINCT FROM (i.label, i.mac, i.connected, i.network_kind, i.network_name, i.resolved, i.services, i.netstack,
        i.management)
ON CONFLICT (account_id, owner, owner_id, device) DO UPDATE SET
    label = EXCLUDED.label, mac = EXCLUDED.mac, connected = EXCLUDED.connected, network_kind = EXCLUDED.network_kind,
    network_name = EXCLUDED.network_name, portgroup_id = EXCLUDED.portgroup_id, services = EXCLUDED.services,
    netstack = EXCLUDED.netstack, management = EXCLUDED.management, missing_since = NULL, missing_syncs = 0
