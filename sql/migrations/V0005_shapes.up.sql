-- Lets one transaction pass through states that no one else sees: a subnet beside its own parts while it is split,
-- merged ones beside the whole, names that change places. Each statement is still checked at its end unless the
-- transaction asks otherwise. On a large table: rebuilds two indexes of subnet, which has a row a subnet.

ALTER TABLE subnet
    DROP CONSTRAINT subnet_disjoint,
    DROP CONSTRAINT subnet_name_unique,
    ADD CONSTRAINT subnet_name_unique UNIQUE (name) DEFERRABLE INITIALLY IMMEDIATE,
    ADD CONSTRAINT subnet_disjoint
        EXCLUDE USING gist (wire_id WITH =, vlan_id WITH =, (cidr::inet) inet_ops WITH &&)
        DEFERRABLE INITIALLY IMMEDIATE;
