-- $1 subnets that are gone. The addresses whose reason names one of them.
INSERT INTO touched (account_id, owner, owner_id, device, ip)
SELECT account_id, owner, owner_id, device, ip FROM placement WHERE subnets && $1::bigint[]
