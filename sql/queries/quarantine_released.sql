-- What was let go of and nobody took. A subnet that nothing is allocated from needs no quarantine.
INSERT INTO address (subnet_id, ip, state, until)
SELECT DISTINCT r.subnet_id, r.ip, 'quarantined', now() + coalesce(p.quarantine, interval '1 hour')
FROM released r
JOIN subnet s ON s.id = r.subnet_id AND s.confirmed
LEFT JOIN pool p ON p.subnet_id = r.subnet_id AND r.ip BETWEEN p.first AND p.last
ON CONFLICT (subnet_id, ip) DO NOTHING
