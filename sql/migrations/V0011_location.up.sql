-- Where addresses lie is checked for many at once: a pool is extended by hundreds of rows, each of which had two queries.
-- Whoever names the pool of a new row must name the right one; whoever does not is given it, as before.

DROP TRIGGER address_location ON address;
CREATE TRIGGER address_location BEFORE UPDATE OF subnet_id, ip, pool_id ON address
    FOR EACH ROW EXECUTE FUNCTION locate_address();
CREATE TRIGGER address_location_found BEFORE INSERT ON address
    FOR EACH ROW WHEN (NEW.pool_id IS NULL) EXECUTE FUNCTION locate_address();

CREATE FUNCTION check_locations() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    stray inet;
BEGIN
    SELECT i.ip INTO stray
    FROM inserted i
    WHERE i.pool_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM pool p JOIN subnet s ON s.id = p.subnet_id
        WHERE p.id = i.pool_id AND p.subnet_id = i.subnet_id AND i.ip BETWEEN p.first AND p.last AND s.cidr::inet >>= i.ip)
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'address % is not in the pool it names', stray
            USING ERRCODE = 'check_violation', CONSTRAINT = 'address_in_pool';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER address_location_named AFTER INSERT ON address REFERENCING NEW TABLE AS inserted
    FOR EACH STATEMENT EXECUTE FUNCTION check_locations();
