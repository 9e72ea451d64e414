-- $1 account. Addresses that a complete reading did not report. Where the live adapter reports others of the family the
-- reading counts against them; one that says nothing ends the count, which is of successive readings. What could not be
-- read keeps its rows, and keeps them live unless its owner is known to be off or out of touch. They are gathered first: of
-- an account that was just read for the first time the planner knows nothing, and would join the table with itself.
WITH unreported AS MATERIALIZED (
    SELECT a.owner, a.owner_id, a.device, a.ip,
        coalesce(NOT (v.guest_known AND v.adapters_known) AND NOT v.quiet, false)
            OR coalesce(NOT h.network_known AND k.connection_state = 'connected', false) AS stays,
        coalesce(v.guest_known AND v.adapters_known, h.network_known, true) AND EXISTS (
            SELECT FROM stage_nic_address o
            WHERE o.owner = a.owner AND o.owner_id = a.owner_id AND o.device = a.device AND o.live
                AND family(o.ip) = family(a.ip)) AS counts
    FROM nic_address a
    LEFT JOIN stage_vm v ON a.owner = 'vm' AND v.id = a.owner_id
    LEFT JOIN stage_host h ON a.owner = 'host' AND h.id = a.owner_id
    LEFT JOIN host k ON k.account_id = $1 AND k.id = h.id
    WHERE a.account_id = $1::bigint
        AND NOT EXISTS (
            SELECT FROM stage_nic_address s
            WHERE s.owner = a.owner AND s.owner_id = a.owner_id AND s.device = a.device AND s.ip = a.ip)
)
UPDATE nic_address a
SET live = a.live AND j.stays, missed = CASE WHEN j.counts THEN a.missed + 1 ELSE 0 END
FROM unreported j
WHERE a.account_id = $1 AND a.owner = j.owner AND a.owner_id = j.owner_id AND a.device = j.device AND a.ip = j.ip
    AND ((a.live AND NOT j.stays) OR j.counts OR a.missed > 0)
