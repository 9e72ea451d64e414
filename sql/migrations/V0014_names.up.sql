-- What a subnet was called when something happened in it: the history asks the audit for its first new name since.
-- On a large table: one index, of the few rows that are of another name.

CREATE INDEX audit_subnet_renamed ON audit ((before ->> 'id'), at)
    WHERE kind = 'subnet' AND action = 'update' AND before ->> 'name' <> after ->> 'name';
