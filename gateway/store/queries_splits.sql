-- Splits: what one instruction is to several payouts. A leg's own writes are those of any payout.


-- name: insert_split
-- No row when the id, the idempotency key or the merchant's own reference is taken.
INSERT INTO splits (
    merchant_id, id, idempotency_key, fingerprint, merchant_ref, currency, total_minor, legs,
    legs_open, legs_paid, legs_failed, legs_returned, changes, accepted_at
) VALUES (
    :merchant_id, :id, :idempotency_key, :fingerprint, :merchant_ref, :currency, :total_minor,
    :legs, :legs, 0, 0, 0, 0, :accepted_at
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: move_leg
UPDATE splits
SET legs_open = legs_open + :opened, legs_paid = legs_paid + :paid,
    legs_failed = legs_failed + :failed, legs_returned = legs_returned + :returned,
    changes = changes + 1
WHERE merchant_id = :merchant_id AND id = :id
RETURNING id

-- name: insert_split_deliveries
-- After move_leg: one per active endpoint that wants them, if the split has come to that status.
-- Two legs that end in one commit collide here in `seq`, and are then committed one by one.
INSERT INTO deliveries (
    id, merchant_id, endpoint_id, payout_id, seq, payload, state, tries, due_at, created_at
)
SELECT
    CAST(:stem AS TEXT) || e.id, e.merchant_id, e.id, s.id, s.changes, :payload, 'due', 0, :at, :at
FROM splits AS s JOIN webhook_endpoints AS e ON e.merchant_id = s.merchant_id
WHERE s.merchant_id = :merchant_id AND s.id = :split_id AND e.active = 1
  AND (e.kinds = '[]' OR e.kinds LIKE '%"split.finished"%')
  AND s.legs_open = 0
  AND CAST(:status AS TEXT) = CASE
      WHEN s.legs_failed = s.legs THEN 'failed'
      WHEN s.legs_failed > 0 THEN 'partly_failed'
      WHEN s.legs_returned = s.legs THEN 'returned'
      WHEN s.legs_returned > 0 THEN 'partly_returned'
      ELSE 'paid'
  END

-- name: splits
SELECT merchant_id, id, merchant_ref, currency, total_minor, legs, accepted_at, fingerprint
FROM splits
WHERE 1 = 1
  AND id = :id -- if given
  AND merchant_id = :merchant_id -- if given
  AND idempotency_key = :idempotency_key -- if given
  AND merchant_ref = :merchant_ref -- if given

-- name: split_faults
-- Splits whose counts are not those of their legs.
SELECT s.id
FROM splits AS s LEFT JOIN payouts AS p ON p.merchant_id = s.merchant_id AND p.split_id = s.id
GROUP BY
    s.merchant_id, s.id, s.legs, s.legs_open, s.legs_paid, s.legs_failed, s.legs_returned,
    s.total_minor
HAVING COUNT(p.id) <> s.legs
    OR SUM(CASE WHEN p.state IN ('paid', 'settled') THEN 1 ELSE 0 END) <> s.legs_paid
    OR SUM(CASE WHEN p.state IN ('failed', 'cancelled') THEN 1 ELSE 0 END) <> s.legs_failed
    OR SUM(CASE WHEN p.state = 'returned' THEN 1 ELSE 0 END) <> s.legs_returned
    OR SUM(p.amount_minor + CASE p.fee_mode WHEN 'deducted' THEN p.fee_minor ELSE 0 END)
        <> s.total_minor
ORDER BY s.id
LIMIT 100
