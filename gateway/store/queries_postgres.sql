-- What PostgreSQL must say differently. Overrides queries.sql by name.


-- name: insert_event
-- :feed_base and :n_in_tx are filled in by the writer. The transaction id leads the position, so
-- positions grow in the order of transactions, also with many writers.
INSERT INTO events (
    feed, merchant_id, payout_id, seq, kind, state, at, actor, detail, state_hash
)
VALUES (
    (CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) + :feed_base) * 65536 + :n_in_tx,
    :merchant_id, :payout_id, :seq, :kind, :state, :at, :actor, :detail, :state_hash
)

-- name: feed
-- Stops below the oldest transaction still open: what commits later has a higher position.
SELECT feed, payout_id, seq, kind, state, at, actor, detail FROM events
WHERE feed > :after
  AND feed < (
      CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)
      + (SELECT base FROM feed_base)
  ) * 65536
  AND merchant_id = :merchant_id -- if given
ORDER BY feed
LIMIT :limit

-- name: insert_audit
-- As insert_event: the transaction id leads the position.
INSERT INTO audit (at, actor, action, subject, detail, feed)
VALUES (
    :at, :actor, :action, :subject, :detail,
    (CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) + :feed_base) * 65536 + :n_in_tx
)

-- name: events_to_log
-- Stops where feed stops.
SELECT
    e.feed, e.at, e.actor, e.kind, e.merchant_id, e.payout_id, e.seq, e.state, e.detail,
    b.state_hash, e.state_hash
FROM events AS e
LEFT JOIN events AS b
    ON b.merchant_id = e.merchant_id AND b.payout_id = e.payout_id AND b.seq = e.seq - 1
WHERE e.feed > :after
  AND e.feed < (
      CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)
      + (SELECT base FROM feed_base)
  ) * 65536
ORDER BY e.feed
LIMIT :limit

-- name: directory_to_log
SELECT feed, at, actor, action, subject, detail FROM audit
WHERE feed > :after
  AND feed < (
      CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)
      + (SELECT base FROM feed_base)
  ) * 65536
ORDER BY feed
LIMIT :limit

-- name: state_hashes
SELECT e.payout_id, e.seq, e.state_hash
FROM json_array_elements_text(CAST(:ids AS JSON)) AS wanted
JOIN payouts AS p ON p.id = wanted.value
JOIN events AS e ON e.merchant_id = p.merchant_id AND e.payout_id = p.id

-- name: attempts_by_references
SELECT
    wanted.value, a.payout_id, a.merchant_id, a.number, a.reference, a.channel_ref,
    p.amount_minor, p.currency, a.state, a.settled_on
FROM json_array_elements_text(CAST(:references AS JSON)) AS wanted
JOIN attempts AS a ON a.channel = :channel AND a.channel_ref = wanted.value
JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
UNION ALL
SELECT
    wanted.value, a.payout_id, a.merchant_id, a.number, a.reference, a.channel_ref,
    p.amount_minor, p.currency, a.state, a.settled_on
FROM json_array_elements_text(CAST(:references AS JSON)) AS wanted
JOIN attempts AS a ON a.channel = :channel AND a.reference = wanted.value
JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id

-- name: lock_balances
-- All balances a commit will move, locked in one order, so that writers cannot deadlock on them.
SELECT book, owner, currency, minor FROM balances
WHERE (book, owner, currency) IN (
    SELECT * FROM unnest(
        CAST(:books AS TEXT[]), CAST(:owners AS TEXT[]), CAST(:currencies AS TEXT[])
    )
)
ORDER BY book, owner, currency
FOR UPDATE

-- name: raise_feed_base
-- After a restore into a younger cluster: keep positions growing past every one given out.
UPDATE feed_base
SET base = given.feed / 65536 + 1 - CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)
FROM (
    SELECT GREATEST(
        (SELECT COALESCE(MAX(feed), 0) FROM events), (SELECT COALESCE(MAX(feed), 0) FROM audit)
    ) AS feed
) AS given
WHERE (CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) + base) * 65536 <= given.feed

-- name: feed_base
SELECT base FROM feed_base

-- name: lines_by_references
SELECT l.reference, l.day_on
FROM json_array_elements_text(CAST(:references AS JSON)) AS wanted
JOIN statement_lines AS l ON l.channel = :channel AND l.reference = wanted.value
WHERE l.kind = 'payout'
ORDER BY l.day_on, l.reference

-- name: leap_feed
-- Seen by processes that connect after it.
UPDATE feed_base
SET base = CAST(:past AS BIGINT) / 65536 + 1
    - CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT)
WHERE (CAST(CAST(pg_current_xact_id() AS TEXT) AS BIGINT) + base) * 65536 <= CAST(:past AS BIGINT)
