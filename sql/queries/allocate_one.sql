-- Takes the address $2 of subnet $1, which somebody named: $3 owner, $4 until when, $5 key. He may have it out of its
-- quarantine and though an unplaced adapter reports it; a reserved one only its owner may name.
INSERT INTO address AS a (subnet_id, ip, state, allocated_to, allocated_at, allocated_until, key_id)
SELECT $1::bigint, $2::inet, 'held', $3::text, now(), $4::timestamptz, $5::bigint
WHERE NOT EXISTS (SELECT FROM subnet s WHERE s.id = $1 AND s.gateway = $2)
    AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = $1 AND $2 BETWEEN r.first AND r.last
        AND (r.expires_at IS NULL OR r.expires_at > now()) AND r.owner <> $3)
ON CONFLICT (subnet_id, ip) DO UPDATE
SET state = 'held', since = now(), until = NULL, allocated_to = EXCLUDED.allocated_to,
    allocated_at = EXCLUDED.allocated_at, allocated_until = EXCLUDED.allocated_until, key_id = EXCLUDED.key_id
WHERE a.state IN ('free', 'quarantined')
RETURNING a.ip
