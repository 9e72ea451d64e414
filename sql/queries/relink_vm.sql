-- $1 account. A VM that was registered anew has another object id and is the same VM by its instance UUID: what is known
-- of it, with its adapters and all they hold, goes on under the new id. Only where the UUID tells one VM on both sides, the
-- old id is not there any more and the new one was not there before. Both sides are grouped, not joined: of an account that
-- was just read for the first time the planner knows nothing, and a join of it with itself would be one row with each.
WITH same AS MATERIALIZED (
    SELECT min(m.id) FILTER (WHERE m.known) AS old_id, min(m.id) FILTER (WHERE NOT m.known) AS new_id
    FROM (
        SELECT v.instance_uuid, v.id, true AS known FROM vm v
        WHERE v.account_id = $1::bigint AND v.instance_uuid IS NOT NULL
        UNION ALL
        SELECT s.instance_uuid, s.id, false FROM stage_vm s WHERE s.instance_uuid IS NOT NULL
    ) m
    GROUP BY m.instance_uuid
    HAVING count(*) FILTER (WHERE m.known) = 1 AND count(*) FILTER (WHERE NOT m.known) = 1
        AND min(m.id) FILTER (WHERE m.known) <> min(m.id) FILTER (WHERE NOT m.known)
),
pair AS MATERIALIZED (
    SELECT p.old_id, p.new_id FROM same p
    WHERE NOT EXISTS (SELECT FROM stage_vm s WHERE s.id = p.old_id OFFSET 0)
        AND NOT EXISTS (SELECT FROM vm v WHERE v.account_id = $1 AND v.id = p.new_id OFFSET 0)
),
machine AS (
    UPDATE vm v SET id = p.new_id FROM pair p WHERE v.account_id = $1 AND v.id = p.old_id
)
UPDATE nic n SET owner_id = p.new_id FROM pair p WHERE n.account_id = $1 AND n.owner = 'vm' AND n.owner_id = p.old_id
