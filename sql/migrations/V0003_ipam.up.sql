-- Wires and subnets, shared by all accounts, the links of switches to wires, and who holds which address.

CREATE EXTENSION IF NOT EXISTS btree_gist;

CREATE TABLE wire (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT wire_name_unique UNIQUE,
    site       text,
    origin     text        NOT NULL CONSTRAINT wire_origin_known CHECK (origin IN ('person', 'automatic')),
    -- A person changed it or something on it: no sync recomputes or removes it any more.
    touched    boolean     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT wire_of_person_touched CHECK (origin <> 'person' OR touched)
);

CREATE TABLE subnet (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        NOT NULL CONSTRAINT subnet_name_unique UNIQUE,
    wire_id    bigint      NOT NULL REFERENCES wire ON DELETE CASCADE,
    cidr       cidr        NOT NULL,
    vlan_id    int         NOT NULL CONSTRAINT subnet_vlan_range CHECK (vlan_id BETWEEN 1 AND 4094),
    gateway    inet        CONSTRAINT subnet_gateway_inside CHECK (gateway << cidr),
    dns        inet[]      NOT NULL DEFAULT '{}',
    confirmed  boolean     NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT subnet_not_everything CHECK (masklen(cidr) > 0),
    -- Overlap is refused here, not in the code that creates: every writer must obey it, psql included (I2).
    CONSTRAINT subnet_disjoint
        EXCLUDE USING gist (wire_id WITH =, vlan_id WITH =, (cidr::inet) inet_ops WITH &&)
);
CREATE INDEX subnet_containing ON subnet USING gist (wire_id, (cidr::inet) inet_ops);

CREATE TABLE pool (
    id         bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subnet_id  bigint   NOT NULL REFERENCES subnet ON DELETE CASCADE,
    first      inet     NOT NULL,
    last       inet     NOT NULL,
    size       numeric(40) NOT NULL CONSTRAINT pool_not_empty CHECK (size > 0),
    quarantine interval NOT NULL DEFAULT '1 hour',
    CONSTRAINT pool_rises CHECK (first <= last AND family(first) = family(last)),
    CONSTRAINT pool_unique UNIQUE (subnet_id, first)
);

-- A switch is on a wire; with a host, only its part on that host (a pin). No key to the switch: what a person said
-- of a switch outlives a reading in which it was not there.
CREATE TABLE link (
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    switch_id   text   NOT NULL,
    host_id     text   NOT NULL DEFAULT '',
    wire_id     bigint NOT NULL REFERENCES wire ON DELETE CASCADE,
    native_vlan int    NOT NULL DEFAULT 1 CONSTRAINT link_native_vlan_range CHECK (native_vlan BETWEEN 1 AND 4094),
    origin      text   NOT NULL CONSTRAINT link_origin_known CHECK (origin IN ('person', 'automatic')),
    PRIMARY KEY (account_id, switch_id, host_id),
    CONSTRAINT link_pin_of_person CHECK (host_id = '' OR origin = 'person')
);
CREATE INDEX link_wire ON link (wire_id);

-- The evidence of the last sync for each switch and wire, as it was weighed.
CREATE TABLE link_support (
    account_id bigint  NOT NULL REFERENCES account ON DELETE CASCADE,
    switch_id  text    NOT NULL,
    host_id    text    NOT NULL DEFAULT '',
    wire_id    bigint  NOT NULL REFERENCES wire ON DELETE CASCADE,
    strong     int     NOT NULL,
    weak       int     NOT NULL,
    excluded   boolean NOT NULL,
    PRIMARY KEY (account_id, switch_id, host_id, wire_id)
);

-- One row an address that is more than nothing; the key is invariant I1.
CREATE TABLE address (
    subnet_id  bigint      NOT NULL REFERENCES subnet ON DELETE CASCADE,
    ip         inet        NOT NULL,
    state      text        NOT NULL CONSTRAINT address_state_known CHECK (state IN ('held', 'quarantined')),
    since      timestamptz NOT NULL DEFAULT now(),
    until      timestamptz,
    account_id bigint,
    owner      text,
    owner_id   text,
    device     text,
    CONSTRAINT address_held_once PRIMARY KEY (subnet_id, ip),
    CONSTRAINT address_held_by_nic CHECK (
        (state = 'held') = (account_id IS NOT NULL AND owner IS NOT NULL AND owner_id IS NOT NULL AND device IS NOT NULL)),
    CONSTRAINT address_quarantine_ends CHECK ((state = 'quarantined') = (until IS NOT NULL)),
    CONSTRAINT address_is_host CHECK (masklen(ip) = CASE family(ip) WHEN 4 THEN 32 ELSE 128 END),
    FOREIGN KEY (account_id, owner, owner_id, device) REFERENCES nic (account_id, owner, owner_id, device)
);
CREATE INDEX address_holder ON address (account_id, owner, owner_id, device) WHERE state = 'held';
CREATE INDEX address_ip ON address (ip);
CREATE INDEX address_quarantine ON address (until) WHERE state = 'quarantined';

