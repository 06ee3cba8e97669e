-- How a payout's fee was computed, and what merchants asked for by calendar month in Asia/Shanghai
-- (UTC+8 all year since 1992), tallied per currency. Not compatible with earlier programs: they
-- would not count.

ALTER TABLE payouts ADD COLUMN charge TEXT; -- JSON; null when nothing was agreed, and for older ones
ALTER TABLE payouts ADD COLUMN fee_mode TEXT NOT NULL DEFAULT 'on_top'
    CHECK (fee_mode IN ('on_top', 'deducted'));

INSERT INTO tallies (kind, owner, bucket, slot, total)
SELECT
    'asked', merchant_id || ':' || currency,
    CAST(strftime('%Y', accepted_at / 1000000 + 28800, 'unixepoch') AS INTEGER) * 12
        + CAST(strftime('%m', accepted_at / 1000000 + 28800, 'unixepoch') AS INTEGER) - 1,
    0, SUM(amount_minor)
FROM payouts
WHERE state NOT IN ('failed', 'cancelled')
GROUP BY 2, 3;

INSERT INTO tallies (kind, owner, bucket, slot, total)
SELECT
    'asked_count', merchant_id || ':' || currency,
    CAST(strftime('%Y', accepted_at / 1000000 + 28800, 'unixepoch') AS INTEGER) * 12
        + CAST(strftime('%m', accepted_at / 1000000 + 28800, 'unixepoch') AS INTEGER) - 1,
    0, COUNT(*)
FROM payouts
WHERE state NOT IN ('failed', 'cancelled')
GROUP BY 2, 3;
