-- $1 account. Whether anything was missing in two complete readings, and so may have vanished.
SELECT EXISTS (SELECT FROM nic WHERE account_id = $1::bigint AND missing_syncs >= 2)
    OR EXISTS (SELECT FROM vm WHERE account_id = $1 AND missing_syncs >= 2)
    OR EXISTS (SELECT FROM host WHERE account_id = $1 AND missing_syncs >= 2)
