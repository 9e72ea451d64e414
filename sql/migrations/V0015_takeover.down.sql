DROP INDEX vm_request_secret;
ALTER TABLE vm_request DROP COLUMN begun_by;
