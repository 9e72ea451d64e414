-- $1 account, $2 switch. Every address on it: what a change of its link can concern.
INSERT INTO touched (account_id, owner, owner_id, device, ip)
SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
FROM nic_address a
JOIN nic n USING (account_id, owner, owner_id, device)
JOIN portgroup p ON p.account_id = n.account_id AND p.id = n.portgroup_id
WHERE a.account_id = $1::bigint AND p.switch_id = $2::text
