DROP TRIGGER audited ON link;
DROP TRIGGER audited ON reservation;
DROP TRIGGER audited ON pool;
DROP TRIGGER audited ON subnet;
DROP TRIGGER audited ON wire;
DROP TRIGGER audited ON account;
DROP FUNCTION record_audit;
DROP TABLE audit;
DROP TRIGGER subnet_remembered ON subnet;
DROP FUNCTION remember_subnet;
DROP TABLE subnet_gone;
DROP TRIGGER address_updated ON address;
DROP TRIGGER address_deleted ON address;
DROP TRIGGER address_inserted ON address;
DROP FUNCTION record_address;
DROP FUNCTION acting;
DROP TABLE address_event;
DROP TRIGGER subnet_addresses_inside ON subnet;
DROP FUNCTION keep_addresses_inside;
DROP TRIGGER address_location ON address;
DROP FUNCTION locate_address;
DROP VIEW subnet_usage;
DROP FUNCTION is_free_row;
DROP INDEX placement_unplaced_ip;
DROP VIEW unplaced;
-- What only an allocation holds cannot be told in the older schema.
DELETE FROM address WHERE state = 'free' OR (state = 'held' AND account_id IS NULL);
ALTER TABLE address
    DROP CONSTRAINT address_free_in_pool,
    DROP CONSTRAINT address_allocation_whole,
    DROP CONSTRAINT address_held_by_someone,
    DROP CONSTRAINT address_nic_whole,
    DROP CONSTRAINT address_state_known,
    DROP COLUMN key_id,
    DROP COLUMN allocated_until,
    DROP COLUMN allocated_at,
    DROP COLUMN allocated_to,
    DROP COLUMN pool_id,
    ADD CONSTRAINT address_state_known CHECK (state IN ('held', 'quarantined')),
    ADD CONSTRAINT address_held_by_nic CHECK (
        (state = 'held') = (account_id IS NOT NULL AND owner IS NOT NULL AND owner_id IS NOT NULL AND device IS NOT NULL));
DROP INDEX address_holder;
CREATE INDEX address_holder ON address (account_id, owner, owner_id, device) WHERE state = 'held';
CREATE INDEX address_ip ON address (ip);
DROP TABLE allocation_key;
DROP TABLE reservation;
DROP TABLE extent;
ALTER TABLE pool
    DROP CONSTRAINT pool_disjoint,
    DROP CONSTRAINT pool_quarantine_not_negative,
    DROP COLUMN policy,
    DROP COLUMN role,
    ADD CONSTRAINT pool_unique UNIQUE (subnet_id, first);
ALTER TABLE subnet
    DROP COLUMN description,
    DROP COLUMN dns_suffix;
DROP FUNCTION inet_count;
DROP FUNCTION inet_number;
DROP TYPE inetrange;
CREATE VIEW unplaced AS
SELECT p.account_id, p.owner, p.owner_id, p.device, p.ip, p.reason, o.name,
    s.name AS switch, s.id AS switch_id, h.name AS host, CASE s.kind WHEN 'standard' THEN h.name END AS switch_host, pg.name AS portgroup, pg.vlan_mode,
    CASE WHEN pg.vlan_id = 0 THEN t.native_vlan ELSE pg.vlan_id END AS vlan_id, w.name AS wire, n.network_kind,
    coalesce((SELECT json_agg(json_build_object('name', x.name, 'wire', xw.name, 'cidr', x.cidr, 'vlan_id', x.vlan_id)
            ORDER BY x.id)
        FROM subnet x JOIN wire xw ON xw.id = x.wire_id WHERE x.id = ANY (p.subnets)), '[]') AS subnets,
    CASE WHEN p.reason = 'no_link' THEN coalesce((
        SELECT json_agg(cw.name ORDER BY ls.strong DESC, ls.weak DESC, cw.name)
        FROM link_support ls JOIN wire cw ON cw.id = ls.wire_id
        WHERE ls.account_id = p.account_id AND ls.switch_id = pg.switch_id AND ls.host_id = '' AND NOT ls.excluded), '[]')
        END AS candidates,
    CASE WHEN p.reason = 'held_by_other' THEN (
        SELECT json_build_object('account', ha.name, 'kind', a.owner, 'name', coalesce(hv.name, hh.name), 'mac', hn.mac)
        FROM address a
        JOIN account ha ON ha.id = a.account_id
        JOIN nic hn ON hn.account_id = a.account_id AND hn.owner = a.owner AND hn.owner_id = a.owner_id
            AND hn.device = a.device
        LEFT JOIN vm hv ON a.owner = 'vm' AND hv.account_id = a.account_id AND hv.id = a.owner_id
        LEFT JOIN host hh ON a.owner = 'host' AND hh.account_id = a.account_id AND hh.id = a.owner_id
        WHERE a.subnet_id = p.subnet_id AND a.ip = p.ip) END AS holder
FROM placement p
JOIN nic n USING (account_id, owner, owner_id, device)
JOIN nic_attachment t USING (account_id, owner, owner_id, device)
LEFT JOIN portgroup pg ON pg.account_id = p.account_id AND pg.id = n.portgroup_id
LEFT JOIN switch s ON s.account_id = p.account_id AND s.id = pg.switch_id
LEFT JOIN host h ON h.account_id = p.account_id AND h.id = t.host_id
LEFT JOIN wire w ON w.id = t.wire_id
LEFT JOIN LATERAL (
    SELECT v.name FROM vm v WHERE p.owner = 'vm' AND v.account_id = p.account_id AND v.id = p.owner_id
    UNION ALL
    SELECT x.name FROM host x WHERE p.owner = 'host' AND x.account_id = p.account_id AND x.id = p.owner_id
) o ON true
WHERE p.reason IS NOT NULL;
