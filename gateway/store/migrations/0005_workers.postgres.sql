-- Several processes on one database: which there are, who works on a payout, and which newer schemas
-- an older program can live with.

CREATE TABLE workers (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- never given out twice
    host TEXT NOT NULL, -- machine, its start and its process numbering
    pid BIGINT NOT NULL,
    program TEXT NOT NULL, -- version it runs
    schema_version BIGINT NOT NULL, -- newest schema it knows
    lease_s BIGINT NOT NULL CHECK (lease_s > 0),
    started_at BIGINT NOT NULL, -- the database's clock, here and below
    beat_at BIGINT NOT NULL,
    gone_at BIGINT -- set by who got its advisory lock, or by itself when it left
);
CREATE INDEX workers_present ON workers (beat_at) WHERE gone_at IS NULL;

-- Who may arm and send it; 0 for nobody, and always where one process owns the database.
ALTER TABLE payouts ADD COLUMN worker BIGINT NOT NULL DEFAULT 0;
-- Grows with each change of owner; a write that names an older one changes nothing.
ALTER TABLE payouts ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;

DROP INDEX payouts_due;
CREATE INDEX payouts_due ON payouts (worker, due_at) WHERE due_at IS NOT NULL;

CREATE TABLE schema_compatible (
    version BIGINT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL -- programs that know this schema, or a later one, can work on it
);
