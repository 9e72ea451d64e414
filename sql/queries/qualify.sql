-- For each touched address: the one subnet that contains it on the wire of its switch with a matching VLAN, else the
-- first reason that applies. Written down apart, because placements are changed only under their subnets' locks.
WITH judged AS (
    SELECT t.account_id, t.owner, t.owner_id, t.device, t.ip, c.site, n.wire_id,
        CASE WHEN n.wire_id IS NOT NULL AND cardinality(w.matching) = 1 THEN w.matching[1] END AS subnet_id,
        CASE
            WHEN n.vlan_mode IS NULL OR n.vlan_mode = 'none' THEN 'unmapped'
            WHEN n.wire_id IS NULL THEN 'no_link'
            WHEN cardinality(w.matching) = 1 THEN NULL
            WHEN cardinality(w.matching) > 1 THEN 'ambiguous'
            WHEN cardinality(w.containing) > 0 THEN 'vlan_mismatch'
            ELSE 'no_subnet'
        END AS reason,
        coalesce(CASE
            WHEN n.vlan_mode IS NULL OR n.vlan_mode = 'none' OR n.wire_id IS NULL THEN '{}'
            WHEN cardinality(w.matching) = 1 THEN '{}'
            WHEN cardinality(w.matching) > 1 THEN w.matching[1:3]
            ELSE w.containing[1:3] END, '{}') AS subnets
    FROM (SELECT DISTINCT account_id, owner, owner_id, device, ip FROM touched) t
    JOIN nic_attachment n USING (account_id, owner, owner_id, device)
    JOIN account c ON c.id = t.account_id
    -- Looked up for each address, by the index: joined as sets, two wrong estimates would compare all with all.
    CROSS JOIN LATERAL (
        SELECT array_agg(s.id ORDER BY s.id)
                FILTER (WHERE vlan_matches(n.vlan_mode, n.vlan_id, n.vlan_ranges, n.native_vlan, s.vlan_id)) AS matching,
            array_agg(s.id ORDER BY s.id) AS containing
        FROM subnet s
        WHERE s.wire_id = n.wire_id AND s.cidr::inet >>= t.ip
    ) w
),
verdict_of AS (
    SELECT j.account_id, j.owner, j.owner_id, j.device, j.ip, j.subnet_id,
        CASE WHEN j.reason = 'no_subnet' AND e.elsewhere IS NOT NULL THEN 'other_wire' ELSE j.reason END AS reason,
        CASE WHEN j.reason = 'no_subnet' AND e.elsewhere IS NOT NULL THEN e.elsewhere ELSE j.subnets END AS subnets
    FROM judged j
    LEFT JOIN LATERAL (
        SELECT (array_agg(s.id ORDER BY (x.site IS NOT DISTINCT FROM j.site) DESC, s.id))[1:3] AS elsewhere
        FROM subnet s JOIN wire x ON x.id = s.wire_id
        WHERE j.reason = 'no_subnet' AND s.confirmed AND s.cidr::inet >>= j.ip AND s.wire_id <> j.wire_id
    ) e ON true
)
INSERT INTO verdict (account_id, owner, owner_id, device, ip, subnet_id, reason, subnets)
SELECT v.account_id, v.owner, v.owner_id, v.device, v.ip, v.subnet_id, v.reason, v.subnets FROM verdict_of v
