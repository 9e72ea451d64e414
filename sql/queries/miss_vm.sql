-- $1 account. Counts, up to two, the complete readings in which it was not there.
UPDATE vm t
SET missing_since = coalesce(t.missing_since, now()), missing_syncs = t.missing_syncs + 1
WHERE t.account_id = $1::bigint AND t.missing_syncs < 2
    AND NOT EXISTS (SELECT FROM stage_vm s WHERE s.id = t.id)
