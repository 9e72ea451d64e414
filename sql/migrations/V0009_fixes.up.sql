-- What a fix needs to be right: where an adapter's link is, how a command finds it, whom it would cost its place, and the
-- subnet that would take an address in; on which host an address was held; how full pools are; who rejected a proposal.
-- On a large table: one column without a default, two small indexes.

-- On which host the adapter was. NULL of what was recorded before.
ALTER TABLE address_event ADD COLUMN host_id text;

CREATE OR REPLACE FUNCTION record_address() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    account text;
    named text;
    host text;
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
            SELECT v.name, v.host_id INTO named, host FROM vm v WHERE v.account_id = NEW.account_id AND v.id = NEW.owner_id;
        ELSE
            SELECT h.name, h.id INTO named, host FROM host h WHERE h.account_id = NEW.account_id AND h.id = NEW.owner_id;
        END IF;
    END IF;
    INSERT INTO address_event (subnet_id, ip, state, until, account_id, owner, owner_id, device, host_id, account, name,
        allocated_to, allocated_until, actor, origin, job_id)
    VALUES (NEW.subnet_id, NEW.ip, NEW.state, NEW.until, NEW.account_id, NEW.owner, NEW.owner_id, NEW.device,
        host, account, named, NEW.allocated_to, NEW.allocated_until, acting(), origin, job);
    RETURN NULL;
END $$;

CREATE INDEX switch_name ON switch (account_id, name);
CREATE INDEX host_name ON host (account_id, name);

-- A subnet to create for an address that no subnet of its wire contains: as wide as the adapter says, but never so wide that it
-- would meet another one of its VLAN, or give a placed address of a trunk a second subnet to be in. As a sync names it.
CREATE FUNCTION proposed_subnet(
    address inet, prefix_length int, on_wire bigint, mode text, id int, ranges int4multirange, native int)
RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
    vlan int := CASE mode
        WHEN 'access' THEN CASE id WHEN 0 THEN native ELSE id END
        WHEN 'private' THEN id
        WHEN 'trunk' THEN CASE WHEN ranges @> native THEN native
            ELSE lower(ranges * '{[1,4094]}'::int4multirange) END
    END;
    width int := CASE family(address) WHEN 4 THEN 32 ELSE 128 END;
    -- A guest that was given a single address by DHCP says nothing of the network.
    bits int := CASE WHEN prefix_length BETWEEN 1 AND width - 1 THEN prefix_length ELSE width - CASE width WHEN 32 THEN 8
        ELSE 64 END END;
    needed int;
    prefix cidr;
    wire text;
    tail text;
    many int := 1;
BEGIN
    SELECT w.name INTO wire FROM wire w WHERE w.id = on_wire;
    IF vlan IS NULL OR wire IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT max(masklen(inet_merge(address, s.cidr::inet)) + 1) INTO needed
    FROM subnet s
    WHERE s.wire_id = on_wire AND s.cidr::inet <<= set_masklen(address, bits)
        AND (s.vlan_id = vlan OR EXISTS (
            SELECT FROM placement q JOIN nic_attachment t USING (account_id, owner, owner_id, device)
            WHERE q.subnet_id = s.id AND q.reason IS NULL AND t.vlan_mode = 'trunk' AND t.vlan_ranges @> vlan));
    prefix := network(set_masklen(address, least(width, greatest(bits, needed))));
    tail := ':' || prefix || ':' || vlan;
    WHILE EXISTS (SELECT FROM subnet s WHERE s.name = left(wire, 100 - length(tail)) || tail) LOOP
        many := many + 1;
        tail := ':' || prefix || ':' || vlan || '#' || many;
    END LOOP;
    RETURN json_build_object('name', left(wire, 100 - length(tail)) || tail, 'cidr', prefix, 'vlan_id', vlan);
END $$;

