-- Pools that addresses are allocated from, who was given which, and what became of every address since.

CREATE TYPE inetrange AS RANGE (subtype = inet);

-- An address as a number: differences of IPv6 addresses do not fit a bigint.
CREATE FUNCTION inet_number(ip inet) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT sum(get_byte(b, i) * power(256::numeric, length(b) - 1 - i))
    FROM (SELECT substring(inet_send(ip) FROM 5) AS b) t, generate_series(0, length(b) - 1) i
$$;

CREATE FUNCTION inet_count(first inet, last inet) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT trunc(inet_number(last) - inet_number(first)) + 1
$$;

ALTER TABLE subnet
    ADD COLUMN dns_suffix text,
    ADD COLUMN description text;

ALTER TABLE pool
    DROP CONSTRAINT pool_unique,
    ADD COLUMN role text NOT NULL DEFAULT 'guest' CONSTRAINT pool_role_known CHECK (role IN ('guest', 'host')),
    ADD COLUMN policy text NOT NULL DEFAULT 'step-up'
        CONSTRAINT pool_policy_known CHECK (policy IN ('step-up', 'step-down', 'random')),
    ADD CONSTRAINT pool_quarantine_not_negative CHECK (quarantine >= interval '0'),
    ADD CONSTRAINT pool_disjoint EXCLUDE USING gist (subnet_id WITH =, inetrange(first, last, '[]') WITH &&);

-- The parts of a pool that nothing was allocated from yet: their ends are the pool's frontiers. An address of a pool
-- that may be allocated is either in one of these, where only what is not free has a row, or has a row (I10).
CREATE TABLE extent (
    pool_id bigint      NOT NULL REFERENCES pool ON DELETE CASCADE,
    first   inet        NOT NULL,
    last    inet        NOT NULL,
    PRIMARY KEY (pool_id, first),
    CONSTRAINT extent_rises CHECK (first <= last AND family(first) = family(last)),
    CONSTRAINT extent_disjoint EXCLUDE USING gist (pool_id WITH =, inetrange(first, last, '[]') WITH &&)
        DEFERRABLE INITIALLY DEFERRED
);

INSERT INTO extent (pool_id, first, last)
SELECT p.id, r.first, r.last FROM pool p JOIN subnet s ON s.id = p.subnet_id
CROSS JOIN LATERAL (
    SELECT p.first, p.last WHERE s.gateway IS NULL OR NOT s.gateway BETWEEN p.first AND p.last
    UNION ALL SELECT p.first, s.gateway - 1 WHERE s.gateway > p.first AND s.gateway <= p.last
    UNION ALL SELECT s.gateway + 1, p.last WHERE s.gateway >= p.first AND s.gateway < p.last
) r;

-- Addresses that only their owner may be given, by name; also outside every pool.
CREATE TABLE reservation (
    id         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subnet_id  bigint      NOT NULL REFERENCES subnet ON DELETE CASCADE,
    first      inet        NOT NULL,
    last       inet        NOT NULL,
    owner      text        NOT NULL,
    note       text,
    expires_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reservation_rises CHECK (first <= last AND family(first) = family(last)),
    CONSTRAINT reservation_disjoint EXCLUDE USING gist (subnet_id WITH =, inetrange(first, last, '[]') WITH &&)
);
CREATE INDEX reservation_expiry ON reservation (expires_at) WHERE expires_at IS NOT NULL;

-- What was answered to a caller's key; the addresses lose their row here only when the key is forgotten.
CREATE TABLE allocation_key (
    id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    caller      text        NOT NULL,
    key         text        NOT NULL,
    request     jsonb       NOT NULL,
    subnet_id   bigint      NOT NULL,
    ips         inet[]      NOT NULL DEFAULT '{}',
    created_at  timestamptz NOT NULL DEFAULT now(),
    released_at timestamptz,
    CONSTRAINT allocation_key_unique UNIQUE (caller, key)
);

