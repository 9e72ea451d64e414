DROP TRIGGER address_location_named ON address;
DROP FUNCTION check_locations;
DROP TRIGGER address_location_found ON address;
DROP TRIGGER address_location ON address;
CREATE TRIGGER address_location BEFORE INSERT OR UPDATE OF subnet_id, ip, pool_id ON address
    FOR EACH ROW EXECUTE FUNCTION locate_address();
