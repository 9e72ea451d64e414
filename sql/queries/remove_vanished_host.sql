-- $1 account.
DELETE FROM host t USING account c
WHERE t.account_id = $1::bigint AND c.id = t.account_id AND t.missing_syncs >= 2
    AND t.missing_since <= now() - c.grace