ALTER TABLE address
    DROP CONSTRAINT address_state_known,
    DROP CONSTRAINT address_held_by_nic,
    -- Checked at the end: a pool goes before its rows find that they are in none.
    ADD COLUMN pool_id bigint REFERENCES pool DEFERRABLE INITIALLY DEFERRED,
    ADD COLUMN allocated_to text,
    ADD COLUMN allocated_at timestamptz,
    ADD COLUMN allocated_until timestamptz,
    ADD COLUMN key_id bigint REFERENCES allocation_key,
    ADD CONSTRAINT address_state_known CHECK (state IN ('free', 'held', 'quarantined')),
    ADD CONSTRAINT address_nic_whole CHECK (num_nulls(account_id, owner, owner_id, device) IN (0, 4)),
    ADD CONSTRAINT address_held_by_someone
        CHECK ((state = 'held') = (account_id IS NOT NULL OR allocated_to IS NOT NULL)),
    ADD CONSTRAINT address_allocation_whole CHECK ((allocated_to IS NULL) = (allocated_at IS NULL)
        AND (allocated_to IS NOT NULL OR (allocated_until IS NULL AND key_id IS NULL))),
    ADD CONSTRAINT address_free_in_pool CHECK (state <> 'free' OR pool_id IS NOT NULL);

-- An address is always looked for in a subnet; each index more is paid for by every allocation.
DROP INDEX address_ip;
DROP INDEX address_holder;
CREATE INDEX address_holder ON address (account_id, owner, owner_id, device) WHERE account_id IS NOT NULL;
CREATE INDEX address_free ON address (pool_id, ip) WHERE state = 'free';
CREATE INDEX address_pool_quarantine ON address (pool_id, until) WHERE state = 'quarantined';
CREATE INDEX address_expiry ON address (allocated_until) WHERE allocated_until IS NOT NULL;
CREATE INDEX address_key ON address (key_id) WHERE key_id IS NOT NULL;
CREATE INDEX placement_unplaced_ip ON placement (ip) WHERE reason IS NOT NULL;

-- Whether an address that nobody has keeps a row, free: only outside of the extents, and where it may be allocated.
CREATE FUNCTION is_free_row(subnet bigint, pool bigint, address inet) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT pool IS NOT NULL
        AND NOT EXISTS (SELECT FROM extent e WHERE e.pool_id = pool AND address BETWEEN e.first AND e.last)
        AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = subnet AND address BETWEEN r.first AND r.last)
        AND NOT EXISTS (SELECT FROM subnet s WHERE s.id = subnet AND s.gateway = address)
$$;

-- An address lies in its subnet's prefix, and its pool is the one that contains it, whoever writes it (I10).
CREATE FUNCTION locate_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM subnet s WHERE s.id = NEW.subnet_id AND s.cidr::inet >>= NEW.ip) THEN
        RAISE EXCEPTION 'address % is not in its subnet', NEW.ip
            USING ERRCODE = 'check_violation', CONSTRAINT = 'address_in_subnet';
    END IF;
    NEW.pool_id := (SELECT p.id FROM pool p
        WHERE p.subnet_id = NEW.subnet_id AND NEW.ip BETWEEN p.first AND p.last);
    RETURN NEW;
END $$;
CREATE TRIGGER address_location BEFORE INSERT OR UPDATE OF subnet_id, ip, pool_id ON address
    FOR EACH ROW EXECUTE FUNCTION locate_address();
UPDATE address SET pool_id = NULL;

CREATE FUNCTION keep_addresses_inside() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM address a WHERE a.subnet_id = NEW.id AND NOT a.ip <<= NEW.cidr::inet) THEN
        RAISE EXCEPTION 'subnet % has addresses outside of %', NEW.name, NEW.cidr
            USING ERRCODE = 'check_violation', CONSTRAINT = 'address_in_subnet';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER subnet_addresses_inside AFTER UPDATE OF cidr ON subnet
    FOR EACH ROW EXECUTE FUNCTION keep_addresses_inside();

-- How many of a subnet's usable addresses are what, each counted once: held, else reserved, else quarantined, else free
-- (in a pool and obtainable now; obtainable: in one for guests), else outside.
CREATE VIEW subnet_usage AS
SELECT s.id AS subnet_id, u.total, c.held, c.reserved, c.quarantined, f.free,
    u.total - c.held - c.reserved - c.quarantined - f.free AS outside, f.obtainable
