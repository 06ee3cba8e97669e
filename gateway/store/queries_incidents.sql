-- Incidents, proposals of two people, and dead attempts under watch; conventions as in queries.sql.


-- name: insert_incident
INSERT INTO incidents (
    id, kind, freezes, channel, payout_id, attempt, evidence, opened_at, owner
) VALUES (
    :id, :kind, :freezes, :channel, :payout_id, :attempt, :evidence, :opened_at, :owner
)

-- name: insert_watch
INSERT INTO watches (merchant_id, payout_id, number, died_at, looks, due_at)
VALUES (:merchant_id, :payout_id, :number, :died_at, 0, :due_at)
ON CONFLICT DO NOTHING

-- name: approve_proposal
-- No row when somebody has decided already.
UPDATE proposals
SET state = 'approved', checker = :checker, checker_person = :checker_person,
    decided_at = :decided_at
WHERE id = :id AND payout_id = :payout_id AND state = 'open'
RETURNING id

-- name: reject_proposal
-- No row when somebody has decided already.
UPDATE proposals
SET state = 'rejected', checker = :checker, checker_person = :checker_person,
    decided_at = :decided_at, note = :note
WHERE id = :id AND state = 'open'
RETURNING id

-- name: insert_proposal
-- No row when the payout has an open one already.
INSERT INTO proposals (
    id, payout_id, merchant_id, attempt, sends, version, reason, evidence, evidence_sha256, maker,
    maker_person, proposed_at, state
) VALUES (
    :id, :payout_id, :merchant_id, :attempt, :sends, :version, :reason, :evidence,
    :evidence_digest, :maker,
    :maker_person, :proposed_at, 'open'
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: proposals
SELECT
    id, payout_id, merchant_id, attempt, sends, reason, evidence, evidence_sha256, maker,
    maker_person, proposed_at, state, checker, checker_person, decided_at, note, version
FROM proposals
WHERE 1 = 1
  AND state = :state -- if given
  AND payout_id = :payout_id -- if given
ORDER BY id DESC
LIMIT 500

-- name: incidents
SELECT
    id, kind, channel, payout_id, attempt, evidence, opened_at, owner, released_at, released_by,
    note, bank
FROM incidents
WHERE 1 = 1
  AND id = :id -- if given
ORDER BY id
LIMIT 1000

-- name: open_incidents
SELECT
    id, kind, channel, payout_id, attempt, evidence, opened_at, owner, released_at, released_by,
    note, bank
FROM incidents
WHERE released_at IS NULL
ORDER BY id
LIMIT 1000

-- name: frozen
-- Each channel's oldest open incident that freezes its failover.
SELECT channel, MIN(id) FROM incidents
WHERE released_at IS NULL AND freezes = 1
GROUP BY channel

-- name: release_incident
-- No row when there is no such open one.
UPDATE incidents SET released_at = :released_at, released_by = :released_by, note = :note
WHERE id = :id AND released_at IS NULL
RETURNING id

-- name: canary
SELECT payout_id, number FROM attempts
WHERE channel = :channel AND state = 'confirmed' AND paid_at >= :paid_after
ORDER BY paid_at DESC
LIMIT 1

-- name: due_watches
SELECT payout_id, merchant_id, number, died_at, looks, due_at FROM watches
WHERE due_at IS NOT NULL AND due_at <= :now
ORDER BY due_at, payout_id, number
LIMIT :limit

-- name: claim_watch
-- No row when another process has it.
UPDATE watches SET due_at = :until
WHERE merchant_id = :merchant_id AND payout_id = :payout_id AND number = :number
  AND due_at = :due_at
RETURNING number

-- name: watched
UPDATE watches SET looks = looks + 1, due_at = :due_at
WHERE merchant_id = :merchant_id AND payout_id = :payout_id AND number = :number

-- name: doubtful
SELECT payout_id FROM attempts
WHERE channel = :channel AND state IN ('pending', 'in_doubt') AND signed_at < :signed_before
ORDER BY signed_at, payout_id

-- name: suspects
-- Stored lines that are, or might be, one attempt's.
SELECT COUNT(*) FROM statement_lines AS line
WHERE line.channel = :channel AND line.day_on >= :first_on AND line.day_on <= :last_on
  AND (
      line.reference = :reference
      OR line.channel_ref = :reference
      OR line.reference = CAST(:channel_ref AS TEXT)
      OR line.channel_ref = CAST(:channel_ref AS TEXT)
      OR (
          line.credit = 0 AND line.amount_minor = :amount_minor AND line.kind IN ('payout', 'other')
          AND NOT EXISTS (
              SELECT 1 FROM attempts AS ours
              WHERE ours.channel = line.channel
                AND (ours.reference = line.reference OR ours.channel_ref = line.channel_ref)
          )
      )
  )
