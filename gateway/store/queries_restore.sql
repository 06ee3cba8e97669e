-- Quarantine after a restore, backups, and the ledger's quick look at itself.


-- name: position
-- How far this database has come: whose it is, its newest event, attempts ever armed.
SELECT
    (SELECT id FROM installation),
    (SELECT COALESCE(MAX(feed), 0) FROM events),
    (SELECT CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM tallies WHERE kind >= 'attempt:' AND kind < 'attempt;')

-- name: last_event_at
SELECT at FROM events ORDER BY feed DESC LIMIT 1

-- name: leap_feed
-- Positions given out from now on are past this one.
UPDATE feed_base SET base = MAX(base, :past)

-- name: quarantine
SELECT id, cause, backup_at, started_at, ended_at FROM quarantines ORDER BY id DESC LIMIT 1

-- name: begin_quarantine
-- No row when another process began one at the same moment.
INSERT INTO quarantines (id, cause, backup_at, started_at)
VALUES (:id, :cause, :backup_at, :started_at)
ON CONFLICT DO NOTHING
RETURNING id

-- name: end_quarantine
UPDATE quarantines SET ended_at = :at WHERE id = :id AND ended_at IS NULL
RETURNING id

-- name: mark_rebuilt
INSERT INTO rebuilt_payouts (quarantine, payout_id, at) VALUES (:quarantine, :payout_id, :at)
ON CONFLICT DO NOTHING

-- name: is_rebuilt
SELECT 1 FROM rebuilt_payouts WHERE quarantine = :quarantine AND payout_id = :payout_id

-- name: to_rebuild
-- Payouts that may still be sent and whose truth was not fetched yet.
SELECT id FROM payouts
WHERE state IN ('held', 'scheduled', 'routing', 'attempting', 'parked')
  AND id > :after
  AND NOT EXISTS (
      SELECT 1 FROM rebuilt_payouts AS r
      WHERE r.quarantine = :quarantine AND r.payout_id = payouts.id
  )
ORDER BY id
LIMIT :limit

-- name: count_to_rebuild
SELECT CAST(COUNT(*) AS BIGINT) FROM payouts
WHERE state IN ('held', 'scheduled', 'routing', 'attempting', 'parked')
  AND NOT EXISTS (
      SELECT 1 FROM rebuilt_payouts AS r
      WHERE r.quarantine = :quarantine AND r.payout_id = payouts.id
  )

-- name: unfinished
SELECT id FROM payouts
WHERE state IN ('held', 'scheduled', 'routing', 'attempting', 'parked') AND id > :after
ORDER BY id
LIMIT :limit

-- name: ask_waiver
-- No row when somebody has asked already.
INSERT INTO waivers (quarantine, channel, reason, asked_by, asked_at)
VALUES (:quarantine, :channel, :reason, :actor, :at)
ON CONFLICT DO NOTHING
RETURNING channel

-- name: agree_waiver
-- No row when it is agreed already, or asked for by the same person.
UPDATE waivers SET agreed_by = :actor, agreed_at = :at
WHERE quarantine = :quarantine AND channel = :channel AND agreed_by IS NULL AND asked_by <> :actor
RETURNING channel

-- name: waivers
SELECT channel, reason, asked_by, agreed_by FROM waivers
WHERE quarantine = :quarantine
ORDER BY channel

-- name: lines_by_references
SELECT l.reference, l.day_on
FROM json_each(:references) AS wanted
JOIN statement_lines AS l ON l.channel = :channel AND l.reference = wanted.value
WHERE l.kind = 'payout'
ORDER BY l.day_on, l.reference

-- name: restore_explained
SELECT 1 FROM audit WHERE action = 'database.restored' AND subject = :subject LIMIT 1

-- name: unbalanced_since
-- Postings of events after a position that do not balance. Each is looked at by itself first: all
-- entries of a minute would be sorted to be grouped.
SELECT n.posting, n.currency
FROM events AS e
JOIN entries AS n ON n.merchant_id = e.merchant_id AND n.posting = e.payout_id || '/' || e.seq
WHERE e.feed > :after
  AND EXISTS (
    SELECT 1 FROM entries AS o
    WHERE o.merchant_id = e.merchant_id AND o.posting = e.payout_id || '/' || e.seq
    GROUP BY o.currency
    HAVING SUM(CASE o.side WHEN 'debit' THEN o.amount_minor ELSE -o.amount_minor END) <> 0
  )
GROUP BY n.posting, n.currency
HAVING SUM(CASE n.side WHEN 'debit' THEN n.amount_minor ELSE -n.amount_minor END) <> 0
LIMIT 20

-- name: trial_balance
-- Per currency, debit balances less credit balances; anything but zero is money from nowhere.
SELECT
    currency,
    CAST(SUM(
        CASE WHEN book IN ('float', 'in_transit', 'channel_fee', 'suspense', 'deposits')
        THEN minor ELSE -minor END
    ) AS BIGINT)
FROM balances
GROUP BY currency
ORDER BY currency

-- name: accounts_off
-- Accounts whose kept balance is not what their entries add up to, of one moment.
SELECT book, owner, currency, CAST(SUM(kept) AS BIGINT), CAST(SUM(booked) AS BIGINT)
FROM (
    SELECT book, owner, currency, minor AS kept, 0 AS booked FROM balances
    UNION ALL
    SELECT
        book, owner, currency, 0,
        CASE
            WHEN (side = 'debit')
                = (book IN ('float', 'in_transit', 'channel_fee', 'suspense', 'deposits'))
            THEN amount_minor ELSE -amount_minor
        END
    FROM entries
) AS both_sides
GROUP BY book, owner, currency
HAVING SUM(kept) <> SUM(booked)
ORDER BY book, owner, currency
LIMIT 20
