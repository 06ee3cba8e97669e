-- What institutions last said is on our accounts, and incidents about floats that disagree with it.
-- Not compatible with earlier programs: they cannot read an incident of the new kind.

ALTER TABLE incidents DROP CONSTRAINT incidents_kind_check;
ALTER TABLE incidents ADD CONSTRAINT incidents_kind_check CHECK (kind IN (
    'late_success', 'regress', 'statement_duplicate', 'bank_down', 'float_off'
));
CREATE UNIQUE INDEX incidents_one_per_float ON incidents (channel)
    WHERE released_at IS NULL AND kind = 'float_off';

CREATE TABLE channel_balances (
    channel TEXT PRIMARY KEY,
    currency TEXT NOT NULL,
    available_minor BIGINT, -- null until the institution has said it once
    said_at BIGINT,
    low_minor BIGINT NOT NULL, -- our float when it was said
    high_minor BIGINT NOT NULL, -- the same with all that may not have left yet
    off_minor BIGINT NOT NULL, -- by how much it lies below (negative) or above these two
    off_looks BIGINT NOT NULL, -- looks in a row that found more off than is told
    told_minor BIGINT NOT NULL, -- what people know of
    failures BIGINT NOT NULL, -- looks in a row without an answer
    problem TEXT NOT NULL, -- of the last of them
    due_at BIGINT NOT NULL
);
