-- A VM that a job left half-made is gone on with by another: the addresses are held under the number of the job that began it. And
-- user-data, which may hold passwords, goes when it is not needed any more.
-- On a large table: one column without a rewrite, and one update of the requests for VMs.

ALTER TABLE vm_request ADD COLUMN begun_by bigint;
UPDATE vm_request SET begun_by = job_id, user_data = CASE WHEN state IN ('open', 'failed', 'canceled') THEN user_data END;
CREATE INDEX vm_request_secret ON vm_request (ended_at) WHERE user_data IS NOT NULL;
