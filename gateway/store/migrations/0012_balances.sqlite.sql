-- What institutions last said is on our accounts, and incidents about floats that disagree with it.
-- Not compatible with earlier programs: they cannot read an incident of the new kind.

ALTER TABLE incidents RENAME TO incidents_until_0012;
DROP INDEX incidents_open;
DROP INDEX incidents_one_per_bank;

CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN (
        'late_success', 'regress', 'statement_duplicate', 'bank_down', 'float_off'
    )),
    freezes INTEGER NOT NULL CHECK (freezes IN (0, 1)), -- nothing leaves the channel on its word
    channel TEXT NOT NULL, -- empty for one that concerns no single channel
    payout_id TEXT,
    attempt INTEGER,
    evidence TEXT NOT NULL, -- where to look; no payee data
    opened_at INTEGER NOT NULL,
    owner TEXT NOT NULL,
    released_at INTEGER,
    released_by TEXT,
    note TEXT,
    bank TEXT -- the one that is down
) STRICT;
INSERT INTO incidents (
    id, kind, freezes, channel, payout_id, attempt, evidence, opened_at, owner, released_at,
    released_by, note, bank
)
SELECT
    id, kind, freezes, channel, payout_id, attempt, evidence, opened_at, owner, released_at,
    released_by, note, bank
FROM incidents_until_0012;
DROP TABLE incidents_until_0012;
CREATE INDEX incidents_open ON incidents (channel) WHERE released_at IS NULL;
CREATE UNIQUE INDEX incidents_one_per_bank ON incidents (bank)
    WHERE released_at IS NULL AND bank IS NOT NULL;
CREATE UNIQUE INDEX incidents_one_per_float ON incidents (channel)
    WHERE released_at IS NULL AND kind = 'float_off';

CREATE TRIGGER incidents_stay BEFORE DELETE ON incidents
BEGIN SELECT RAISE(ABORT, 'incidents are never deleted'); END;

CREATE TABLE channel_balances (
    channel TEXT PRIMARY KEY,
    currency TEXT NOT NULL,
    available_minor INTEGER, -- null until the institution has said it once
    said_at INTEGER,
    low_minor INTEGER NOT NULL, -- our float when it was said
    high_minor INTEGER NOT NULL, -- the same with all that may not have left yet
    off_minor INTEGER NOT NULL, -- by how much it lies below (negative) or above these two
    off_looks INTEGER NOT NULL, -- looks in a row that found more off than is told
    told_minor INTEGER NOT NULL, -- what people know of
    failures INTEGER NOT NULL, -- looks in a row without an answer
    problem TEXT NOT NULL, -- of the last of them
    due_at INTEGER NOT NULL
) STRICT;
