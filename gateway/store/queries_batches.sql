-- Batches of payouts; conventions as in queries.sql.


-- name: insert_batch
-- No row when the id, the key or the content is taken.
INSERT INTO batches (
    merchant_id, id, key, fingerprint, content, mode, profile, currency, row_count, total_minor, state,
    reserved_minor, created_at, updated_at, actor, refused
) VALUES (
    :merchant_id, :id, :key, :fingerprint, :content, :mode, :profile, :currency, :row_count,
    :total_minor, :state, :reserved_minor, :created_at, :updated_at, :actor, :refused
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: insert_batch_row
-- The same upload again meets what it has stored already.
INSERT INTO batch_rows (
    merchant_id, batch_id, number, line, merchant_ref, amount_minor, hold_minor, body, state, refused
) VALUES (
    :merchant_id, :batch_id, :number, :line, :merchant_ref, :amount_minor, :hold_minor, :body, :state,
    :refused
)
ON CONFLICT DO NOTHING

-- name: accept_batch_row
-- No row when it was accepted or refused before.
UPDATE batch_rows SET state = 'accepted', payout_id = :payout_id
WHERE merchant_id = :merchant_id AND batch_id = :batch_id AND number = :number AND state = 'waiting'
RETURNING number

-- name: refuse_batch_row
UPDATE batch_rows SET state = 'refused', refused = :refused
WHERE merchant_id = :merchant_id AND batch_id = :batch_id AND number = :number AND state = 'waiting'

-- name: undo_batch_row
UPDATE batch_rows SET state = 'undone'
WHERE merchant_id = :merchant_id AND batch_id = :batch_id AND number = :number AND state = 'accepted'

-- name: release_batch_rows
-- Payouts that were accepted without being due become due; whoever acted on one keeps what it did.
UPDATE payouts SET due_at = COALESCE(release_at, :now)
WHERE merchant_id = :merchant_id AND version = 1 AND due_at IS NULL
  AND state IN ('routing', 'scheduled')
  AND id IN (
    SELECT payout_id FROM batch_rows
    WHERE merchant_id = :merchant_id AND batch_id = :batch_id AND state = 'accepted'
      AND number > :first AND number <= :last
)

-- name: move_batch
-- No row when it has moved on. A refused one no longer keeps its content from coming again.
UPDATE batches
SET state = :state, reserved_minor = :reserved_minor, updated_at = :updated_at, refused = :refused,
    content = CASE WHEN :state = 'refused' THEN NULL ELSE content END
WHERE merchant_id = :merchant_id AND id = :id AND state = :before
RETURNING id

-- name: find_batches
SELECT
    id, merchant_id, key, fingerprint, content, mode, profile, currency, row_count, total_minor, state,
    reserved_minor, created_at, updated_at, actor, refused
FROM batches
WHERE 1 = 1
  AND merchant_id = :merchant_id -- if given
  AND id = :id -- if given
  AND key = :key -- if given
  AND content = :content -- if given
  AND state = :state -- if given
  AND (created_at, id) < (SELECT b.created_at, b.id FROM batches AS b WHERE b.id = :before_id) -- if given
ORDER BY created_at DESC, id DESC
LIMIT :limit

-- name: batches_under_way
SELECT id FROM batches
WHERE state IN ('checking', 'accepting', 'releasing', 'undoing')
ORDER BY created_at, id

-- name: batches_cut_off
SELECT id FROM batches
WHERE state = 'storing' AND updated_at < :before
ORDER BY updated_at

-- name: open_batch_of
-- The batch that a payout waits for: it may still be undone.
SELECT b.id
FROM batches AS b
JOIN batch_rows AS r ON r.merchant_id = b.merchant_id AND r.batch_id = b.id
WHERE b.merchant_id = :merchant_id AND b.mode = 'all_or_nothing' AND b.state IN ('accepting', 'undoing')
  AND r.state = 'accepted' AND r.payout_id = :payout_id

-- name: find_batch_rows
-- Not by merchant as well: of one whose payouts PostgreSQL has not counted yet it would read them
-- all, for each row.
SELECT
    r.number, r.line, r.merchant_ref, r.amount_minor, r.hold_minor, r.body, r.state, r.payout_id,
    r.refused, p.state, p.reason
FROM batch_rows AS r
LEFT JOIN payouts AS p ON p.id = r.payout_id
WHERE r.merchant_id = :merchant_id AND r.batch_id = :batch_id AND r.number > :after
  AND r.state = :state -- if given
  AND p.state = :payout_state -- if given
ORDER BY r.number
LIMIT :limit

-- name: count_batch_rows
SELECT
    r.state, p.state, CAST(COUNT(*) AS BIGINT), CAST(SUM(r.amount_minor) AS BIGINT)
FROM batch_rows AS r
LEFT JOIN payouts AS p ON p.id = r.payout_id
WHERE r.merchant_id = :merchant_id AND r.batch_id = :batch_id
GROUP BY r.state, p.state

-- name: count_stored_rows
SELECT CAST(COUNT(*) AS BIGINT), CAST(COALESCE(SUM(hold_minor), 0) AS BIGINT)
FROM batch_rows
WHERE merchant_id = :merchant_id AND batch_id = :batch_id
  AND state = :state -- if given

-- name: unaccepted_hold
-- What was reserved for rows that never became payouts.
SELECT CAST(COALESCE(SUM(hold_minor), 0) AS BIGINT)
FROM batch_rows
WHERE merchant_id = :merchant_id AND batch_id = :batch_id AND state IN ('waiting', 'refused')

-- name: taken_refs
-- Waiting rows whose number a payout has already. Each asks for itself: joined, as above.
SELECT r.number
FROM batch_rows AS r
WHERE r.merchant_id = :merchant_id AND r.batch_id = :batch_id AND r.state = 'waiting'
  AND (
      SELECT p.id FROM payouts AS p
      WHERE p.merchant_id = r.merchant_id AND p.merchant_ref = r.merchant_ref
  ) IS NOT NULL
ORDER BY r.number