-- Where an adapter's address belongs, or why nowhere. A row held_by_other keeps the subnet it claims.
CREATE TABLE placement (
    account_id bigint NOT NULL,
    owner      text   NOT NULL,
    owner_id   text   NOT NULL,
    device     text   NOT NULL,
    ip         inet   NOT NULL,
    subnet_id  bigint REFERENCES subnet ON DELETE CASCADE,
    reason     text,
    -- The subnets that the reason is about, at most three.
    subnets    bigint[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (account_id, owner, owner_id, device, ip),
    FOREIGN KEY (account_id, owner, owner_id, device, ip) REFERENCES nic_address ON DELETE CASCADE,
    CONSTRAINT placement_reason_known CHECK (reason IN
        ('unmapped', 'no_link', 'ambiguous', 'held_by_other', 'vlan_mismatch', 'other_wire', 'no_subnet')),
    CONSTRAINT placement_subnet_or_reason
        CHECK ((subnet_id IS NOT NULL) = (reason IS NULL OR reason = 'held_by_other'))
);
CREATE INDEX placement_claim ON placement (subnet_id, ip) WHERE subnet_id IS NOT NULL;

-- The VLAN rule of matching a port group to a subnet.
CREATE FUNCTION vlan_matches(mode text, id int, ranges int4multirange, native int, subnet_vlan int)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE mode
        WHEN 'access' THEN subnet_vlan = CASE id WHEN 0 THEN native ELSE id END
        WHEN 'private' THEN subnet_vlan = id
        WHEN 'trunk' THEN ranges @> subnet_vlan
        ELSE false
    END
$$;

-- Each adapter with its host, port group, switch, and the wire its switch is on: a pin for the host before the
-- switch's own link.
CREATE VIEW nic_attachment AS
SELECT n.account_id, n.owner, n.owner_id, n.device, n.mac, h.host_id,
       p.id AS portgroup_id, p.switch_id, p.vlan_mode, p.vlan_id, p.vlan_ranges,
       coalesce(pin.wire_id, own.wire_id) AS wire_id,
       coalesce(pin.native_vlan, own.native_vlan, 1) AS native_vlan
FROM nic n
LEFT JOIN vm ON n.owner = 'vm' AND vm.account_id = n.account_id AND vm.id = n.owner_id
CROSS JOIN LATERAL (SELECT CASE n.owner WHEN 'host' THEN n.owner_id ELSE vm.host_id END AS host_id) h
LEFT JOIN portgroup p ON p.account_id = n.account_id AND p.id = n.portgroup_id
LEFT JOIN link pin ON pin.account_id = n.account_id AND pin.switch_id = p.switch_id
    AND pin.host_id = h.host_id AND pin.host_id <> ''
LEFT JOIN link own ON own.account_id = n.account_id AND own.switch_id = p.switch_id AND own.host_id = '';

-- Adapters that are gone for good: they, or what they are in, were missing in two complete readings and for the grace.
CREATE VIEW vanished AS
SELECT n.account_id, n.owner, n.owner_id, n.device
FROM nic n
JOIN account c ON c.id = n.account_id
LEFT JOIN vm v ON n.owner = 'vm' AND v.account_id = n.account_id AND v.id = n.owner_id
LEFT JOIN host h ON n.owner = 'host' AND h.account_id = n.account_id AND h.id = n.owner_id
WHERE (n.missing_syncs >= 2 AND n.missing_since <= now() - c.grace)
    OR (v.missing_syncs >= 2 AND v.missing_since <= now() - c.grace)
    OR (h.missing_syncs >= 2 AND h.missing_since <= now() - c.grace);

-- Every address without a placement, with the facts that its sentence and its fix are made of.
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
