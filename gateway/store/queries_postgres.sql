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

-- name: insert_deliveries
-- One per active endpoint that wants this kind of event; the id can be derived again from its parts.
-- OFFSET 0: each event looks up its merchant's endpoints, instead of all being joined with all.
INSERT INTO deliveries (
    id, merchant_id, endpoint_id, payout_id, seq, payload, state, tries, due_at, created_at
)
SELECT
    given.column1 || endpoints.id, endpoints.merchant_id, endpoints.id,
    given.column3, given.column4, given.column5, 'due', 0, given.column6, given.column6
FROM (
    VALUES (
        CAST(:stem AS TEXT), CAST(:merchant_id AS TEXT), CAST(:payout_id AS TEXT),
        CAST(:seq AS BIGINT), CAST(:payload AS BYTEA), CAST(:at AS BIGINT),
        CAST(:kind_quoted AS TEXT), CAST(:type_quoted AS TEXT)
    )
) AS given
CROSS JOIN LATERAL (
    SELECT id, merchant_id, kinds FROM webhook_endpoints
    WHERE merchant_id = given.column2 AND active = 1
    OFFSET 0
) AS endpoints
WHERE endpoints.kinds = '[]'
  OR endpoints.kinds LIKE given.column7
  OR endpoints.kinds LIKE given.column8

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
-- Stops where feed stops. Each row looks its predecessor up, in the order of the index that has
-- all of the key: to a table not analysed yet any index that begins with the merchant seems as good,
-- and would be read for all that the merchant has.
SELECT
    e.feed, e.at, e.actor, e.kind, e.merchant_id, e.payout_id, e.seq, e.state, e.detail,
    (
        SELECT b.state_hash FROM events AS b
        WHERE b.merchant_id = e.merchant_id AND b.payout_id = e.payout_id AND b.seq < e.seq
        ORDER BY b.seq DESC
        LIMIT 1
    ),
    e.state_hash
FROM events AS e
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

-- name: lock_tallies
-- Until the commit ends; taken after the balances' locks, in the order of the keys.
SELECT pg_advisory_xact_lock(hashtextextended(given.key, 0))
FROM unnest(CAST(:keys AS TEXT[])) AS given (key)

-- name: guarded_tallies
-- As guarded_tally, of many; each is looked up, however many are stored.
SELECT
    given.kind, given.owner, given.bucket,
    (
        SELECT CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM tallies
        WHERE kind = given.kind AND owner = given.owner AND bucket = given.bucket
    )
FROM unnest(
    CAST(:kinds AS TEXT[]), CAST(:owners AS TEXT[]), CAST(:buckets AS BIGINT[])
) AS given (kind, owner, bucket)

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


-- Workers: run on the session that holds the worker's advisory lock. Their times are the database's
-- own, :now excepted, which is the gateway's clock as everywhere in payouts and deliveries.

-- name: enrol_worker
INSERT INTO workers (host, pid, program, schema_version, lease_s, started_at, beat_at)
SELECT :host, :pid, :program, :schema_version, :lease_s, t.at, t.at
FROM (SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT) AS at) AS t
RETURNING id

-- name: beat_worker
-- No row once it has been marked gone.
UPDATE workers SET beat_at = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)
WHERE id = :id AND gone_at IS NULL
RETURNING id

-- name: other_workers
-- Those not known to be gone, and whether their lease has run out.
SELECT
    id, host, pid,
    beat_at + lease_s * 1000000 < CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)
FROM workers
WHERE gone_at IS NULL AND id <> :id

-- name: bury_worker
-- Only while its advisory lock is held here. What it had armed is looked at without delay.
WITH buried AS (
    UPDATE workers
    SET gone_at = CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000000 AS BIGINT)
    WHERE id = :id AND gone_at IS NULL
    RETURNING id
), hurried AS (
    UPDATE payouts AS p
    SET due_at = :now
    FROM buried, attempts AS a
    WHERE a.state = 'armed' AND p.merchant_id = a.merchant_id AND p.id = a.payout_id
      AND p.worker = buried.id AND p.due_at > :now
    RETURNING p.id
)
SELECT (SELECT COUNT(*) FROM buried), (SELECT COUNT(*) FROM hurried)

-- name: give_back
-- What is left open is anybody's, and falls due when it would have.
WITH given AS (
    UPDATE payouts SET worker = 0
    WHERE worker = :id AND due_at IS NOT NULL
    RETURNING id
)
SELECT COUNT(*) FROM given

-- name: claim_payouts
-- What is due and mine; and, taken over, what is nobody's or was a gone worker's. What another claim
-- is just taking is passed over.
WITH free AS (
    SELECT p.merchant_id, p.id
    FROM payouts AS p
    WHERE p.due_at IS NOT NULL AND p.due_at <= :now
      AND p.worker = ANY (ARRAY(
          SELECT CAST(0 AS BIGINT) UNION ALL SELECT w.id FROM workers AS w WHERE w.gone_at IS NOT NULL
      ))
    ORDER BY p.due_at, p.id
    LIMIT :limit
    FOR UPDATE SKIP LOCKED
), taken AS (
    UPDATE payouts AS p
    SET worker = :worker, epoch = p.epoch + 1
    FROM free
    WHERE p.merchant_id = free.merchant_id AND p.id = free.id
    RETURNING p.id, p.due_at
), mine AS (
    SELECT m.id, m.due_at
    FROM payouts AS m
    WHERE m.worker = :worker AND m.due_at IS NOT NULL AND m.due_at <= :now
    ORDER BY m.due_at, m.id
    LIMIT :limit
)
SELECT id, TRUE, due_at FROM taken
UNION ALL
SELECT id, FALSE, due_at FROM mine
ORDER BY 3, 1

