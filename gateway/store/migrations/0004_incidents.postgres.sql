-- Proof that silence gives, and what happens when proof was wrong: counted absences, whose key is
-- whose, incidents, proposals of two people, dead attempts under watch.

ALTER TABLE attempts ADD COLUMN absent_at TEXT NOT NULL DEFAULT '[]'; -- JSON array of microseconds

ALTER TABLE api_keys ADD COLUMN person TEXT; -- whose key it is; two people are two persons

CREATE INDEX attempts_doubtful ON attempts (channel, signed_at)
    WHERE state IN ('pending', 'in_doubt');
CREATE INDEX attempts_paid ON attempts (channel, paid_at) WHERE state = 'confirmed';

CREATE TABLE incidents (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN (
        'late_success', 'regress', 'statement_duplicate'
    )),
    freezes SMALLINT NOT NULL CHECK (freezes IN (0, 1)), -- nothing leaves the channel on its word
    channel TEXT NOT NULL,
    payout_id TEXT,
    attempt BIGINT,
    evidence TEXT NOT NULL, -- where to look; no payee data
    opened_at BIGINT NOT NULL,
    owner TEXT NOT NULL,
    released_at BIGINT,
    released_by TEXT,
    note TEXT
);
CREATE INDEX incidents_open ON incidents (channel) WHERE released_at IS NULL;

CREATE TRIGGER incidents_stay BEFORE DELETE ON incidents
FOR EACH ROW EXECUTE FUNCTION refuse('incidents are never deleted');

CREATE TABLE proposals (
    id TEXT PRIMARY KEY,
    payout_id TEXT NOT NULL,
    merchant_id TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    sends BIGINT NOT NULL,
    reason TEXT NOT NULL,
    evidence BYTEA NOT NULL, -- sealed: may name the payee
    evidence_sha256 TEXT,
    maker TEXT NOT NULL,
    maker_person TEXT NOT NULL,
    proposed_at BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('open', 'approved', 'rejected')),
    checker TEXT,
    checker_person TEXT,
    decided_at BIGINT,
    note TEXT
);
CREATE UNIQUE INDEX proposals_one_open ON proposals (payout_id) WHERE state = 'open';
CREATE INDEX proposals_by_payout ON proposals (payout_id, id);

CREATE TRIGGER proposals_stay BEFORE DELETE ON proposals
FOR EACH ROW EXECUTE FUNCTION refuse('proposals are never deleted');

CREATE TRIGGER proposals_once BEFORE UPDATE ON proposals
FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION refuse('a proposal is decided once');

CREATE TABLE watches (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    number BIGINT NOT NULL,
    died_at BIGINT NOT NULL,
    looks BIGINT NOT NULL,
    due_at BIGINT, -- null when it was looked at often enough
    PRIMARY KEY (merchant_id, payout_id, number)
);
CREATE INDEX watches_due ON watches (due_at) WHERE due_at IS NOT NULL;
