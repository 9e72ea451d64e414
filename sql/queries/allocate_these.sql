-- Takes the addresses $2 of subnet $1, which the caller has locked: $3 owner, $4 until when, $5 key.
UPDATE address a
SET state = 'held', since = now(), until = NULL, allocated_to = $3::text, allocated_at = now(),
    allocated_until = $4::timestamptz, key_id = $5::bigint
WHERE a.subnet_id = $1::bigint AND a.ip = ANY ($2::inet[])
RETURNING a.ip