-- name: take_payout
-- One payout, due or not, unless a worker has it that is not known to be gone.
UPDATE payouts AS p
SET worker = :worker, epoch = p.epoch + 1
WHERE p.id = :id AND p.worker <> :worker
  AND NOT EXISTS (SELECT 1 FROM workers AS w WHERE w.id = p.worker AND w.gone_at IS NULL)
RETURNING p.id

-- name: claim_deliveries
-- As due_deliveries; each is put off until :until, so that no other process sends it meanwhile.
WITH owed AS (
    SELECT d.id
    FROM deliveries AS d
    WHERE d.state = 'due' AND d.due_at <= :now
      AND NOT EXISTS (
          SELECT 1 FROM deliveries AS earlier
          WHERE earlier.merchant_id = d.merchant_id AND earlier.payout_id = d.payout_id
            AND earlier.endpoint_id = d.endpoint_id AND earlier.seq < d.seq
            AND earlier.state = 'due'
      )
    ORDER BY d.due_at, d.created_at, d.payout_id, d.seq
    LIMIT :limit
    FOR UPDATE OF d SKIP LOCKED
), claimed AS (
    UPDATE deliveries AS d
    SET due_at = :until
    FROM owed
    WHERE d.id = owed.id
    RETURNING
        d.id, d.endpoint_id, d.merchant_id, d.payout_id, d.seq, d.payload, d.state, d.tries,
        d.due_at, d.created_at, d.last_status, d.last_error,
        EXISTS (
            SELECT 1 FROM deliveries AS later
            WHERE later.merchant_id = d.merchant_id AND later.payout_id = d.payout_id
              AND later.endpoint_id = d.endpoint_id AND later.seq > d.seq AND later.state = 'due'
        ) AS is_followed
)
SELECT * FROM claimed ORDER BY created_at, payout_id, seq

-- name: lock_turn
SELECT pg_try_advisory_lock(CAST(:class AS INTEGER), CAST(:key AS INTEGER))

-- name: unlock_turn
SELECT pg_advisory_unlock(CAST(:class AS INTEGER), CAST(:key AS INTEGER))

-- name: hold_lock
SELECT pg_advisory_lock(CAST(:class AS INTEGER), CAST(:key AS INTEGER))

-- name: nudge
SELECT pg_notify(:channel, :message)

-- name: standbys
-- Which synchronous standbys are asked for, how many stream, and how many of the connected ones we
-- may not look at (their state reads as null without pg_monitor).
SELECT
    current_setting('synchronous_standby_names'),
    (SELECT COUNT(*) FROM pg_stat_replication
     WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')),
    (SELECT COUNT(*) FROM pg_stat_replication WHERE state IS NULL)

-- name: due_payouts
-- With what is nobody's.
SELECT id FROM payouts
WHERE worker IN (0, :worker) AND due_at IS NOT NULL AND due_at <= :now
ORDER BY due_at, id
LIMIT :limit

-- name: next_due_at
SELECT MIN(due_at) FROM payouts WHERE worker IN (0, :worker) AND due_at IS NOT NULL

-- name: lock_payouts
-- SHARE waits for whoever changes payouts, and lets readers and backups be.
LOCK TABLE payouts IN SHARE MODE

-- name: decisions_to_archive
SELECT d.payout_id, d.id, d.at, d.decision
FROM json_array_elements_text(CAST(:ids AS JSON)) AS wanted
JOIN payouts AS p ON p.id = wanted.value
JOIN decisions AS d ON d.merchant_id = p.merchant_id AND d.payout_id = p.id
ORDER BY d.payout_id, d.id

-- name: deliveries_to_archive
SELECT
    d.payout_id, d.id, d.endpoint_id, d.seq, d.payload, d.state, d.tries, d.created_at,
    d.last_status, d.last_error, d.delivered_at
FROM json_array_elements_text(CAST(:ids AS JSON)) AS wanted
JOIN payouts AS p ON p.id = wanted.value
JOIN deliveries AS d ON d.merchant_id = p.merchant_id AND d.payout_id = p.id
WHERE d.state <> 'due'
ORDER BY d.payout_id, d.seq, d.id

-- name: release_batch_rows
-- The ids first: joined, each of the merchant's payouts could be compared with each row.
UPDATE payouts SET due_at = COALESCE(release_at, :now)
WHERE merchant_id = :merchant_id AND version = 1 AND due_at IS NULL
  AND state IN ('routing', 'scheduled')
  AND id = ANY (ARRAY(
    SELECT payout_id FROM batch_rows
    WHERE merchant_id = :merchant_id AND batch_id = :batch_id AND state = 'accepted'
      AND number > :first AND number <= :last
  ))
