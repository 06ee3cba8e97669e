-- Plans of a month's shares, newest followed; and what a plan needs to count: by which rail an attempt
-- went (empty for those from before), and attempts by the time they were armed.

ALTER TABLE attempts ADD COLUMN rail TEXT NOT NULL DEFAULT '';
CREATE INDEX attempts_by_armed_at ON attempts (armed_at);

CREATE TABLE plans (
    id TEXT PRIMARY KEY,
    month_on TEXT NOT NULL,
    currency TEXT NOT NULL,
    made_at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    reason TEXT NOT NULL, -- why it was made: first, timer, month, drift, changed, asked
    basis TEXT NOT NULL, -- hash of fees, channels and parameters it was made for
    plan TEXT NOT NULL -- JSON
);
CREATE INDEX plans_by_time ON plans (currency, made_at);

CREATE TRIGGER plans_stay_the_same BEFORE UPDATE ON plans
FOR EACH ROW EXECUTE FUNCTION refuse('plans are append-only');
CREATE TRIGGER plans_stay BEFORE DELETE ON plans
FOR EACH ROW EXECUTE FUNCTION refuse('plans are append-only');
