-- Of a VM that is as it was, a sync needs no more than to know that.
-- On a large table: a column without a rewrite. A migration that adds to what is read of a VM sets it to NULL.

-- Of what the last reading that told something new of it staged: of the VM, its adapters and their addresses.
ALTER TABLE vm ADD COLUMN digest uuid;
