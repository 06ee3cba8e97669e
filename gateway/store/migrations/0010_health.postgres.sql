-- Who is ill, and who may not be used: incidents of banks, the kill switch, planned maintenance.
-- Not compatible with earlier programs: they would send in spite of a kill.

ALTER TABLE incidents DROP CONSTRAINT incidents_kind_check;
ALTER TABLE incidents ADD CONSTRAINT incidents_kind_check CHECK (kind IN (
    'late_success', 'regress', 'statement_duplicate', 'bank_down'
));
ALTER TABLE incidents ADD COLUMN bank TEXT; -- the one that is down
CREATE UNIQUE INDEX incidents_one_per_bank ON incidents (bank)
    WHERE released_at IS NULL AND bank IS NOT NULL;

CREATE TABLE kills (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL, -- * for all, also those configured later
    reason TEXT NOT NULL,
    killed_at BIGINT NOT NULL,
    killed_by TEXT NOT NULL,
    revived_at BIGINT,
    revived_by TEXT,
    revived_person TEXT, -- only a key that names a person revives
    note TEXT
);
CREATE UNIQUE INDEX kills_one_open ON kills (channel) WHERE revived_at IS NULL;

CREATE TRIGGER kills_stay BEFORE DELETE ON kills
FOR EACH ROW EXECUTE FUNCTION refuse('kills are never deleted');

CREATE TRIGGER kills_once BEFORE UPDATE ON kills
FOR EACH ROW WHEN (OLD.revived_at IS NOT NULL OR NEW.revived_person IS NULL)
EXECUTE FUNCTION refuse('a kill ends once, by a person');

CREATE TABLE maintenance (
    id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    from_at BIGINT NOT NULL,
    until_at BIGINT NOT NULL CHECK (until_at > from_at),
    reason TEXT NOT NULL,
    added_at BIGINT NOT NULL,
    added_by TEXT NOT NULL,
    removed_at BIGINT
);
CREATE INDEX maintenance_planned ON maintenance (until_at) WHERE removed_at IS NULL;
