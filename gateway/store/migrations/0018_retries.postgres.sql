-- Which payout a person found to repeat another one: whoever waits to hear of it is told what became
-- of that one. Not compatible with earlier programs: they would tell its caller "not paid".

CREATE TABLE payout_retries (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    original_id TEXT NOT NULL, -- the payout that it repeats; never itself one that repeats
    PRIMARY KEY (merchant_id, payout_id)
);
CREATE INDEX payout_retries_by_original ON payout_retries (merchant_id, original_id);

CREATE TRIGGER payout_retries_stay_the_same BEFORE UPDATE ON payout_retries
FOR EACH ROW EXECUTE FUNCTION refuse('retries are append-only');

CREATE TRIGGER payout_retries_stay BEFORE DELETE ON payout_retries
FOR EACH ROW EXECUTE FUNCTION refuse('retries are append-only');
