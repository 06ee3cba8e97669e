-- How a payout's fee was computed, and what merchants asked for by calendar month in Asia/Shanghai
-- (UTC+8 all year since 1992), tallied per currency. Not compatible with earlier programs: they
-- would not count.

ALTER TABLE payouts ADD COLUMN charge TEXT; -- JSON; null when nothing was agreed, and for older ones
ALTER TABLE payouts ADD COLUMN fee_mode TEXT NOT NULL DEFAULT 'on_top'
    CHECK (fee_mode IN ('on_top', 'deducted'));

INSERT INTO tallies (kind, owner, bucket, slot, total)
SELECT
    'asked', merchant_id || ':' || currency,
    CAST(EXTRACT(YEAR FROM local_at) AS BIGINT) * 12
        + CAST(EXTRACT(MONTH FROM local_at) AS BIGINT) - 1,
    0, CAST(SUM(amount_minor) AS BIGINT)
FROM (
    SELECT *, to_timestamp(accepted_at / 1000000 + 28800) AT TIME ZONE 'UTC' AS local_at FROM payouts
) AS placed
WHERE state NOT IN ('failed', 'cancelled')
GROUP BY 2, 3;

INSERT INTO tallies (kind, owner, bucket, slot, total)
SELECT
    'asked_count', merchant_id || ':' || currency,
    CAST(EXTRACT(YEAR FROM local_at) AS BIGINT) * 12
        + CAST(EXTRACT(MONTH FROM local_at) AS BIGINT) - 1,
    0, COUNT(*)
FROM (
    SELECT *, to_timestamp(accepted_at / 1000000 + 28800) AT TIME ZONE 'UTC' AS local_at FROM payouts
) AS placed
WHERE state NOT IN ('failed', 'cancelled')
GROUP BY 2, 3;
