-- Where a reading lands before it is believed: of this connection only, written outside any transaction. `reading` has
-- a row only in a sync: whose inventory, and when its reading began.
CREATE TEMP TABLE IF NOT EXISTS reading (account_id bigint, began timestamptz);
CREATE TEMP TABLE IF NOT EXISTS stage_host (
    id text, name text, uuid text, datacenter text, cluster text, connection_state text, maintenance boolean,
    version text, managed_by text, gateways inet[], network_known boolean, keep text[]);
CREATE TEMP TABLE IF NOT EXISTS stage_pnic (host_id text, device text, mac macaddr, speed_mb int);
CREATE TEMP TABLE IF NOT EXISTS stage_switch (id text, kind text, name text, uuid text, host_id text, datacenter text,
    keep text[]);
CREATE TEMP TABLE IF NOT EXISTS stage_switch_host (switch_id text, host_id text, uplinks text[]);
CREATE TEMP TABLE IF NOT EXISTS stage_portgroup (
    id text, switch_id text, host_id text, name text, kind text, vlan_mode text, vlan_id int,
    vlan_ranges int4multirange, uplink boolean, vlan_known boolean);
CREATE TEMP TABLE IF NOT EXISTS stage_vm (
    id text, name text, instance_uuid text, bios_uuid text, host_id text, power_state text, template boolean,
    tools text, hostname text, managed_by text, adapters_known boolean, guest_known boolean, quiet boolean,
    keep text[], digest uuid, unchanged boolean NOT NULL DEFAULT false);
CREATE TEMP TABLE IF NOT EXISTS stage_nic (
    owner text, owner_id text, device text, label text, mac macaddr, connected boolean, network_kind text,
    network_name text, portgroup_id text, host_id text, services text[], netstack text, management boolean);
CREATE TEMP TABLE IF NOT EXISTS stage_nic_address (
    owner text, owner_id text, device text, ip inet, prefix_length int, live boolean);
-- The addresses to place again and where they belong, the pairs whose holder is in question, what this transaction lets
-- go of, and the adapters' addresses that go with it.
CREATE TEMP TABLE IF NOT EXISTS touched (
    account_id bigint, owner text, owner_id text, device text, ip inet) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS verdict (
    account_id bigint, owner text, owner_id text, device text, ip inet, subnet_id bigint, reason text,
    subnets bigint[]) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS contested (subnet_id bigint, ip inet) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS released (
    subnet_id bigint, ip inet, account_id bigint, owner text, owner_id text, device text) ON COMMIT DELETE ROWS;
CREATE TEMP TABLE IF NOT EXISTS dropped (
    account_id bigint, owner text, owner_id text, device text, ip inet) ON COMMIT DELETE ROWS;
TRUNCATE reading, stage_host, stage_pnic, stage_switch, stage_switch_host, stage_portgroup, stage_vm, stage_nic,
    stage_nic_address, touched, verdict, contested, released, dropped;
