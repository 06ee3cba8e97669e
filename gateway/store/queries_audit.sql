-- The tamper-evident log over events and directory changes. Read and written beside the payouts'
-- own commits, never in them. What differs on PostgreSQL is in queries_postgres.sql.


-- name: insert_audit
-- The feed position is this table's own; one writer, so it grows in the order of commits.
INSERT INTO audit (at, actor, action, subject, detail, feed)
SELECT :at, :actor, :action, :subject, :detail, COALESCE(MAX(feed), 0) + 1 FROM audit

-- name: audit_trail
SELECT id, at, actor, action, subject, detail FROM audit
WHERE id > :after
ORDER BY id
LIMIT :limit

-- name: log_head
-- How many leaves there are, the chain's last value, and the last row of either table in the log.
SELECT
    (SELECT COALESCE(MAX(position), -1) + 1 FROM audit_leaves),
    (SELECT chain FROM audit_leaves ORDER BY position DESC LIMIT 1),
    (SELECT COALESCE(MAX(feed), 0) FROM audit_leaves WHERE source = 'event'),
    (SELECT COALESCE(MAX(feed), 0) FROM audit_leaves WHERE source = 'directory')

-- name: events_to_log
SELECT
    e.feed, e.at, e.actor, e.kind, e.merchant_id, e.payout_id, e.seq, e.state, e.detail,
    b.state_hash, e.state_hash
FROM events AS e
LEFT JOIN events AS b
    ON b.merchant_id = e.merchant_id AND b.payout_id = e.payout_id AND b.seq = e.seq - 1
WHERE e.feed > :after
ORDER BY e.feed
LIMIT :limit

-- name: directory_to_log
SELECT feed, at, actor, action, subject, detail FROM audit
WHERE feed > :after
ORDER BY feed
LIMIT :limit

-- name: insert_leaf
-- No row when another process has logged this place, or this row, meanwhile.
INSERT INTO audit_leaves (position, source, feed, subject, hash, chain)
VALUES (:position, :source, :feed, :subject, :hash, :chain)
ON CONFLICT DO NOTHING
RETURNING position

-- name: insert_subtree
INSERT INTO audit_subtrees (height, number, hash) VALUES (:height, :number, :hash)

-- name: leaf_hashes
SELECT position, hash FROM audit_leaves
WHERE position >= :first AND position < :beyond
ORDER BY position

-- name: subtree_hashes
SELECT number, hash FROM audit_subtrees
WHERE height = :height AND number >= :first AND number < :beyond
ORDER BY number

-- name: leaf_chain
SELECT chain FROM audit_leaves WHERE position = :position

-- name: leaves
SELECT position, source, feed, hash, chain, subject FROM audit_leaves
WHERE position >= :first
ORDER BY position
LIMIT :limit

-- name: events_logged
-- The rows behind a run of leaves, by their feed.
SELECT
    e.feed, e.at, e.actor, e.kind, e.merchant_id, e.payout_id, e.seq, e.state, e.detail,
    b.state_hash, e.state_hash
FROM events AS e
LEFT JOIN events AS b
    ON b.merchant_id = e.merchant_id AND b.payout_id = e.payout_id AND b.seq = e.seq - 1
WHERE e.feed >= :first AND e.feed <= :last

-- name: directory_logged
SELECT feed, at, actor, action, subject, detail FROM audit
WHERE feed >= :first AND feed <= :last

-- name: events_not_logged
-- Rows behind the last logged one that have no leaf: nothing can come there any more.
SELECT e.feed, e.payout_id, e.seq FROM events AS e
WHERE e.feed <= :last
  AND NOT EXISTS (
      SELECT 1 FROM audit_leaves AS l WHERE l.source = 'event' AND l.feed = e.feed
  )
ORDER BY e.feed
LIMIT :limit

-- name: directory_not_logged
SELECT a.feed, a.subject FROM audit AS a
WHERE (a.feed IS NULL OR a.feed <= :last)
  AND NOT EXISTS (
      SELECT 1 FROM audit_leaves AS l WHERE l.source = 'directory' AND l.feed = a.feed
  )
ORDER BY a.feed
LIMIT :limit

-- name: leaves_of_payout
SELECT
    e.feed, e.at, e.actor, e.kind, e.merchant_id, e.payout_id, e.seq, e.state, e.detail,
    b.state_hash, e.state_hash, l.position
FROM events AS e
LEFT JOIN events AS b
    ON b.merchant_id = e.merchant_id AND b.payout_id = e.payout_id AND b.seq = e.seq - 1
LEFT JOIN audit_leaves AS l ON l.source = 'event' AND l.feed = e.feed
WHERE e.merchant_id = :merchant_id AND e.payout_id = :payout_id
ORDER BY e.seq

-- name: state_hashes
-- What the events of a page of payouts committed to; :ids is a JSON array.
SELECT e.payout_id, e.seq, e.state_hash
FROM json_each(:ids) AS wanted
JOIN payouts AS p ON p.id = wanted.value
JOIN events AS e ON e.merchant_id = p.merchant_id AND e.payout_id = p.id

-- name: payouts_gone
SELECT e.payout_id FROM events AS e
WHERE e.seq = 1
  AND NOT EXISTS (
      SELECT 1 FROM payouts AS p WHERE p.merchant_id = e.merchant_id AND p.id = e.payout_id
  )
ORDER BY e.payout_id
LIMIT :limit

-- name: insert_checkpoint
INSERT INTO audit_checkpoints (size, at, note) VALUES (:size, :at, :note)
ON CONFLICT DO NOTHING

-- name: checkpoints
SELECT size, at, note FROM audit_checkpoints
WHERE 1 = 1
  AND at < :before -- if given
ORDER BY at DESC, size DESC
LIMIT :limit
