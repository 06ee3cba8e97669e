-- What the month's plan is made from, and the plans; conventions as in queries.sql. Days and hours are
-- business time, which is eight hours ahead of UTC all year.


-- name: insert_plan
INSERT INTO plans (id, month_on, currency, made_at, actor, reason, basis, plan)
VALUES (:id, :month_on, :currency, :made_at, :actor, :reason, :basis, :plan)
ON CONFLICT (id) DO NOTHING

-- name: newest_plan
SELECT id, month_on, currency, made_at, actor, reason, basis, plan FROM plans
WHERE currency = :currency
ORDER BY made_at DESC, id DESC
LIMIT 1

-- name: newest_plan_id
SELECT id FROM plans
WHERE currency = :currency
ORDER BY made_at DESC, id DESC
LIMIT 1

-- name: plans
SELECT id, month_on, currency, made_at, actor, reason, basis, plan FROM plans
ORDER BY made_at DESC, id DESC
LIMIT :limit

-- name: plan_volumes
-- What was given to channels since a moment, by local day, class and channel; what died not counted.
SELECT day, channel, rail, speed, band, COUNT(*), SUM(amount_minor)
FROM (
    SELECT
        (a.armed_at + 28800000000) / 86400000000 AS day, a.channel, a.rail, p.speed,
        p.amount_minor,
        CASE
        WHEN p.amount_minor < :band_a THEN 0
        WHEN p.amount_minor < :band_b THEN 1
        WHEN p.amount_minor < :band_c THEN 2
        WHEN p.amount_minor < :band_d THEN 3
        WHEN p.amount_minor < :band_e THEN 4
        WHEN p.amount_minor < :band_f THEN 5
        WHEN p.amount_minor < :band_g THEN 6
        WHEN p.amount_minor < :band_h THEN 7
        WHEN p.amount_minor < :band_i THEN 8
        WHEN p.amount_minor < :band_j THEN 9
        WHEN p.amount_minor < :band_k THEN 10
        WHEN p.amount_minor < :band_l THEN 11
        WHEN p.amount_minor < :band_m THEN 12
        WHEN p.amount_minor < :band_n THEN 13
        WHEN p.amount_minor < :band_o THEN 14
        WHEN p.amount_minor < :band_p THEN 15
        WHEN p.amount_minor < :band_q THEN 16
        WHEN p.amount_minor < :band_r THEN 17
        WHEN p.amount_minor < :band_s THEN 18
        ELSE 19 END AS band
    FROM attempts AS a
    JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
    WHERE a.armed_at >= :since AND a.armed_at < :until AND a.state <> 'dead' AND a.rail <> ''
      AND p.currency = :currency
) AS given
GROUP BY day, channel, rail, speed, band

-- name: plan_hours
-- Payouts by local hour of the day.
SELECT (a.armed_at + 28800000000) / 3600000000 % 24 AS hour, COUNT(*)
FROM attempts AS a
JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
WHERE a.armed_at >= :since AND a.armed_at < :until AND a.state <> 'dead' AND a.rail <> ''
  AND p.currency = :currency
GROUP BY 1
