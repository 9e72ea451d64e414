-- $1 prefix. Every adapter's address inside it, of all accounts: what a change of a subnet can concern.
INSERT INTO touched (account_id, owner, owner_id, device, ip)
SELECT account_id, owner, owner_id, device, ip FROM nic_address WHERE ip <<= $1::inet