FROM subnet s
CROSS JOIN LATERAL (
    SELECT r.first, r.last, inet_count(r.first, r.last) AS total
    FROM (SELECT CASE family(s.cidr) WHEN 4 THEN 32 ELSE 128 END - masklen(s.cidr) AS host_bits) b
    CROSS JOIN LATERAL (
        SELECT host(network(s.cidr))::inet + CASE WHEN b.host_bits > 1 THEN 1 ELSE 0 END AS first,
            host(broadcast(s.cidr))::inet - CASE WHEN b.host_bits > 1 AND family(s.cidr) = 4 THEN 1 ELSE 0 END AS last
    ) r
) u
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM address d WHERE d.subnet_id = s.id AND d.state = 'held') AS held,
        (SELECT coalesce(sum(inet_count(greatest(r.first, u.first), least(r.last, u.last)) - (
                SELECT count(*) FROM address d
                WHERE d.subnet_id = s.id AND d.state = 'held' AND d.ip BETWEEN r.first AND r.last)), 0)
            FROM reservation r
            WHERE r.subnet_id = s.id AND (r.expires_at IS NULL OR r.expires_at > now())
                AND r.first <= u.last AND r.last >= u.first) AS reserved,
        (SELECT count(*) FROM address d
            WHERE d.subnet_id = s.id AND d.state = 'quarantined' AND d.until > now()
                AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = s.id AND d.ip BETWEEN r.first AND r.last
                    AND (r.expires_at IS NULL OR r.expires_at > now()))) AS quarantined
) c
CROSS JOIN LATERAL (
    SELECT coalesce(sum(x.free), 0) AS free, coalesce(sum(x.free) FILTER (WHERE p.role = 'guest'), 0) AS obtainable
    FROM pool p
    CROSS JOIN LATERAL (
        SELECT (SELECT count(*) FROM address d WHERE d.pool_id = p.id AND d.state = 'free')
            + (SELECT count(*) FROM address d WHERE d.pool_id = p.id AND d.state = 'quarantined' AND d.until <= now()
                AND is_free_row(d.subnet_id, d.pool_id, d.ip))
            + (SELECT coalesce(sum(inet_count(e.first, e.last) - (
                    SELECT count(*) FROM address d WHERE d.subnet_id = s.id AND d.ip BETWEEN e.first AND e.last
                        AND (d.state = 'held' OR d.until > now()))), 0)
                FROM extent e WHERE e.pool_id = p.id)
            - (SELECT count(DISTINCT n.ip) FROM placement n
                WHERE n.reason IS NOT NULL AND n.ip BETWEEN p.first AND p.last
                    AND NOT EXISTS (SELECT FROM address d WHERE d.subnet_id = s.id AND d.ip = n.ip
                        AND (d.state = 'held' OR d.until > now()))
                    AND (is_free_row(s.id, p.id, n.ip) OR EXISTS (
                        SELECT FROM extent e WHERE e.pool_id = p.id AND n.ip BETWEEN e.first AND e.last))) AS free
    ) x
    WHERE p.subnet_id = s.id
) f;

-- Every change of an address, as it was afterwards, with the names that things had then. No keys to other tables: it
-- outlives them. The last row of a pair tells its state; the last of a transaction is the one that others saw.
CREATE TABLE address_event (
    id              bigint      GENERATED ALWAYS AS IDENTITY,
    at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    transaction     xid8        NOT NULL DEFAULT pg_current_xact_id(),
    subnet_id       bigint      NOT NULL,
    ip              inet        NOT NULL,
    state           text        NOT NULL,
    until           timestamptz,
    account_id      bigint,
    owner           text,
    owner_id        text,
    device          text,
    account         text,
    name            text,
    allocated_to    text,
    allocated_until timestamptz,
    actor           text        NOT NULL,
    origin          text,
    job_id          bigint,
    PRIMARY KEY (ip, subnet_id, id)
);
CREATE INDEX address_event_name ON address_event (name) WHERE name IS NOT NULL;

-- Who a change is by; set for a transaction.
CREATE FUNCTION acting() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('wireloom.actor', true), ''), session_user)
$$;

