-- The queue of jobs, what each job said, and what is to run again and again.
-- The two partial unique indexes are the rule that matters: whatever a worker, a scheduler or psql does, a subject
-- never has two running jobs, nor two queued ones of a kind.

CREATE TABLE job (
    id               bigint      GENERATED ALWAYS AS IDENTITY,
    kind             text        NOT NULL,                 -- chooses the handler: 'sync', 'vm.create'
    subject          text        NOT NULL,                 -- what it has for itself while it runs: 'account:7'
    label            text        NOT NULL DEFAULT '',      -- the subject as a person knows it
    payload          jsonb       NOT NULL DEFAULT '{}',
    state            text        NOT NULL DEFAULT 'queued',
    phase            text,
    done             bigint,
    total            bigint,
    attempt          int         NOT NULL DEFAULT 0,       -- counts claims; with the id it names one claim
    lost             int         NOT NULL DEFAULT 0,       -- counts claims whose worker vanished
    max_attempts     int         NOT NULL DEFAULT 2,       -- how many workers it may cost
    worker           text,
    lease_until      timestamptz,
    not_before       timestamptz NOT NULL DEFAULT now(),
    queued_at        timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz,
    findings         int         NOT NULL DEFAULT 0,
    error_code       text,
    error            text,
    cancel_requested boolean     NOT NULL DEFAULT false,
    canceled_by      text,

    CONSTRAINT job_pkey PRIMARY KEY (id),
    CONSTRAINT job_state_known
        CHECK (state IN ('queued', 'running', 'succeeded', 'findings', 'failed', 'canceled')),
    CONSTRAINT job_names_its_work CHECK (kind <> '' AND subject <> ''),
    CONSTRAINT job_running_has_lease
        CHECK ((state = 'running') = (lease_until IS NOT NULL) AND (state <> 'running' OR worker IS NOT NULL)),
    CONSTRAINT job_ended_has_time
        CHECK ((state IN ('succeeded', 'findings', 'failed', 'canceled')) = (finished_at IS NOT NULL)),
    CONSTRAINT job_failed_says_why CHECK (state <> 'failed' OR (error_code IS NOT NULL AND error IS NOT NULL)),
    CONSTRAINT job_counts_sane CHECK (attempt >= 0 AND lost >= 0 AND max_attempts >= 1 AND findings >= 0)
)
-- A heartbeat rewrites the row of a running job every few seconds: with room on the page that costs no index entry.
WITH (fillfactor = 70);

-- Over kinds, too: creating and deleting one VM are two kinds and must not meet.
CREATE UNIQUE INDEX job_running_once ON job (subject) WHERE state = 'running';
CREATE UNIQUE INDEX job_queued_once ON job (kind, subject) WHERE state = 'queued';
CREATE INDEX job_claim ON job (not_before, id) WHERE state = 'queued';
CREATE INDEX job_history ON job (kind, subject, id DESC);
CREATE INDEX job_ended ON job (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE job_event (
    job_id  bigint      NOT NULL,
    seq     bigint      GENERATED ALWAYS AS IDENTITY,      -- rises within a job; has gaps
    at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    level   text        NOT NULL,
    code    text        NOT NULL,
    subject text,                                          -- the thing it is about
    message text        NOT NULL,
    fix     text,                                          -- the command that mends it

    CONSTRAINT job_event_pkey PRIMARY KEY (job_id, seq),
    CONSTRAINT job_event_of_job FOREIGN KEY (job_id) REFERENCES job (id) ON DELETE CASCADE,
    CONSTRAINT job_event_level_known CHECK (level IN ('info', 'warning', 'finding', 'error'))
);

CREATE TABLE schedule (
    key     text        NOT NULL,                          -- its owner's name for it: 'sync:account:7'
    kind    text        NOT NULL,
    subject text        NOT NULL,
    label   text        NOT NULL DEFAULT '',
    payload jsonb       NOT NULL DEFAULT '{}',
    every   interval    NOT NULL,
    next_at timestamptz NOT NULL,
    enabled boolean     NOT NULL DEFAULT true,

    CONSTRAINT schedule_pkey PRIMARY KEY (key),
    CONSTRAINT schedule_every_positive CHECK (every > interval '0')
);

CREATE INDEX schedule_due ON schedule (next_at) WHERE enabled;
