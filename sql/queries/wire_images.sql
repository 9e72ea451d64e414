-- $1 wires, $2 subnets: the wires with what is on them, and all that is in the subnets, as rows in JSON by table.
SELECT jsonb_build_object(
    'wire', (SELECT coalesce(jsonb_agg(to_jsonb(w) ORDER BY w.id), '[]') FROM wire w WHERE w.id = ANY ($1::bigint[])),
    'link', (SELECT coalesce(jsonb_agg(to_jsonb(l)), '[]') FROM link l WHERE l.wire_id = ANY ($1)),
    'link_support', (SELECT coalesce(jsonb_agg(to_jsonb(s)), '[]') FROM link_support s WHERE s.wire_id = ANY ($1)),
    'wire_rejection', (SELECT coalesce(jsonb_agg(to_jsonb(r)), '[]') FROM wire_rejection r
        WHERE r.first_wire = ANY ($1) OR r.second_wire = ANY ($1)),
    'subnet', (SELECT coalesce(jsonb_agg(to_jsonb(s) ORDER BY s.id), '[]') FROM subnet s WHERE s.wire_id = ANY ($1)),
    'pool', (SELECT coalesce(jsonb_agg(to_jsonb(p) ORDER BY p.id), '[]') FROM pool p
        WHERE p.subnet_id = ANY ($2::bigint[])),
    'extent', (SELECT coalesce(jsonb_agg(to_jsonb(e)), '[]') FROM extent e JOIN pool p ON p.id = e.pool_id
        WHERE p.subnet_id = ANY ($2)),
    'reservation', (SELECT coalesce(jsonb_agg(to_jsonb(r) ORDER BY r.id), '[]') FROM reservation r
        WHERE r.subnet_id = ANY ($2)),
    'allocation_key', (SELECT coalesce(jsonb_agg(jsonb_build_object('id', k.id, 'subnet_id', k.subnet_id)), '[]')
        FROM allocation_key k WHERE k.subnet_id = ANY ($2)),
    'address', (SELECT coalesce(jsonb_agg(to_jsonb(a)), '[]') FROM address a WHERE a.subnet_id = ANY ($2)))
