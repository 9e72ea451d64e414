-- $1 account. Addresses that a complete reading did not report. Where the live adapter reports others of the family the
-- reading counts against them; anywhere else they are merely no longer live. An adapter that was not read is let be.
UPDATE nic_address a
SET live = false, missed = a.missed + j.counts
FROM (
    SELECT a.owner, a.owner_id, a.device, a.ip,
        (EXISTS (
            SELECT FROM stage_nic_address o
            WHERE o.owner = a.owner AND o.owner_id = a.owner_id AND o.device = a.device AND o.live
                AND family(o.ip) = family(a.ip)))::int AS counts
    FROM nic_address a
    WHERE a.account_id = $1::bigint
        AND NOT EXISTS (
            SELECT FROM stage_nic_address s
            WHERE s.owner = a.owner AND s.owner_id = a.owner_id AND s.device = a.device AND s.ip = a.ip)
        AND NOT EXISTS (
            SELECT FROM stage_vm v
            WHERE a.owner = 'vm' AND v.id = a.owner_id AND NOT (v.guest_known AND v.adapters_known))
        AND NOT EXISTS (
            SELECT FROM stage_host h WHERE a.owner = 'host' AND h.id = a.owner_id AND NOT h.network_known)
) j
WHERE a.account_id = $1 AND a.owner = j.owner AND a.owner_id = j.owner_id AND a.device = j.device AND a.ip = j.ip
    AND (a.live OR j.counts > 0)
