DROP INDEX subnet_confirmed_prefix;
ALTER TABLE address
    DROP CONSTRAINT address_account_id_owner_owner_id_device_fkey,
    ADD FOREIGN KEY (account_id, owner, owner_id, device) REFERENCES nic (account_id, owner, owner_id, device);
ALTER TABLE placement
    DROP CONSTRAINT placement_account_id_owner_owner_id_device_ip_fkey,
    ADD FOREIGN KEY (account_id, owner, owner_id, device, ip) REFERENCES nic_address ON DELETE CASCADE;
ALTER TABLE nic_address
    DROP CONSTRAINT nic_address_account_id_owner_owner_id_device_fkey,
    ADD FOREIGN KEY (account_id, owner, owner_id, device) REFERENCES nic ON DELETE CASCADE;
