-- The kill switch, planned maintenance, incidents of banks; conventions as in queries.sql.


-- name: lock_payouts
-- Where several write at once: wait for every change of a payout that is under way, and keep new
-- ones from beginning until this commit, so that none of them can have looked too early.
UPDATE payouts SET due_at = due_at WHERE 1 = 0

-- name: insert_kill
-- No row when the channel is killed already.
INSERT INTO kills (id, channel, reason, killed_at, killed_by)
VALUES (:id, :channel, :reason, :killed_at, :killed_by)
ON CONFLICT DO NOTHING
RETURNING id

-- name: revive
-- No row when the channel is not killed.
UPDATE kills
SET revived_at = :revived_at, revived_by = :revived_by, revived_person = :person, note = :note
WHERE channel = :channel AND revived_at IS NULL
RETURNING id

-- name: kills
SELECT
    id, channel, reason, killed_at, killed_by, revived_at, revived_by, revived_person, note
FROM kills
WHERE 1 = 1
  AND id = :id -- if given
ORDER BY killed_at, id

-- name: open_kills
SELECT
    id, channel, reason, killed_at, killed_by, revived_at, revived_by, revived_person, note
FROM kills
WHERE revived_at IS NULL
ORDER BY killed_at, id

-- name: insert_maintenance
INSERT INTO maintenance (id, channel, from_at, until_at, reason, added_at, added_by)
VALUES (:id, :channel, :from_at, :until_at, :reason, :added_at, :added_by)

-- name: remove_maintenance
-- No row when there is none, or it was removed before.
UPDATE maintenance SET removed_at = :removed_at WHERE id = :id AND removed_at IS NULL
RETURNING channel

-- name: maintenance
SELECT id, channel, from_at, until_at, reason, added_at, added_by FROM maintenance
WHERE removed_at IS NULL AND until_at > :now
ORDER BY from_at, id
LIMIT 1000

-- name: open_bank_incident
-- No row when the bank has an open one already.
INSERT INTO incidents (
    id, kind, freezes, channel, payout_id, attempt, evidence, opened_at, owner, bank
) VALUES (
    :id, :kind, :freezes, :channel, :payout_id, :attempt, :evidence, :opened_at, :owner, :bank
)
ON CONFLICT DO NOTHING
RETURNING id
