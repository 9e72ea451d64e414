-- $1 account.
INSERT INTO touched (account_id, owner, owner_id, device, ip)
SELECT account_id, owner, owner_id, device, ip FROM nic_address WHERE account_id = $1::bigint
