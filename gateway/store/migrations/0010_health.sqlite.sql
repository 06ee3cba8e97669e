-- Who is ill, and who may not be used: incidents of banks, the kill switch, planned maintenance.
-- Not compatible with earlier programs: they would send in spite of a kill.

ALTER TABLE incidents RENAME TO incidents_until_0010;
DROP INDEX incidents_open;

CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN (
        'late_success', 'regress', 'statement_duplicate', 'bank_down'
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
    released_by, note
)
SELECT
    id, kind, freezes, channel, payout_id, attempt, evidence, opened_at, owner, released_at,
    released_by, note
FROM incidents_until_0010;
DROP TABLE incidents_until_0010;
CREATE INDEX incidents_open ON incidents (channel) WHERE released_at IS NULL;
CREATE UNIQUE INDEX incidents_one_per_bank ON incidents (bank)
    WHERE released_at IS NULL AND bank IS NOT NULL;

CREATE TRIGGER incidents_stay BEFORE DELETE ON incidents
BEGIN SELECT RAISE(ABORT, 'incidents are never deleted'); END;

CREATE TABLE kills (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL, -- * for all, also those configured later
    reason TEXT NOT NULL,
    killed_at INTEGER NOT NULL,
    killed_by TEXT NOT NULL,
    revived_at INTEGER,
    revived_by TEXT,
    revived_person TEXT, -- only a key that names a person revives
    note TEXT
) STRICT;
CREATE UNIQUE INDEX kills_one_open ON kills (channel) WHERE revived_at IS NULL;

CREATE TRIGGER kills_stay BEFORE DELETE ON kills
BEGIN SELECT RAISE(ABORT, 'kills are never deleted'); END;

CREATE TRIGGER kills_once BEFORE UPDATE ON kills
WHEN OLD.revived_at IS NOT NULL OR NEW.revived_person IS NULL
BEGIN SELECT RAISE(ABORT, 'a kill ends once, by a person'); END;

CREATE TABLE maintenance (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    from_at INTEGER NOT NULL,
    until_at INTEGER NOT NULL CHECK (until_at > from_at),
    reason TEXT NOT NULL,
    added_at INTEGER NOT NULL,
    added_by TEXT NOT NULL,
    removed_at INTEGER
) STRICT;
CREATE INDEX maintenance_planned ON maintenance (until_at) WHERE removed_at IS NULL;
