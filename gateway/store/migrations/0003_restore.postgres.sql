-- What a restore needs: whose database this is, whether it may send, what was looked at since.

-- One row, made with the schema. References derive from it, and the mark beside the database.
CREATE TABLE installation (
    id TEXT PRIMARY KEY
);
INSERT INTO installation (id) VALUES (replace(CAST(gen_random_uuid() AS TEXT), '-', ''));

-- The newest one counts; while it has no end, nothing is armed.
CREATE TABLE quarantines (
    id BIGINT PRIMARY KEY,
    cause TEXT NOT NULL,
    backup_at BIGINT NOT NULL, -- what was done since then may be forgotten
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);

-- Payouts whose truth was fetched from the channels since the quarantine began.
CREATE TABLE rebuilt_payouts (
    quarantine BIGINT NOT NULL,
    payout_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (quarantine, payout_id)
);

-- Channels that two people vouch for, because they cannot answer for themselves.
CREATE TABLE waivers (
    quarantine BIGINT NOT NULL,
    channel TEXT NOT NULL,
    reason TEXT NOT NULL,
    asked_by TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    agreed_by TEXT,
    agreed_at BIGINT,
    PRIMARY KEY (quarantine, channel),
    CHECK (agreed_by IS NULL OR agreed_by <> asked_by)
);

CREATE INDEX statement_lines_by_reference ON statement_lines (channel, reference)
    WHERE reference IS NOT NULL;
