-- $1 account.
DELETE FROM nic n USING vanished v
WHERE n.account_id = $1::bigint AND v.account_id = n.account_id AND v.owner = n.owner AND v.owner_id = n.owner_id
    AND v.device = n.device
