-- Split payouts: one instruction, several payouts. How many legs stand where is counted in the commit
-- that moves a leg. Not compatible with earlier programs: they would not count.

CREATE TABLE splits (
    merchant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL, -- SHA-256 of the canonical request body
    merchant_ref TEXT NOT NULL,
    currency TEXT NOT NULL,
    total_minor BIGINT NOT NULL CHECK (total_minor > 0),
    legs BIGINT NOT NULL CHECK (legs > 0),
    legs_open BIGINT NOT NULL CHECK (legs_open >= 0),
    legs_paid BIGINT NOT NULL CHECK (legs_paid >= 0),
    legs_failed BIGINT NOT NULL CHECK (legs_failed >= 0),
    legs_returned BIGINT NOT NULL CHECK (legs_returned >= 0),
    changes BIGINT NOT NULL, -- of these counts; numbers the webhooks
    accepted_at BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, id),
    CHECK (legs = legs_open + legs_paid + legs_failed + legs_returned)
);
CREATE UNIQUE INDEX splits_one_per_key ON splits (merchant_id, idempotency_key);
CREATE UNIQUE INDEX splits_one_per_ref ON splits (merchant_id, merchant_ref);
CREATE INDEX splits_by_id ON splits (id);

CREATE TRIGGER splits_stay BEFORE DELETE ON splits
FOR EACH ROW EXECUTE FUNCTION refuse('splits are never deleted');

ALTER TABLE payouts ADD COLUMN split_id TEXT;
ALTER TABLE payouts ADD COLUMN leg TEXT; -- JSON; null when it is part of no split
CREATE INDEX payouts_by_split ON payouts (split_id) WHERE split_id IS NOT NULL;