-- Every address without a placement, with the facts that its sentence and its fix are made of.
DROP VIEW unplaced;
CREATE VIEW unplaced AS
-- How many addresses are placed through each host's part of each switch: what a change of its link would be paid with.
WITH used AS MATERIALIZED (
    SELECT t.account_id, t.switch_id, t.host_id,
        EXISTS (SELECT FROM link l WHERE l.account_id = t.account_id AND l.switch_id = t.switch_id
            AND l.host_id = t.host_id AND l.host_id <> '') AS pinned,
        count(*) AS placed, count(*) FILTER (WHERE t.vlan_mode = 'access' AND t.vlan_id = 0) AS untagged
    FROM placement q
    JOIN nic_attachment t USING (account_id, owner, owner_id, device)
    WHERE q.reason IS NULL AND t.switch_id IS NOT NULL
    GROUP BY t.account_id, t.switch_id, t.host_id
)
SELECT p.account_id, p.owner, p.owner_id, p.device, p.ip, p.reason, o.name,
    s.name AS switch, s.id AS switch_id, h.name AS host, k.host AS switch_host, pg.name AS portgroup, pg.vlan_mode,
    CASE WHEN pg.vlan_id = 0 THEN t.native_vlan ELSE pg.vlan_id END AS vlan_id, w.name AS wire, n.network_kind,
    coalesce(pg.vlan_id = 0, false) AS untagged, t.native_vlan,
    (SELECT json_agg(json_build_array(lower(r), upper(r) - 1)) FROM unnest(pg.vlan_ranges) r) AS vlan_ranges,
    coalesce((SELECT json_agg(json_build_object('name', x.name, 'wire', xw.name, 'cidr', x.cidr, 'vlan_id', x.vlan_id,
            'placed', CASE WHEN p.reason = 'vlan_mismatch' THEN (SELECT count(*) FROM (
                SELECT FROM placement q WHERE q.subnet_id = x.id AND q.reason IS NULL LIMIT 100) t) END)
            ORDER BY x.id)
        FROM subnet x JOIN wire xw ON xw.id = x.wire_id WHERE x.id = ANY (p.subnets)), '[]') AS subnets,
    CASE WHEN p.reason = 'no_link' THEN coalesce((
        -- The tied ones: a wire with less support is none of them.
        SELECT json_agg(best.name ORDER BY best.name)
        FROM (SELECT cw.name FROM link_support ls JOIN wire cw ON cw.id = ls.wire_id
            WHERE ls.account_id = p.account_id AND ls.switch_id = pg.switch_id AND ls.host_id = '' AND NOT ls.excluded
                AND ls.strong + ls.weak > 0
            ORDER BY ls.strong DESC, ls.weak DESC FETCH FIRST 1 ROW WITH TIES) best), '[]')
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
        WHERE a.subnet_id = p.subnet_id AND a.ip = p.ip) END AS holder,
    -- What to call the switch, so that it and no other of its account is found.
    CASE WHEN s.name = '' OR s.name LIKE '-%' OR EXISTS (
            SELECT FROM switch o WHERE o.account_id = s.account_id AND o.id <> s.id AND (o.name = s.name OR o.id = s.name)
                AND (k.host IS NULL OR EXISTS (SELECT FROM switch_host m WHERE m.account_id = o.account_id
                    AND m.switch_id = o.id AND m.host_id = t.host_id)))
        THEN s.id ELSE s.name END AS switch_call,
    -- The host to pin a distributed switch for where the rest of it is to stay.
    CASE WHEN k.host IS NULL AND s.kind = 'distributed' THEN k.name END AS pin_host,
    -- How many others are placed by the same link, and how many of them through the same host, that a change of it would
    -- concern: of its native VLAN only the untagged ones.
    (SELECT coalesce(sum(CASE p.reason WHEN 'vlan_mismatch' THEN u.untagged ELSE u.placed END), 0)::bigint FROM used u
        WHERE p.reason IN ('vlan_mismatch', 'other_wire') AND u.account_id = p.account_id AND u.switch_id = s.id
            AND CASE WHEN k.is_pinned THEN u.host_id = t.host_id ELSE NOT u.pinned END) AS link_others,
    (SELECT coalesce(sum(CASE p.reason WHEN 'vlan_mismatch' THEN u.untagged ELSE u.placed END), 0)::bigint FROM used u
        WHERE p.reason IN ('vlan_mismatch', 'other_wire') AND u.account_id = p.account_id AND u.switch_id = s.id
            AND u.host_id = t.host_id) AS host_others,
    CASE WHEN p.reason = 'no_subnet' THEN (
        SELECT proposed_subnet(p.ip, r.prefix_length, t.wire_id, t.vlan_mode, t.vlan_id, t.vlan_ranges, t.native_vlan)
        FROM nic_address r WHERE (r.account_id, r.owner, r.owner_id, r.device, r.ip)
            = (p.account_id, p.owner, p.owner_id, p.device, p.ip)) END AS creation
