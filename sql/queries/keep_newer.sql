-- $1 account. What jobs wrote of VMs since this reading began is newer than what was read of them: it takes the place of that,
-- and VMs that they removed are not staged. Their inventory is locked, so that nothing more is written meanwhile.
WITH newer AS MATERIALIZED (
    SELECT w.vm_id, w.gone FROM vm_written w CROSS JOIN (SELECT began FROM reading LIMIT 1) r
    WHERE w.account_id = $1::bigint AND w.at > r.began
),
vms AS (DELETE FROM stage_vm s USING newer n WHERE s.id = n.vm_id),
nics AS (DELETE FROM stage_nic s USING newer n WHERE s.owner = 'vm' AND s.owner_id = n.vm_id),
addresses AS (DELETE FROM stage_nic_address s USING newer n WHERE s.owner = 'vm' AND s.owner_id = n.vm_id),
old_vms AS (
    INSERT INTO stage_vm (id, name, instance_uuid, bios_uuid, host_id, power_state, template, tools, hostname,
        managed_by, adapters_known, guest_known, quiet, keep, digest)
    SELECT v.id, v.name, v.instance_uuid, v.bios_uuid, v.host_id, v.power_state, v.template, v.tools, v.hostname,
        v.managed_by, true, true, false, '{}', v.digest
    FROM newer n JOIN vm v ON v.account_id = $1 AND v.id = n.vm_id WHERE NOT n.gone
),
old_nics AS (
    INSERT INTO stage_nic (owner, owner_id, device, label, mac, connected, network_kind, network_name, portgroup_id,
        host_id, services, netstack, management)
    SELECT i.owner, i.owner_id, i.device, i.label, i.mac, i.connected, i.network_kind, i.network_name, i.portgroup_id,
        v.host_id, i.services, i.netstack, i.management
    FROM newer n JOIN vm v ON v.account_id = $1 AND v.id = n.vm_id
    JOIN nic i ON i.account_id = $1 AND i.owner = 'vm' AND i.owner_id = n.vm_id WHERE NOT n.gone
)
INSERT INTO stage_nic_address (owner, owner_id, device, ip, prefix_length, live)
SELECT a.owner, a.owner_id, a.device, a.ip, a.prefix_length, a.live
FROM newer n JOIN nic_address a ON a.account_id = $1 AND a.owner = 'vm' AND a.owner_id = n.vm_id WHERE NOT n.gone
