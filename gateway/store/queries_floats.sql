-- What institutions say is on our accounts, beside our floats; conventions as in queries.sql.


-- name: float_extent
-- A channel's float, what is in transit, and fees that no statement has confirmed, at one moment.
SELECT
    COALESCE((
        SELECT minor FROM balances
        WHERE book = 'float' AND owner = :channel AND currency = :currency
    ), 0),
    COALESCE((
        SELECT minor FROM balances
        WHERE book = 'in_transit' AND owner = :channel AND currency = :currency
    ), 0),
    (
        SELECT CAST(COALESCE(SUM(COALESCE(fee_minor, quoted_fee_minor)), 0) AS BIGINT)
        FROM attempts
        WHERE channel = :channel AND state = 'confirmed' AND settled_on IS NULL
    )

-- name: channel_balances
SELECT
    channel, currency, available_minor, said_at, low_minor, high_minor, off_minor, off_looks,
    told_minor, failures, problem, due_at
FROM channel_balances
ORDER BY channel

-- name: keep_channel_balance
INSERT INTO channel_balances (
    channel, currency, available_minor, said_at, low_minor, high_minor, off_minor, off_looks,
    told_minor, failures, problem, due_at
) VALUES (
    :channel, :currency, :available_minor, :said_at, :low_minor, :high_minor, :off_minor,
    :off_looks, :told_minor, :failures, :problem, :due_at
)
ON CONFLICT (channel) DO UPDATE SET
    currency = excluded.currency, available_minor = excluded.available_minor,
    said_at = excluded.said_at, low_minor = excluded.low_minor,
    high_minor = excluded.high_minor, off_minor = excluded.off_minor,
    off_looks = excluded.off_looks, told_minor = excluded.told_minor,
    failures = excluded.failures, problem = excluded.problem, due_at = excluded.due_at

-- name: open_float_incident
-- No row when the channel's float has an open one already.
INSERT INTO incidents (
    id, kind, freezes, channel, payout_id, attempt, evidence, opened_at, owner
) VALUES (
    :id, :kind, :freezes, :channel, :payout_id, :attempt, :evidence, :opened_at, :owner
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: close_float_incident
-- No row when there is none.
UPDATE incidents SET released_at = :released_at, released_by = :released_by, note = :note
WHERE channel = :channel AND kind = 'float_off' AND released_at IS NULL
RETURNING id
