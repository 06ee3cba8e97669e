-- The tamper-evident log over events and directory changes: leaves, subtrees, checkpoints.
-- Events and audit rows stay what they are; the log commits to them, in the order of their feeds.

-- SHA-256 of the payout's whole state after the event's commit; NULL in events older than this.
ALTER TABLE events ADD COLUMN state_hash BLOB;

-- Where readers of directory changes stand: as events.feed, safe to read past with many writers.
ALTER TABLE audit ADD COLUMN feed INTEGER;
DROP TRIGGER audit_stays_the_same;
UPDATE audit SET feed = id;
CREATE TRIGGER audit_stays_the_same BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END;
CREATE UNIQUE INDEX audit_by_feed ON audit (feed);

CREATE TABLE audit_leaves (
    position INTEGER PRIMARY KEY, -- from 0, without gaps
    source TEXT NOT NULL CHECK (source IN ('event', 'directory')),
    feed INTEGER NOT NULL, -- of the row in events or audit
    subject TEXT NOT NULL, -- as in the leaf, so that a row that is gone can be named
    hash BLOB NOT NULL, -- RFC 6962 leaf hash
    chain BLOB NOT NULL -- hash chain up to and including this leaf
) STRICT;
CREATE UNIQUE INDEX audit_leaves_by_row ON audit_leaves (source, feed);

CREATE TRIGGER audit_leaves_stay_the_same BEFORE UPDATE ON audit_leaves
BEGIN SELECT RAISE(ABORT, 'leaves are append-only'); END;

CREATE TRIGGER audit_leaves_stay BEFORE DELETE ON audit_leaves
BEGIN SELECT RAISE(ABORT, 'leaves are append-only'); END;

-- Roots of perfect subtrees of 256, 65536, ... leaves; those between are computed from 256 of them.
CREATE TABLE audit_subtrees (
    height INTEGER NOT NULL,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (height, number)
) STRICT;

CREATE TRIGGER audit_subtrees_stay_the_same BEFORE UPDATE ON audit_subtrees
BEGIN SELECT RAISE(ABORT, 'subtrees are append-only'); END;

CREATE TRIGGER audit_subtrees_stay BEFORE DELETE ON audit_subtrees
BEGIN SELECT RAISE(ABORT, 'subtrees are append-only'); END;

CREATE TABLE audit_checkpoints (
    size INTEGER NOT NULL,
    at INTEGER NOT NULL,
    note TEXT NOT NULL, -- signed
    PRIMARY KEY (size, at)
) STRICT;

CREATE TRIGGER audit_checkpoints_stay_the_same BEFORE UPDATE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;

CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints
BEGIN SELECT RAISE(ABORT, 'checkpoints are append-only'); END;
