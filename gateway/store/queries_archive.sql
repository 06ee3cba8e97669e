-- Archives of what ended payouts no longer need at hand; conventions as in queries.sql.


-- name: archivable
-- Ended, left alone for long, with nothing open: no webhook owed, no one's act or look awaited.
SELECT p.merchant_id, p.id FROM payouts AS p
WHERE p.id > :after AND p.id < :until_id AND p.updated_at < :before AND p.due_at IS NULL
  AND p.state IN ('settled', 'returned', 'failed', 'cancelled')
  AND NOT EXISTS (
      SELECT 1 FROM archived_payouts AS a
      WHERE a.merchant_id = p.merchant_id AND a.payout_id = p.id
  )
  AND NOT EXISTS (
      SELECT 1 FROM deliveries AS d
      WHERE d.merchant_id = p.merchant_id AND d.payout_id = p.id AND d.state = 'due'
  )
  AND NOT EXISTS (
      SELECT 1 FROM watches AS w
      WHERE w.merchant_id = p.merchant_id AND w.payout_id = p.id AND w.due_at IS NOT NULL
  )
  AND NOT EXISTS (SELECT 1 FROM proposals AS o WHERE o.payout_id = p.id AND o.state = 'open')
  AND p.id NOT IN (
      SELECT i.payout_id FROM incidents AS i
      WHERE i.released_at IS NULL AND i.payout_id IS NOT NULL
  )
  AND p.id NOT IN (SELECT b.payout_id FROM breaks AS b WHERE b.payout_id IS NOT NULL)
ORDER BY p.id
LIMIT :limit

-- name: decisions_to_archive
-- :ids is a JSON array.
SELECT d.payout_id, d.id, d.at, d.decision
FROM json_each(:ids) AS wanted
JOIN payouts AS p ON p.id = wanted.value
JOIN decisions AS d ON d.merchant_id = p.merchant_id AND d.payout_id = p.id
ORDER BY d.payout_id, d.id

-- name: deliveries_to_archive
SELECT
    d.payout_id, d.id, d.endpoint_id, d.seq, d.payload, d.state, d.tries, d.created_at,
    d.last_status, d.last_error, d.delivered_at
FROM json_each(:ids) AS wanted
JOIN payouts AS p ON p.id = wanted.value
JOIN deliveries AS d ON d.merchant_id = p.merchant_id AND d.payout_id = p.id
WHERE d.state <> 'due'
ORDER BY d.payout_id, d.seq, d.id

-- name: insert_archive
-- No row when it is kept already.
INSERT INTO archives (
    id, file, sha256, size, payouts, decisions, deliveries, made_at, actor
) VALUES (
    :id, :file, :digest, :size, :payouts, :decisions, :deliveries, :made_at, :actor
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: insert_archived_payout
-- A group that was cleared before the process was killed is cleared again.
INSERT INTO archived_payouts (merchant_id, payout_id, archive_id)
VALUES (:merchant_id, :payout_id, :archive_id)
ON CONFLICT DO NOTHING

-- name: clear_decisions
-- Only what the file holds: up to the last of them.
DELETE FROM decisions
WHERE merchant_id = :merchant_id AND payout_id = :payout_id AND id <= :last_decision

-- name: clear_deliveries
-- A webhook that somebody has asked for again meanwhile stays.
DELETE FROM deliveries
WHERE merchant_id = :merchant_id AND payout_id = :payout_id AND seq <= :last_seq
  AND state <> 'due'

-- name: close_archive
UPDATE archives SET cleared_at = :at WHERE id = :id AND cleared_at IS NULL
RETURNING id

-- name: open_archive
SELECT id, file, sha256, size, payouts, decisions, deliveries, made_at, actor, cleared_at
FROM archives
WHERE cleared_at IS NULL
ORDER BY made_at
LIMIT 1

-- name: archives
SELECT id, file, sha256, size, payouts, decisions, deliveries, made_at, actor, cleared_at
FROM archives
ORDER BY made_at DESC, id DESC
LIMIT :limit

-- name: archive_of
SELECT
    r.id, r.file, r.sha256, r.size, r.payouts, r.decisions, r.deliveries, r.made_at, r.actor,
    r.cleared_at
FROM archived_payouts AS a JOIN archives AS r ON r.id = a.archive_id
WHERE a.merchant_id = :merchant_id AND a.payout_id = :payout_id
