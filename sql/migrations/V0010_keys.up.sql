-- Keys whose addresses were released are found by the time of that, to be forgotten a day later. On a large table: reads it
-- once and keeps it from being written meanwhile; build the index CONCURRENTLY beforehand where that is too long.

CREATE INDEX IF NOT EXISTS allocation_key_released ON allocation_key (released_at) WHERE released_at IS NOT NULL;
