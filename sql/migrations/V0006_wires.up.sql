-- What was done to whole wires, as it was before and after, so that it can be undone; what a person said of proposals;
-- what hosts saw of the physical network.

-- One row a merge or the undoing of one. The images are rows as JSON, by the names of their tables.
CREATE TABLE wire_journal (
    id        bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor     text        NOT NULL DEFAULT acting(),
    origin    text        DEFAULT nullif(current_setting('wireloom.origin', true), ''),
    action    text        NOT NULL CONSTRAINT wire_journal_action_known CHECK (action IN ('merge', 'undo')),
    summary   text        NOT NULL,
    -- The wires it was about, and the subnets that became one or took another in.
    wires     bigint[]    NOT NULL,
    united    bigint[]    NOT NULL DEFAULT '{}',
    before    jsonb,
    after     jsonb,
    -- The addresses that changed outside of the united subnets: [{before, after}].
    elsewhere jsonb       NOT NULL DEFAULT '[]',
    undoes    bigint      CONSTRAINT wire_journal_undone_once UNIQUE REFERENCES wire_journal,
    CONSTRAINT wire_journal_undo_names_it CHECK ((action = 'undo') = (undoes IS NOT NULL)),
    CONSTRAINT wire_journal_has_images CHECK (action = 'undo' OR num_nulls(before, after) = 0)
);

-- Two wires that a person said are not one. The lower id comes first.
CREATE TABLE wire_rejection (
    first_wire  bigint      NOT NULL REFERENCES wire ON DELETE CASCADE,
    second_wire bigint      NOT NULL REFERENCES wire ON DELETE CASCADE,
    actor       text        NOT NULL DEFAULT acting(),
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (first_wire, second_wire),
    CONSTRAINT wire_rejection_ordered CHECK (first_wire < second_wire)
);
CREATE INDEX wire_rejection_second ON wire_rejection (second_wire);

-- What tells a row from the others of its table, in an image.
CREATE FUNCTION image_key(kind text, image jsonb) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE kind
        WHEN 'link' THEN jsonb_build_array(image -> 'account_id', image -> 'switch_id', image -> 'host_id')::text
        WHEN 'address' THEN jsonb_build_array(image -> 'subnet_id', image -> 'ip')::text
        ELSE image ->> 'id'
    END
$$;

-- Whether a row is as its image has it; columns that came later do not count.
CREATE FUNCTION same_row(image jsonb, present jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT present IS NOT NULL
        AND NOT EXISTS (SELECT FROM jsonb_each(image) e WHERE present -> e.key IS DISTINCT FROM e.value)
$$;

-- The rows of a kind that a journal's entry has images of.
CREATE FUNCTION journal_images(entry bigint, kind text)
RETURNS TABLE (key text, before jsonb, after jsonb) LANGUAGE sql STABLE AS $$
    SELECT coalesce(b.key, a.key), b.image, a.image
    FROM (SELECT image_key(kind, x) AS key, x AS image FROM wire_journal j, jsonb_array_elements(j.before -> kind) x
          WHERE j.id = entry) b
    FULL JOIN (SELECT image_key(kind, x) AS key, x AS image FROM wire_journal j, jsonb_array_elements(j.after -> kind) x
          WHERE j.id = entry) a ON a.key = b.key
$$;

-- Writes rows from their images; columns that came later get their defaults.
CREATE FUNCTION restore_rows(target regclass, images jsonb) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    columns text;
    written bigint;
BEGIN
    SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
    FROM pg_attribute a
    WHERE a.attrelid = target AND a.attnum > 0 AND NOT a.attisdropped AND (images -> 0) ? a.attname;
    IF columns IS NULL THEN
        RETURN 0;
    END IF;
    EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM jsonb_populate_recordset(NULL::%s, $1)',
        target, columns, columns, target) USING images;
    GET DIAGNOSTICS written = ROW_COUNT;
    RETURN written;
END $$;

-- What hosts saw on their physical adapters: the switch and port by CDP or LLDP, and prefixes with their VLANs.
ALTER TABLE account ADD COLUMN network_hints boolean NOT NULL DEFAULT true;

CREATE TABLE hint_reading (
    account_id bigint      PRIMARY KEY REFERENCES account ON DELETE CASCADE,
    at         timestamptz NOT NULL
);

CREATE TABLE physical_neighbour (
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    host_id    text   NOT NULL,
    device     text   NOT NULL,
    protocol   text   NOT NULL CONSTRAINT physical_neighbour_protocol_known CHECK (protocol IN ('cdp', 'lldp')),
    switch     text   NOT NULL,
    port       text,
    PRIMARY KEY (account_id, host_id, device, protocol)
);

CREATE TABLE observed_network (
    account_id bigint NOT NULL REFERENCES account ON DELETE CASCADE,
    host_id    text   NOT NULL,
    device     text   NOT NULL,
    vlan_id    int    NOT NULL,
    network    cidr   NOT NULL,
    PRIMARY KEY (account_id, host_id, device, vlan_id, network)
);
