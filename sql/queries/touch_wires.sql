-- $1 wires, $2 subnets. Every address on a switch of the wires or inside of the subnets, once.
INSERT INTO touched (account_id, owner, owner_id, device, ip)
SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
FROM link l
JOIN portgroup p ON p.account_id = l.account_id AND p.switch_id = l.switch_id
JOIN nic n ON n.account_id = p.account_id AND n.portgroup_id = p.id
JOIN nic_address a ON a.account_id = n.account_id AND a.owner = n.owner AND a.owner_id = n.owner_id AND a.device = n.device
WHERE l.wire_id = ANY ($1::bigint[])
UNION
SELECT a.account_id, a.owner, a.owner_id, a.device, a.ip
FROM subnet s JOIN nic_address a ON a.ip <<= s.cidr::inet
WHERE s.id = ANY ($2::bigint[])
