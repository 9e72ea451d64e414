-- VMs that Wireloom makes and deletes: what was asked, each step before and after it was done, and whose the addresses are
-- meanwhile. Jobs of these kinds run a few at a time for an account, and only their handlers end them.
-- On a large table: columns without a rewrite, and two small indexes.

ALTER TABLE job
    -- Only so many jobs of one quota run at once, in whatever processes: each has a slot of its own while it runs.
    ADD COLUMN quota text,
    ADD COLUMN quota_size int,
    ADD COLUMN quota_slot int,
    -- Only its handler ends it: what it began must be finished or undone, whoever canceled it and whatever became of its workers.
    ADD COLUMN must_run boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT job_quota_whole CHECK (num_nulls(quota, quota_size) IN (0, 2) AND quota_size > 0),
    ADD CONSTRAINT job_quota_has_slot
        CHECK (state <> 'running' OR quota IS NULL OR (quota_slot IS NOT NULL AND quota_slot BETWEEN 1 AND quota_size));
CREATE UNIQUE INDEX job_quota_once ON job (quota, quota_slot) WHERE state = 'running';

-- How many of them run on an account at once.
ALTER TABLE account ADD COLUMN vm_jobs int NOT NULL DEFAULT 4 CONSTRAINT account_vm_jobs_positive CHECK (vm_jobs > 0);

-- One row a VM that was asked for.
CREATE TABLE vm_request (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id    bigint      NOT NULL REFERENCES account ON DELETE CASCADE,
    name          text        NOT NULL,
    actor         text        NOT NULL,
    origin        text,
    key           text,
    -- As it was asked, with the defaults filled in.
    request       jsonb       NOT NULL,
    -- Cloud-init's user-data, sealed as an account's password is.
    user_data     bytea,
    -- By which the VM is found again, whatever happens: made up before the VM is.
    instance_uuid text        NOT NULL CONSTRAINT vm_request_uuid_unique UNIQUE,
    -- The job that works on it, or did last; jobs are pruned, so no key.
    job_id        bigint,
    -- What is to be made, and where; written before anything is made.
    plan          jsonb,
    state         text        NOT NULL DEFAULT 'open',
    vm_id         text,
    -- Whether its guest may have used its addresses.
    powered_on    boolean     NOT NULL DEFAULT false,
    error_code    text,
    error         text,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at      timestamptz,
    CONSTRAINT vm_request_key_unique UNIQUE (actor, key),
    -- kept: it failed, and its VM stays because that was asked.
    CONSTRAINT vm_request_state_known CHECK (state IN ('open', 'created', 'failed', 'canceled', 'kept', 'deleted')),
    CONSTRAINT vm_request_ended_has_time CHECK ((state = 'open') = (ended_at IS NULL)),
    CONSTRAINT vm_request_failed_says_why CHECK (state NOT IN ('failed', 'kept') OR error IS NOT NULL),
    CONSTRAINT vm_request_uuid_lower CHECK (instance_uuid = lower(instance_uuid))
);
CREATE INDEX vm_request_vm ON vm_request (account_id, vm_id) WHERE vm_id IS NOT NULL;
CREATE INDEX vm_request_open ON vm_request (account_id) WHERE state = 'open';

-- What a job did to a VM, a row a step: written before it is done, and once more afterwards.
CREATE TABLE vm_step (
    job_id   bigint      NOT NULL REFERENCES job ON DELETE CASCADE,
    step     text        NOT NULL,
    seq      bigint      GENERATED ALWAYS AS IDENTITY,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    done_at  timestamptz,
    -- What the next worker needs of it, such as the task that was begun.
    detail   jsonb       NOT NULL DEFAULT '{}',
    PRIMARY KEY (job_id, step)
);

-- An allocation for a VM that is being made, or was: only this VM may adopt it, only its job or the VM's end releases it.
ALTER TABLE allocation_key ADD COLUMN vm_request_id bigint REFERENCES vm_request ON DELETE SET NULL;
CREATE INDEX allocation_key_vm_request ON allocation_key (vm_request_id) WHERE vm_request_id IS NOT NULL;

-- When a job wrote a VM's inventory, or removed it: what a sync read of it before that is older.
CREATE TABLE vm_written (
    account_id bigint      NOT NULL REFERENCES account ON DELETE CASCADE,
    vm_id      text        NOT NULL,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    gone       boolean     NOT NULL,
    PRIMARY KEY (account_id, vm_id)
);
