-- VMs that were made stay; their addresses become ordinary allocations.
ALTER TABLE allocation_key DROP COLUMN vm_request_id;
DROP TABLE vm_written, vm_step, vm_request;
ALTER TABLE job DROP COLUMN quota, DROP COLUMN quota_size, DROP COLUMN quota_slot, DROP COLUMN must_run;
ALTER TABLE account DROP COLUMN vm_jobs;
