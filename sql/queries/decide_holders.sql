-- Two reporters of one address: live evidence before last seen; among live ones the newest of a migrated adapter; then
-- the present holder; then the lowest account, object, device. A holder that no longer claims the address keeps it
-- against everyone but live evidence, unless it is live itself; one that it is allocated to keeps it against all, one that
-- belongs to another subnet now against nobody. An allocation without an adapter is adopted by live evidence alone. What
-- another account's adapter or an allocation was given after this sync's reading began is newer than what was read: it
-- stays, and the next reading decides. What is held for a VM that is being made is that VM's, and barred to all others.
-- Allocations ask no placement: where one came between, nothing is written over it, and it is told that all this has to be
-- decided once more.
WITH contender AS (
    SELECT k.subnet_id, k.ip, p.account_id, p.owner, p.owner_id, p.device, true AS claims
    FROM contested k JOIN placement p ON p.subnet_id = k.subnet_id AND p.ip = k.ip
    UNION ALL
    SELECT k.subnet_id, k.ip, a.account_id, a.owner, a.owner_id, a.device, false
    FROM contested k
    JOIN address a ON a.subnet_id = k.subnet_id AND a.ip = k.ip AND a.account_id IS NOT NULL
    WHERE NOT EXISTS (
        SELECT FROM placement p
        WHERE p.subnet_id = k.subnet_id AND p.ip = k.ip
            AND (p.account_id, p.owner, p.owner_id, p.device) = (a.account_id, a.owner, a.owner_id, a.device))
),
known AS (
    SELECT c.*, coalesce(n.live, false) AS live, n.live_since, i.mac, v.instance_uuid,
        coalesce((a.account_id, a.owner, a.owner_id, a.device) = (c.account_id, c.owner, c.owner_id, c.device), false)
            AS holds,
        a.allocated_to IS NOT NULL AS allocated, a.account_id IS NULL AS adoptable,
        coalesce(a.since > r.began AND a.account_id IS DISTINCT FROM r.account_id, false) AND NOT w.mine AS fresh,
        q.id IS NOT NULL AND a.account_id IS NULL AND NOT w.mine AS barred,
        e.ip IS NOT NULL AS moved
    FROM contender c
    LEFT JOIN address a ON a.subnet_id = c.subnet_id AND a.ip = c.ip AND a.state = 'held'
    LEFT JOIN nic_address n ON n.account_id = c.account_id AND n.owner = c.owner AND n.owner_id = c.owner_id
        AND n.device = c.device AND n.ip = c.ip
    LEFT JOIN nic i ON i.account_id = c.account_id AND i.owner = c.owner AND i.owner_id = c.owner_id
        AND i.device = c.device
    LEFT JOIN vm v ON c.owner = 'vm' AND v.account_id = c.account_id AND v.id = c.owner_id
    LEFT JOIN placement e ON NOT c.claims AND e.account_id = c.account_id AND e.owner = c.owner
        AND e.owner_id = c.owner_id AND e.device = c.device AND e.ip = c.ip AND e.subnet_id IS NOT NULL
    LEFT JOIN (SELECT account_id, began FROM reading LIMIT 1) r ON true
    LEFT JOIN allocation_key y ON y.id = a.key_id
    LEFT JOIN vm_request q ON q.id = y.vm_request_id
    CROSS JOIN LATERAL (
        SELECT coalesce((v.account_id, v.instance_uuid) = (q.account_id, q.instance_uuid), false) AS mine) w
),
migrated AS (
    SELECT k.*,
        coalesce(k.live AND k.mac IS NOT NULL AND k.instance_uuid IS NOT NULL
            AND k.live_since < max(k.live_since) FILTER (WHERE k.live) OVER same
            AND min(k.account_id) OVER same <> max(k.account_id) OVER same, false) AS left_behind
    FROM known k
    WINDOW same AS (PARTITION BY k.subnet_id, k.ip, k.mac, k.instance_uuid)
),
ranked AS (
    SELECT k.*, row_number() OVER (
        PARTITION BY k.subnet_id, k.ip
        ORDER BY k.holds AND (k.allocated OR k.fresh) DESC, k.barred, k.moved, k.live DESC, k.left_behind, k.holds DESC,
            k.account_id, k.owner_id COLLATE "C", k.device COLLATE "C"
    ) AS place
    FROM migrated k
),
winner AS (
    SELECT * FROM ranked WHERE place = 1 AND NOT barred AND ((live AND NOT fresh) OR NOT (allocated AND adoptable))
),
held AS (
    INSERT INTO address AS a (subnet_id, ip, state, account_id, owner, owner_id, device)
    SELECT w.subnet_id, w.ip, 'held', w.account_id, w.owner, w.owner_id, w.device
    FROM winner w WHERE NOT w.holds
    ORDER BY w.subnet_id, w.ip
    ON CONFLICT (subnet_id, ip) DO UPDATE SET
        state = 'held', until = NULL, since = now(), account_id = EXCLUDED.account_id, owner = EXCLUDED.owner,
        owner_id = EXCLUDED.owner_id, device = EXCLUDED.device
    WHERE a.state <> 'held' OR EXISTS (
        -- As it was when this began, and not as whoever was waited for left it.
        SELECT FROM address o WHERE o.subnet_id = a.subnet_id AND o.ip = a.ip
            AND (o.state, o.account_id, o.owner, o.owner_id, o.device, o.allocated_to, o.key_id)
                IS NOT DISTINCT FROM (a.state, a.account_id, a.owner, a.owner_id, a.device, a.allocated_to, a.key_id))
    RETURNING a.ip
),
told AS (
    UPDATE placement p
    SET reason = r.reason
    FROM (
        SELECT k.*, CASE WHEN k.place > 1 OR k.barred OR (k.allocated AND k.adoptable AND (k.fresh OR NOT k.live))
            THEN 'held_by_other' END AS reason
        FROM ranked k
    ) r
    WHERE r.claims AND p.account_id = r.account_id AND p.owner = r.owner AND p.owner_id = r.owner_id
        AND p.device = r.device AND p.ip = r.ip
        AND p.reason IS DISTINCT FROM r.reason
)
SELECT (SELECT count(*) FROM winner WHERE NOT holds) > (SELECT count(*) FROM held)
