-- What a restore needs: whose database this is, whether it may send, what was looked at since.

-- One row, made with the schema. References derive from it, and the mark beside the database.
CREATE TABLE installation (
    id TEXT PRIMARY KEY
) STRICT;
INSERT INTO installation (id) VALUES (lower(hex(randomblob(16))));

-- The newest one counts; while it has no end, nothing is armed.
CREATE TABLE quarantines (
    id INTEGER PRIMARY KEY,
    cause TEXT NOT NULL,
    backup_at INTEGER NOT NULL, -- what was done since then may be forgotten
    started_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;

-- Payouts whose truth was fetched from the channels since the quarantine began.
CREATE TABLE rebuilt_payouts (
    quarantine INTEGER NOT NULL,
    payout_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (quarantine, payout_id)
) STRICT, WITHOUT ROWID;

-- Channels that two people vouch for, because they cannot answer for themselves.
CREATE TABLE waivers (
    quarantine INTEGER NOT NULL,
    channel TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    agreed_by TEXT,
    agreed_at INTEGER,
    PRIMARY KEY (quarantine, channel),
    CHECK (agreed_by IS NULL OR agreed_by <> asked_by)
) STRICT, WITHOUT ROWID;

CREATE INDEX statement_lines_by_reference ON statement_lines (channel, reference)
    WHERE reference IS NOT NULL;
