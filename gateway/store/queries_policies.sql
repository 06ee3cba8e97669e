-- Policies, acts and shadows; conventions as in queries.sql.


-- name: insert_policy_act
-- No row when somebody else has acted since this was decided. Comes before the policy it is about:
-- whoever gets this number gives the policy its own.
INSERT INTO policy_acts (
    seq, at, kind, policy_hash, actor, person, change_id, base_hash, shadow, share_ppm,
    activates_at, note
) VALUES (
    :seq, :at, :kind, :policy_hash, :actor, :person, :change_id, :base_hash, :shadow, :share_ppm,
    :activates_at, :note
)
ON CONFLICT DO NOTHING
RETURNING seq

-- name: insert_policy
-- Nothing when it is stored already.
INSERT INTO policies (hash, number, name, text, made_at, actor, person, note)
SELECT
    CAST(:hash AS TEXT), COALESCE(MAX(number), 0) + 1, CAST(:name AS TEXT), CAST(:text AS TEXT),
    CAST(:made_at AS BIGINT), CAST(:actor AS TEXT), CAST(:person AS TEXT), CAST(:note AS TEXT)
FROM policies
HAVING NOT EXISTS (SELECT 1 FROM policies WHERE hash = CAST(:hash AS TEXT))

-- name: insert_shadow
-- The last decision of a try is the one that counts.
INSERT INTO policy_shadows (
    change_id, merchant_id, payout_id, number, currency, from_channel, to_channel, saving_micro
) VALUES (
    :change_id, :merchant_id, :payout_id, :number, :currency, :from_channel, :to_channel,
    :saving_micro
)
ON CONFLICT (change_id, merchant_id, payout_id, number) DO UPDATE
SET from_channel = excluded.from_channel, to_channel = excluded.to_channel,
    saving_micro = excluded.saving_micro

-- name: policy_acts
SELECT
    seq, at, kind, policy_hash, actor, person, change_id, base_hash, shadow, share_ppm,
    activates_at, note
FROM policy_acts
WHERE seq >= :first
ORDER BY seq

-- name: policy
SELECT hash, name, number, text, made_at, actor, person, note FROM policies WHERE hash = :hash

-- name: policies
SELECT hash, name, number, text, made_at, actor, person, note FROM policies
ORDER BY number DESC
LIMIT :limit

-- name: shadow_cells
SELECT
    currency, from_channel, to_channel, COUNT(*), COUNT(saving_micro),
    CAST(COALESCE(SUM(saving_micro), 0) AS BIGINT)
FROM policy_shadows
WHERE change_id = :change_id
GROUP BY currency, from_channel, to_channel
ORDER BY 4 DESC, 1, 2, 3
