-- compatible: since 20
-- Archives: files that took over what ended payouts no longer need at hand. And indexes, so that what
-- is looked for all the time does not take longer with the years.

CREATE TABLE archives (
    id TEXT PRIMARY KEY, -- from the hash of what is in it
    file TEXT NOT NULL,
    sha256 TEXT NOT NULL, -- of the file
    size INTEGER NOT NULL CHECK (size > 0),
    payouts INTEGER NOT NULL CHECK (payouts > 0),
    decisions INTEGER NOT NULL CHECK (decisions >= 0),
    deliveries INTEGER NOT NULL CHECK (deliveries >= 0),
    made_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    cleared_at INTEGER -- null until the database has let go of all that is in it
) STRICT;
CREATE INDEX archives_open ON archives (made_at) WHERE cleared_at IS NULL;
CREATE INDEX archives_by_time ON archives (made_at, id);

CREATE TRIGGER archives_stay BEFORE DELETE ON archives
BEGIN SELECT RAISE(ABORT, 'archives are never forgotten'); END;

CREATE TABLE archived_payouts (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    archive_id TEXT NOT NULL,
    PRIMARY KEY (merchant_id, payout_id)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER archived_payouts_stay BEFORE DELETE ON archived_payouts
BEGIN SELECT RAISE(ABORT, 'archives are never forgotten'); END;

-- Fees that no statement has confirmed are added up every few minutes: from the index alone.
DROP INDEX attempts_unsettled;
CREATE INDEX attempts_unsettled ON attempts (channel, paid_at, fee_minor, quoted_fee_minor)
    WHERE state = 'confirmed' AND settled_on IS NULL;

-- One checkpoint a minute, and the newest is asked for every minute.
CREATE INDEX audit_checkpoints_by_time ON audit_checkpoints (at, size);
CREATE INDEX audit_restores ON audit (subject) WHERE action = 'database.restored';
