-- A VM that is registered anew gets another object id; what is known of it goes on under the new one, by its key.
-- On large tables the new keys are checked once, by a scan each.
ALTER TABLE nic_address
    DROP CONSTRAINT nic_address_account_id_owner_owner_id_device_fkey,
    ADD FOREIGN KEY (account_id, owner, owner_id, device) REFERENCES nic ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE placement
    DROP CONSTRAINT placement_account_id_owner_owner_id_device_ip_fkey,
    ADD FOREIGN KEY (account_id, owner, owner_id, device, ip) REFERENCES nic_address ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE address
    DROP CONSTRAINT address_account_id_owner_owner_id_device_fkey,
    ADD FOREIGN KEY (account_id, owner, owner_id, device) REFERENCES nic (account_id, owner, owner_id, device)
        ON UPDATE CASCADE;

-- Which confirmed subnets contain an address, whatever their wire.
CREATE INDEX subnet_confirmed_prefix ON subnet USING gist ((cidr::inet) inet_ops) WHERE confirmed;
