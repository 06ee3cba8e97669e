-- What a channel carries in a calendar month, for tiered fees: counted beside the amounts of a
-- quarter of an hour are its payouts, and both again per business day (UTC+8). And days that people
-- say are worked or not, over the published calendar: never changed or deleted, the newest holds.

CREATE INDEX tallies_by_bucket ON tallies (kind, bucket);

INSERT INTO tallies (kind, owner, bucket, slot, total)
SELECT 'armed_count', channel, armed_at / 900000000, 0, COUNT(*)
FROM attempts WHERE state <> 'dead' GROUP BY channel, armed_at / 900000000;
INSERT INTO tallies (kind, owner, bucket, slot, total)
SELECT 'armed_day_count', channel, (armed_at + 28800000000) / 86400000000, 0, COUNT(*)
FROM attempts WHERE state <> 'dead' GROUP BY channel, (armed_at + 28800000000) / 86400000000;
INSERT INTO tallies (kind, owner, bucket, slot, total)
SELECT 'armed_day', a.channel, (a.armed_at + 28800000000) / 86400000000, 0, SUM(p.amount_minor)
FROM attempts AS a JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
WHERE a.state <> 'dead' GROUP BY a.channel, (a.armed_at + 28800000000) / 86400000000;

CREATE TABLE calendar_days (
    id INTEGER PRIMARY KEY,
    day_on TEXT NOT NULL,
    works INTEGER NOT NULL CHECK (works IN (0, 1)),
    note TEXT NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX calendar_days_by_day ON calendar_days (day_on, id);
CREATE TRIGGER calendar_days_stay_the_same BEFORE UPDATE ON calendar_days
BEGIN SELECT RAISE(ABORT, 'calendar days are append-only'); END;
CREATE TRIGGER calendar_days_stay BEFORE DELETE ON calendar_days
BEGIN SELECT RAISE(ABORT, 'calendar days are append-only'); END;

-- Years of which people say that every day is given: by the State Council's notice.
CREATE TABLE calendar_years (
    year INTEGER PRIMARY KEY,
    note TEXT NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER calendar_years_stay_the_same BEFORE UPDATE ON calendar_years
BEGIN SELECT RAISE(ABORT, 'calendar years are append-only'); END;
CREATE TRIGGER calendar_years_stay BEFORE DELETE ON calendar_years
BEGIN SELECT RAISE(ABORT, 'calendar years are append-only'); END;
