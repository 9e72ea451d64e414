-- What splits down to single addresses, and adapters at the edges of a subnet, asked of the schema.

-- A subnet of one address may have it for its gateway: a split down to single addresses leaves one.
ALTER TABLE subnet
    DROP CONSTRAINT subnet_gateway_inside,
    ADD CONSTRAINT subnet_gateway_inside CHECK (gateway <<= cidr);

-- Only usable addresses are counted: an adapter may well report a network or broadcast address.
CREATE OR REPLACE VIEW subnet_usage AS
SELECT s.id AS subnet_id, u.total, c.held, c.reserved, c.quarantined, f.free,
    u.total - c.held - c.reserved - c.quarantined - f.free AS outside, f.obtainable
FROM subnet s
CROSS JOIN LATERAL (
    SELECT r.first, r.last, inet_count(r.first, r.last) AS total
    FROM (SELECT CASE family(s.cidr) WHEN 4 THEN 32 ELSE 128 END - masklen(s.cidr) AS host_bits) b
    CROSS JOIN LATERAL (
        SELECT host(network(s.cidr))::inet + CASE WHEN b.host_bits > 1 THEN 1 ELSE 0 END AS first,
            host(broadcast(s.cidr))::inet - CASE WHEN b.host_bits > 1 AND family(s.cidr) = 4 THEN 1 ELSE 0 END AS last
    ) r
) u
CROSS JOIN LATERAL (
    SELECT (SELECT count(*) FROM address d
            WHERE d.subnet_id = s.id AND d.state = 'held' AND d.ip BETWEEN u.first AND u.last) AS held,
        (SELECT coalesce(sum(inet_count(greatest(r.first, u.first), least(r.last, u.last)) - (
                SELECT count(*) FROM address d
                WHERE d.subnet_id = s.id AND d.state = 'held'
                    AND d.ip BETWEEN greatest(r.first, u.first) AND least(r.last, u.last))), 0)
            FROM reservation r
            WHERE r.subnet_id = s.id AND (r.expires_at IS NULL OR r.expires_at > now())
                AND r.first <= u.last AND r.last >= u.first) AS reserved,
        (SELECT count(*) FROM address d
            WHERE d.subnet_id = s.id AND d.state = 'quarantined' AND d.until > now()
                AND d.ip BETWEEN u.first AND u.last
                AND NOT EXISTS (SELECT FROM reservation r WHERE r.subnet_id = s.id AND d.ip BETWEEN r.first AND r.last
                    AND (r.expires_at IS NULL OR r.expires_at > now()))) AS quarantined
) c
CROSS JOIN LATERAL (
    SELECT coalesce(sum(x.free), 0) AS free, coalesce(sum(x.free) FILTER (WHERE p.role = 'guest'), 0) AS obtainable
    FROM pool p
    CROSS JOIN LATERAL (
        SELECT (SELECT count(*) FROM address d WHERE d.pool_id = p.id AND d.state = 'free')
            + (SELECT count(*) FROM address d WHERE d.pool_id = p.id AND d.state = 'quarantined' AND d.until <= now()
                AND is_free_row(d.subnet_id, d.pool_id, d.ip))
            + (SELECT coalesce(sum(inet_count(e.first, e.last) - (
                    SELECT count(*) FROM address d WHERE d.subnet_id = s.id AND d.ip BETWEEN e.first AND e.last
                        AND (d.state = 'held' OR d.until > now()))), 0)
                FROM extent e WHERE e.pool_id = p.id)
            - (SELECT count(DISTINCT n.ip) FROM placement n
                WHERE n.reason IS NOT NULL AND n.ip BETWEEN p.first AND p.last
                    AND NOT EXISTS (SELECT FROM address d WHERE d.subnet_id = s.id AND d.ip = n.ip
                        AND (d.state = 'held' OR d.until > now()))
                    AND (is_free_row(s.id, p.id, n.ip) OR EXISTS (
                        SELECT FROM extent e WHERE e.pool_id = p.id AND n.ip BETWEEN e.first AND e.last))) AS free
    ) x
    WHERE p.subnet_id = s.id
) f;
