ALTER TABLE subnet
    DROP CONSTRAINT subnet_disjoint,
    DROP CONSTRAINT subnet_name_unique,
    ADD CONSTRAINT subnet_name_unique UNIQUE (name),
    ADD CONSTRAINT subnet_disjoint
        EXCLUDE USING gist (wire_id WITH =, vlan_id WITH =, (cidr::inet) inet_ops WITH &&);