FROM placement p
JOIN nic n USING (account_id, owner, owner_id, device)
JOIN nic_attachment t USING (account_id, owner, owner_id, device)
LEFT JOIN portgroup pg ON pg.account_id = p.account_id AND pg.id = n.portgroup_id
LEFT JOIN switch s ON s.account_id = p.account_id AND s.id = pg.switch_id
LEFT JOIN host h ON h.account_id = p.account_id AND h.id = t.host_id
LEFT JOIN wire w ON w.id = t.wire_id
-- The host that the adapter's link is for: of a standard switch, and where it is pinned.
LEFT JOIN LATERAL (
    SELECT c.name, l.is_pinned, CASE WHEN s.kind = 'standard' OR l.is_pinned THEN c.name END AS host
    FROM (SELECT CASE WHEN h.name LIKE '-%' OR EXISTS (SELECT FROM host o WHERE o.account_id = h.account_id
            AND o.name = h.name AND o.id <> h.id) THEN h.id ELSE h.name END AS name) c,
        (SELECT EXISTS (SELECT FROM link l WHERE l.account_id = p.account_id AND l.switch_id = s.id
            AND l.host_id = t.host_id AND l.host_id <> '') AS is_pinned) l
) k ON true
LEFT JOIN LATERAL (
    SELECT v.name FROM vm v WHERE p.owner = 'vm' AND v.account_id = p.account_id AND v.id = p.owner_id
    UNION ALL
    SELECT x.name FROM host x WHERE p.owner = 'host' AND x.account_id = p.account_id AND x.id = p.owner_id
) o ON true
WHERE p.reason IS NOT NULL;

-- How many of a pool's addresses are what, each counted once: held, else reserved, else quarantined, else free, that is
-- obtainable now. The rest is the gateway, and what adapters without a place report.
CREATE VIEW pool_usage AS
SELECT p.id AS pool_id, p.subnet_id, p.size, c.held, c.reserved, c.quarantined, f.free
FROM pool p
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM address d
            WHERE d.subnet_id = p.subnet_id AND d.state = 'held' AND d.ip BETWEEN p.first AND p.last) AS held,
        (SELECT coalesce(sum(inet_count(greatest(r.first, p.first), least(r.last, p.last)) - (
                SELECT count(*) FROM address d WHERE d.subnet_id = p.subnet_id AND d.state = 'held'
                    AND d.ip BETWEEN greatest(r.first, p.first) AND least(r.last, p.last))), 0)
            FROM reservation r
            WHERE r.subnet_id = p.subnet_id AND (r.expires_at IS NULL OR r.expires_at > now())
                AND r.first <= p.last AND r.last >= p.first) AS reserved,
        (SELECT count(*) FROM address d
            WHERE d.subnet_id = p.subnet_id AND d.state = 'quarantined' AND d.until > now()
                AND d.ip BETWEEN p.first AND p.last
                AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = p.subnet_id
                    AND d.ip BETWEEN r.first AND r.last AND (r.expires_at IS NULL OR r.expires_at > now())))
            AS quarantined
) c
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM address d WHERE d.pool_id = p.id AND d.state = 'free')
        + (SELECT count(*) FROM address d WHERE d.pool_id = p.id AND d.state = 'quarantined' AND d.until <= now()
            AND is_free_row(d.subnet_id, d.pool_id, d.ip))
        + (SELECT coalesce(sum(inet_count(e.first, e.last) - (
                SELECT count(*) FROM address d WHERE d.subnet_id = p.subnet_id AND d.ip BETWEEN e.first AND e.last
                    AND (d.state = 'held' OR d.until > now()))), 0)
            FROM extent e WHERE e.pool_id = p.id)
        - (SELECT count(DISTINCT n.ip) FROM placement n
            WHERE n.reason IS NOT NULL AND n.ip BETWEEN p.first AND p.last
                AND NOT EXISTS (SELECT FROM address d WHERE d.subnet_id = p.subnet_id AND d.ip = n.ip
                    AND (d.state = 'held' OR d.until > now()))
                AND (is_free_row(p.subnet_id, p.id, n.ip) OR EXISTS (
                    SELECT FROM extent e WHERE e.pool_id = p.id AND n.ip BETWEEN e.first AND e.last))) AS free
) f;

-- Rejections are a person's word like others; their wires may be gone when they go.
CREATE FUNCTION record_rejection() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    it jsonb := CASE TG_OP WHEN 'INSERT' THEN to_jsonb(NEW) ELSE to_jsonb(OLD) END;
BEGIN
    IF acting() = 'sync' THEN
        RETURN NULL;
    END IF;
    INSERT INTO audit (actor, origin, action, kind, name, before, after)
    SELECT acting(), nullif(current_setting('wireloom.origin', true), ''),
        CASE TG_OP WHEN 'INSERT' THEN 'create' ELSE 'delete' END, 'rejection',
        string_agg(coalesce(w.name, t.id::text), ' and ' ORDER BY t.id),
        CASE TG_OP WHEN 'DELETE' THEN it END, CASE TG_OP WHEN 'INSERT' THEN it END
    FROM (VALUES ((it ->> 'first_wire')::bigint), ((it ->> 'second_wire')::bigint)) t (id)
    LEFT JOIN wire w ON w.id = t.id;
    RETURN NULL;
END $$;
CREATE TRIGGER audited AFTER INSERT OR DELETE ON wire_rejection FOR EACH ROW EXECUTE FUNCTION record_rejection();
