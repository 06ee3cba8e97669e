-- The tamper-evident log over events and directory changes: leaves, subtrees, checkpoints.
-- Events and audit rows stay what they are; the log commits to them, in the order of their feeds.

-- SHA-256 of the payout's whole state after the event's commit; NULL in events older than this.
ALTER TABLE events ADD COLUMN state_hash BYTEA;

-- Where readers of directory changes stand: as events.feed, safe to read past with many writers.
ALTER TABLE audit ADD COLUMN feed BIGINT;
DROP TRIGGER audit_stays_the_same ON audit;
UPDATE audit SET feed = id;
CREATE TRIGGER audit_stays_the_same BEFORE UPDATE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse('audit rows are append-only');
CREATE UNIQUE INDEX audit_by_feed ON audit (feed);

CREATE TABLE audit_leaves (
    position BIGINT PRIMARY KEY, -- from 0, without gaps
    source TEXT NOT NULL CHECK (source IN ('event', 'directory')),
    feed BIGINT NOT NULL, -- of the row in events or audit
    subject TEXT NOT NULL, -- as in the leaf, so that a row that is gone can be named
    hash BYTEA NOT NULL, -- RFC 6962 leaf hash
    chain BYTEA NOT NULL -- hash chain up to and including this leaf
);
CREATE UNIQUE INDEX audit_leaves_by_row ON audit_leaves (source, feed);

CREATE TRIGGER audit_leaves_stay_the_same BEFORE UPDATE ON audit_leaves
FOR EACH ROW EXECUTE FUNCTION refuse('leaves are append-only');

CREATE TRIGGER audit_leaves_stay BEFORE DELETE ON audit_leaves
FOR EACH ROW EXECUTE FUNCTION refuse('leaves are append-only');

-- Roots of perfect subtrees of 256, 65536, ... leaves; those between are computed from 256 of them.
CREATE TABLE audit_subtrees (
    height BIGINT NOT NULL,
    number BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    PRIMARY KEY (height, number)
);

CREATE TRIGGER audit_subtrees_stay_the_same BEFORE UPDATE ON audit_subtrees
FOR EACH ROW EXECUTE FUNCTION refuse('subtrees are append-only');

CREATE TRIGGER audit_subtrees_stay BEFORE DELETE ON audit_subtrees
FOR EACH ROW EXECUTE FUNCTION refuse('subtrees are append-only');

CREATE TABLE audit_checkpoints (
    size BIGINT NOT NULL,
    at BIGINT NOT NULL,
    note TEXT NOT NULL, -- signed
    PRIMARY KEY (size, at)
);

CREATE TRIGGER audit_checkpoints_stay_the_same BEFORE UPDATE ON audit_checkpoints
FOR EACH ROW EXECUTE FUNCTION refuse('checkpoints are append-only');

CREATE TRIGGER audit_checkpoints_stay BEFORE DELETE ON audit_checkpoints
FOR EACH ROW EXECUTE FUNCTION refuse('checkpoints are append-only');
