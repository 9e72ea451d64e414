-- What adapters are not to be known by any more; their placements go with it.
DELETE FROM nic_address a USING dropped d
WHERE (a.account_id, a.owner, a.owner_id, a.device, a.ip) = (d.account_id, d.owner, d.owner_id, d.device, d.ip)
