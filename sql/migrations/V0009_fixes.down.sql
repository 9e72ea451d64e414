DROP TRIGGER audited ON wire_rejection;
DROP FUNCTION record_rejection;
DROP VIEW pool_usage;
DROP VIEW unplaced;
CREATE VIEW unplaced AS
SELECT p.account_id, p.owner, p.owner_id, p.device, p.ip, p.reason, o.name,
    s.name AS switch, s.id AS switch_id, h.name AS host, CASE s.kind WHEN 'standard' THEN h.name END AS switch_host, pg.name AS portgroup, pg.vlan_mode,
    CASE WHEN pg.vlan_id = 0 THEN t.native_vlan ELSE pg.vlan_id END AS vlan_id, w.name AS wire, n.network_kind,
    coalesce(pg.vlan_id = 0, false) AS untagged, t.native_vlan,
    (SELECT json_agg(json_build_array(lower(r), upper(r) - 1)) FROM unnest(pg.vlan_ranges) r) AS vlan_ranges,
    coalesce((SELECT json_agg(json_build_object('name', x.name, 'wire', xw.name, 'cidr', x.cidr, 'vlan_id', x.vlan_id)
            ORDER BY x.id)
        FROM subnet x JOIN wire xw ON xw.id = x.wire_id WHERE x.id = ANY (p.subnets)), '[]') AS subnets,
    CASE WHEN p.reason = 'no_link' THEN coalesce((
        SELECT json_agg(cw.name ORDER BY ls.strong DESC, ls.weak DESC, cw.name)
        FROM link_support ls JOIN wire cw ON cw.id = ls.wire_id
        WHERE ls.account_id = p.account_id AND ls.switch_id = pg.switch_id AND ls.host_id = '' AND NOT ls.excluded), '[]')
        END AS candidates,
    CASE WHEN p.reason = 'held_by_other' THEN (
        SELECT json_build_object('account', ha.name, 'kind', coalesce(a.owner, 'allocation'),
            'name', coalesce(hv.name, hh.name, a.allocated_to), 'mac', hn.mac)
        FROM address a
        LEFT JOIN account ha ON ha.id = a.account_id
        LEFT JOIN nic hn ON hn.account_id = a.account_id AND hn.owner = a.owner AND hn.owner_id = a.owner_id
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
DROP FUNCTION proposed_subnet;
DROP INDEX host_name;
DROP INDEX switch_name;
CREATE OR REPLACE FUNCTION record_address() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    account text;
    named text;
    origin text := nullif(current_setting('wireloom.origin', true), '');
    job bigint := nullif(current_setting('wireloom.job', true), '')::bigint;
BEGIN
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.state <> 'free'
        AND (OLD.subnet_id <> NEW.subnet_id OR OLD.ip <> NEW.ip)) THEN
        INSERT INTO address_event (subnet_id, ip, state, actor, origin, job_id)
        VALUES (OLD.subnet_id, OLD.ip, 'free', acting(), origin, job);
    END IF;
    IF TG_OP = 'DELETE' THEN
        RETURN NULL;
    END IF;
    IF NEW.account_id IS NOT NULL THEN
        SELECT a.name INTO account FROM account a WHERE a.id = NEW.account_id;
        IF NEW.owner = 'vm' THEN
            SELECT v.name INTO named FROM vm v WHERE v.account_id = NEW.account_id AND v.id = NEW.owner_id;
        ELSE
            SELECT h.name INTO named FROM host h WHERE h.account_id = NEW.account_id AND h.id = NEW.owner_id;
        END IF;
    END IF;
    INSERT INTO address_event (subnet_id, ip, state, until, account_id, owner, owner_id, device, account, name,
        allocated_to, allocated_until, actor, origin, job_id)
    VALUES (NEW.subnet_id, NEW.ip, NEW.state, NEW.until, NEW.account_id, NEW.owner, NEW.owner_id, NEW.device,
        account, named, NEW.allocated_to, NEW.allocated_until, acting(), origin, job);
    RETURN NULL;
END $$;
ALTER TABLE address_event DROP COLUMN host_id;
