-- $1 account. A VM that was registered anew has another object id and is the same VM by its instance UUID: what is known
-- of it, with its adapters and all they hold, goes on under the new id. Only where the UUID tells one VM on both sides, the
-- old id is not there any more and the new one was not there before.
WITH pair AS MATERIALIZED (
    SELECT o.id AS old_id, n.id AS new_id
    FROM (SELECT instance_uuid, min(id) AS id FROM vm WHERE account_id = $1::bigint AND instance_uuid IS NOT NULL
        GROUP BY instance_uuid HAVING count(*) = 1) o
    JOIN (SELECT instance_uuid, min(id) AS id FROM stage_vm WHERE instance_uuid IS NOT NULL
        GROUP BY instance_uuid HAVING count(*) = 1) n USING (instance_uuid)
    WHERE o.id <> n.id
        AND NOT EXISTS (SELECT FROM stage_vm s WHERE s.id = o.id)
        AND NOT EXISTS (SELECT FROM vm v WHERE v.account_id = $1 AND v.id = n.id)
),
machine AS (
    UPDATE vm v SET id = p.new_id FROM pair p WHERE v.account_id = $1 AND v.id = p.old_id
)
UPDATE nic n SET owner_id = p.new_id FROM pair p WHERE n.account_id = $1 AND n.owner = 'vm' AND n.owner_id = p.old_id