CREATE FUNCTION record_address() RETURNS trigger LANGUAGE plpgsql AS $$
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
CREATE TRIGGER address_inserted AFTER INSERT ON address FOR EACH ROW WHEN (NEW.state <> 'free')
    EXECUTE FUNCTION record_address();
CREATE TRIGGER address_deleted AFTER DELETE ON address FOR EACH ROW WHEN (OLD.state <> 'free')
    EXECUTE FUNCTION record_address();
CREATE TRIGGER address_updated AFTER UPDATE ON address FOR EACH ROW WHEN (
    (OLD.subnet_id, OLD.ip, OLD.state, OLD.until, OLD.account_id, OLD.owner, OLD.owner_id, OLD.device,
        OLD.allocated_to, OLD.allocated_until)
    IS DISTINCT FROM (NEW.subnet_id, NEW.ip, NEW.state, NEW.until, NEW.account_id, NEW.owner, NEW.owner_id, NEW.device,
        NEW.allocated_to, NEW.allocated_until))
    EXECUTE FUNCTION record_address();

-- Subnets that are no more, for the history of their addresses.
CREATE TABLE subnet_gone (
    id      bigint      PRIMARY KEY,
    name    text        NOT NULL,
    wire    text,
    cidr    cidr        NOT NULL,
    vlan_id int         NOT NULL,
    gone_at timestamptz NOT NULL DEFAULT now()
);
CREATE FUNCTION remember_subnet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO subnet_gone (id, name, wire, cidr, vlan_id)
    VALUES (OLD.id, OLD.name, (SELECT w.name FROM wire w WHERE w.id = OLD.wire_id), OLD.cidr, OLD.vlan_id)
    ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name, wire = EXCLUDED.wire, cidr = EXCLUDED.cidr, gone_at = now();
    RETURN OLD;
END $$;
CREATE TRIGGER subnet_remembered BEFORE DELETE ON subnet FOR EACH ROW EXECUTE FUNCTION remember_subnet();

-- Each change of what people keep, by anybody but a sync: who, from where, what, before and after.
CREATE TABLE audit (
    id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor  text        NOT NULL,
    origin text,
    job_id bigint,
    action text        NOT NULL CONSTRAINT audit_action_known CHECK (action IN ('create', 'update', 'delete')),
    kind   text        NOT NULL,
    name   text,
    before jsonb,
    after  jsonb
);
CREATE INDEX audit_at ON audit (at);

CREATE FUNCTION record_audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old_row jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) - '{secret,secret_key_id}'::text[] END;
    new_row jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) - '{secret,secret_key_id}'::text[] END;
    it jsonb := coalesce(new_row, old_row);
BEGIN
    IF acting() = 'sync' OR (TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW) THEN
        RETURN NULL;
    END IF;
    INSERT INTO audit (actor, origin, job_id, action, kind, name, before, after)
    VALUES (acting(), nullif(current_setting('wireloom.origin', true), ''),
        nullif(current_setting('wireloom.job', true), '')::bigint,
        CASE TG_OP WHEN 'INSERT' THEN 'create' WHEN 'UPDATE' THEN 'update' ELSE 'delete' END, TG_TABLE_NAME,
        coalesce(it ->> 'name', (SELECT s.name FROM subnet s WHERE s.id = (it ->> 'subnet_id')::bigint)
            || coalesce(' ' || (it ->> 'first') || '-' || (it ->> 'last'), ''),
            (SELECT s.name FROM switch s WHERE s.account_id = (it ->> 'account_id')::bigint AND s.id = it ->> 'switch_id'),
            it ->> 'id'),
        old_row, new_row);
    RETURN NULL;
END $$;
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON account FOR EACH ROW EXECUTE FUNCTION record_audit();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON wire FOR EACH ROW EXECUTE FUNCTION record_audit();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON subnet FOR EACH ROW EXECUTE FUNCTION record_audit();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON pool FOR EACH ROW EXECUTE FUNCTION record_audit();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON reservation FOR EACH ROW EXECUTE FUNCTION record_audit();
CREATE TRIGGER audited AFTER INSERT OR UPDATE OR DELETE ON link FOR EACH ROW EXECUTE FUNCTION record_audit();

-- As before, and with allocations among the holders: every address without a placement, with the facts that its sentence and its fix are made of.
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
