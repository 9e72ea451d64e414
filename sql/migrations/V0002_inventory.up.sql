-- Accounts and what was last seen on them. Every key of inventory starts with the account, because managed-object ids
-- are only unique within one endpoint, and so that these tables can be partitioned by it.

CREATE TABLE account (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text        NOT NULL CONSTRAINT account_name_unique UNIQUE,
    url           text        NOT NULL,
    username      text        NOT NULL,
    -- AES-256-GCM: nonce, ciphertext and tag in one; the account's name is authenticated with it.
    secret        bytea       NOT NULL,
    secret_key_id text        NOT NULL,
    trust         text        NOT NULL,
    trust_value   text,                       -- PEM text or SHA-256 thumbprint
    kind          text        NOT NULL,
    identity      text        NOT NULL,       -- about.instanceUuid or the ESXi host's hardware UUID, lower case
    site          text,
    enabled       boolean     NOT NULL DEFAULT true,
    every         interval    NOT NULL DEFAULT '10 minutes',
    grace         interval    NOT NULL DEFAULT '1 hour',
    ignored       cidr[]      NOT NULL DEFAULT '{}',
    created_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT account_identity_unique UNIQUE (identity),
    CONSTRAINT account_kind_known CHECK (kind IN ('vcenter', 'esxi')),
    CONSTRAINT account_trust_known CHECK (trust IN ('system', 'ca', 'thumbprint', 'insecure')),
    CONSTRAINT account_trust_has_value CHECK ((trust IN ('ca', 'thumbprint')) = (trust_value IS NOT NULL)),
    CONSTRAINT account_identity_lower CHECK (identity = lower(identity) AND identity <> ''),
    CONSTRAINT account_intervals_positive CHECK (every > interval '0' AND grace >= interval '0')
);

CREATE TABLE host (
    account_id        bigint  NOT NULL REFERENCES account ON DELETE CASCADE,
    id                text    NOT NULL,        -- HostSystem managed-object id
    name              text    NOT NULL,
    uuid              text,
    datacenter        text,
    cluster           text,
    connection_state  text,
    maintenance       boolean,
    version           text,
    managed_by        text,                    -- summary.managementServerIp
    gateways          inet[]  NOT NULL DEFAULT '{}',
    missing_since     timestamptz,
    missing_syncs     int     NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, id)
);

CREATE TABLE pnic (
    account_id  bigint NOT NULL,
    host_id     text   NOT NULL,
    device      text   NOT NULL,
    mac         macaddr,
    speed_mb    int,
    PRIMARY KEY (account_id, host_id, device),
    FOREIGN KEY (account_id, host_id) REFERENCES host ON DELETE CASCADE
);

CREATE TABLE switch (
    account_id  bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    id          text   NOT NULL,               -- a DVS's managed-object id, or host id/vSwitch name
    kind        text   NOT NULL CONSTRAINT switch_kind_known CHECK (kind IN ('standard', 'distributed')),
    name        text   NOT NULL,
    uuid        text,                          -- hexadecimal digits only
    host_id     text,
    datacenter  text,
    PRIMARY KEY (account_id, id),
    CONSTRAINT switch_standard_has_host CHECK ((kind = 'standard') = (host_id IS NOT NULL))
);

CREATE TABLE switch_host (
    account_id  bigint NOT NULL,
    switch_id   text   NOT NULL,
    host_id     text   NOT NULL,
    uplinks     text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (account_id, switch_id, host_id),
    FOREIGN KEY (account_id, switch_id) REFERENCES switch ON DELETE CASCADE
);

CREATE TABLE portgroup (
    account_id  bigint NOT NULL,
    id          text   NOT NULL,               -- port-group key, or host id/name
    switch_id   text   NOT NULL,
    host_id     text,
    name        text   NOT NULL,
    kind        text   NOT NULL,
    vlan_mode   text   NOT NULL,
    vlan_id     int,                           -- access: 0...4094; private: the primary id
    vlan_ranges int4multirange,                -- trunk
    uplink      boolean NOT NULL DEFAULT false,
    PRIMARY KEY (account_id, id),
    FOREIGN KEY (account_id, switch_id) REFERENCES switch ON DELETE CASCADE,
    CONSTRAINT portgroup_vlan_mode_known CHECK (vlan_mode IN ('access', 'trunk', 'private', 'none')),
    CONSTRAINT portgroup_vlan_fits CHECK (
        (vlan_mode IN ('access', 'private')) = (vlan_id IS NOT NULL)
        AND (vlan_mode = 'trunk') = (vlan_ranges IS NOT NULL))
);
CREATE INDEX portgroup_switch ON portgroup (account_id, switch_id);

CREATE TABLE vm (
    account_id    bigint  NOT NULL REFERENCES account ON DELETE CASCADE,
    id            text    NOT NULL,
    name          text    NOT NULL,
    instance_uuid text,
    bios_uuid     text,
    host_id       text,
    power_state   text,
    template      boolean NOT NULL DEFAULT false,
    tools         text,
    hostname      text,
    managed_by    text,
    -- The unplaced addresses of its adapters, sorted; NULL when none is left.
    sync_ips      text,
    missing_since timestamptz,
    missing_syncs int     NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, id),
    CONSTRAINT vm_sync_ips_not_empty CHECK (sync_ips <> '')
);
CREATE INDEX vm_name ON vm (name);
CREATE INDEX vm_instance_uuid ON vm (instance_uuid);

-- A VM's network adapter (owner 'vm', device = its device key) or a host's VMkernel adapter (owner 'host', vmk0).
CREATE TABLE nic (
    account_id    bigint  NOT NULL REFERENCES account ON DELETE CASCADE,
    owner         text    NOT NULL CONSTRAINT nic_owner_known CHECK (owner IN ('vm', 'host')),
    owner_id      text    NOT NULL,
    device        text    NOT NULL,
    label         text,
    mac           macaddr,
    connected     boolean,
    network_kind  text    NOT NULL,
    network_name  text,
    portgroup_id  text,
    services      text[]  NOT NULL DEFAULT '{}',
    netstack      text,
    management    boolean NOT NULL DEFAULT false,
    missing_since timestamptz,
    missing_syncs int     NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, owner, owner_id, device),
    CONSTRAINT nic_network_kind_known CHECK (network_kind IN ('standard', 'distributed', 'opaque', 'none'))
);
CREATE INDEX nic_mac ON nic (mac);

-- What an adapter reports, or last reported: absence of evidence removes no row.
CREATE TABLE nic_address (
    account_id    bigint  NOT NULL,
    owner         text    NOT NULL,
    owner_id      text    NOT NULL,
    device        text    NOT NULL,
    ip            inet    NOT NULL,
    prefix_length int,
    live          boolean NOT NULL,
    live_since    timestamptz,
    -- Successive readings in which the live adapter reported others of the family and not this one.
    missed        int     NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, owner, owner_id, device, ip),
    FOREIGN KEY (account_id, owner, owner_id, device) REFERENCES nic ON DELETE CASCADE,
    CONSTRAINT nic_address_is_host CHECK (masklen(ip) = CASE family(ip) WHEN 4 THEN 32 ELSE 128 END)
);
CREATE INDEX nic_address_ip ON nic_address USING gist (ip inet_ops);
