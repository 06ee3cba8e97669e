-- The statements of the store, by name, in the dialect both databases share; a topic of its own has
-- a file of its own (queries_*.sql). What differs is overridden, by name, in queries_postgres.sql.
--
-- `:name` is a parameter. A line that ends in `-- if given` is left out while its parameter is None.
-- RETURNING marks a write whose rows are counted. Writes that change a payout stand in the order in
-- which one change runs them; PostgreSQL groups the changes of a commit by statement in this order.


-- name: insert_payout
-- No row when the id, the idempotency key or the merchant's own reference is taken.
INSERT INTO payouts (
    merchant_id, id, idempotency_key, fingerprint, merchant_ref, currency, amount_minor, fee_minor,
    instruments, purpose, speed, deadline_at, release_at, max_fee_minor, metadata, state, version,
    accepted_at, updated_at, due_at, reason, owner, worker, epoch, constraints,
    charge, fee_mode, split_id, leg
) VALUES (
    :merchant_id, :id, :idempotency_key, :fingerprint, :merchant_ref, :currency, :amount_minor,
    :fee_minor, :instruments, :purpose, :speed, :deadline_at, :release_at, :max_fee_minor,
    :metadata, :state, :version, :accepted_at, :updated_at, :due_at, :reason, :owner, :worker,
    :epoch, :constraints, :charge, :fee_mode, :split_id, :leg
)
ON CONFLICT DO NOTHING
RETURNING version

-- name: insert_payee
INSERT INTO payees (merchant_id, payee_index, payout_id, instrument)
VALUES (:merchant_id, :payee_index, :payout_id, :instrument)

-- name: update_payout
-- No row when the payout has moved on, or to another worker, since it was read. :armer is who wants
-- to send: that must be its worker; evidence may come from any. :sender is the channel it is sent
-- through: nothing is sent through one that a person has killed.
UPDATE payouts
SET state = :state, version = :version, updated_at = :updated_at, due_at = :due_at,
    reason = :reason, owner = :owner
WHERE merchant_id = :merchant_id AND id = :id AND version = :before_version AND epoch = :epoch
  AND (CAST(:armer AS BIGINT) IS NULL OR worker = :armer)
  AND NOT EXISTS (
      SELECT 1 FROM kills
      WHERE kills.channel IN (CAST(:sender AS TEXT), '*') AND kills.revived_at IS NULL
        AND CAST(:sender AS TEXT) IS NOT NULL
  )
RETURNING version

-- name: postpone_payout
UPDATE payouts
SET due_at = :due_at
WHERE merchant_id = :merchant_id AND id = :id AND version = :version AND epoch = :epoch
RETURNING version

-- name: update_attempt
-- Before insert_attempt: a dead attempt must stop being the live one before the next is born.
-- The sealed note of a certificate keeps its first value, as the certificate does by trigger.
UPDATE attempts
SET state = :state, digest = :digest, signed_at = :signed_at, not_after = :not_after,
    sends = :sends, inquiries = :inquiries, absences = :absences, channel_ref = :channel_ref,
    stage = :stage, action = :action, refusal = :refusal, certificate = :certificate,
    certificate_note = COALESCE(certificate_note, :certificate_note), doubted_at = :doubted_at,
    paid_at = :paid_at, fee_minor = :fee_minor, returned_at = :returned_at,
    settled_on = :settled_on, contradictions = :contradictions, absent_at = :absent_at
WHERE merchant_id = :merchant_id AND payout_id = :payout_id AND number = :number
RETURNING number

-- name: insert_attempt
INSERT INTO attempts (
    merchant_id, payout_id, number, channel, reference, instrument, state, digest, armed_at,
    signed_at, not_after, quoted_fee_minor, arrival_at, sends, inquiries, absences, channel_ref,
    stage, action, refusal, certificate, certificate_note, doubted_at, paid_at, fee_minor,
    returned_at, settled_on, contradictions, absent_at, rail
) VALUES (
    :merchant_id, :payout_id, :number, :channel, :reference, :instrument, :state, :digest,
    :armed_at, :signed_at, :not_after, :quoted_fee_minor, :arrival_at, :sends, :inquiries,
    :absences, :channel_ref, :stage, :action, :refusal, :certificate, :certificate_note,
    :doubted_at, :paid_at, :fee_minor, :returned_at, :settled_on, :contradictions, :absent_at,
    :rail
)

-- name: insert_event
-- :feed_base (its own statement) and :n_in_tx are filled in by the writer.
INSERT INTO events (
    feed, merchant_id, payout_id, seq, kind, state, at, actor, detail, state_hash
)
VALUES (
    :feed_base + :n_in_tx,
    :merchant_id, :payout_id, :seq, :kind, :state, :at, :actor, :detail, :state_hash
)

-- name: feed_base
-- The last position that was given out. A restore leaps over those that it has forgotten.
SELECT MAX(COALESCE((SELECT MAX(feed) FROM events), 0), (SELECT base FROM feed_base))

-- name: insert_deliveries
-- One per active endpoint that wants this kind of event; the id can be derived again from its parts.
-- CROSS JOIN: the events lead, and each looks up its merchant's endpoints.
INSERT INTO deliveries (
    id, merchant_id, endpoint_id, payout_id, seq, payload, state, tries, due_at, created_at
)
SELECT
    given.column1 || endpoints.id, endpoints.merchant_id, endpoints.id,
    given.column3, given.column4, given.column5, 'due', 0, given.column6, given.column6
FROM (
    VALUES (
        :stem, :merchant_id, :payout_id, :seq, :payload, :at, :kind_quoted, :type_quoted
    )
) AS given
CROSS JOIN webhook_endpoints AS endpoints
WHERE endpoints.merchant_id = given.column2 AND endpoints.active = 1
  AND (
      endpoints.kinds = '[]'
      OR endpoints.kinds LIKE given.column7
      OR endpoints.kinds LIKE given.column8
  )

-- name: legs
SELECT book, owner, currency, side, amount_minor FROM entries
WHERE merchant_id = :merchant_id AND posting = :posting
ORDER BY leg

-- name: insert_entry
INSERT INTO entries (
    merchant_id, posting, leg, book, owner, currency, side, amount_minor, at
) VALUES (
    :merchant_id, :posting, :leg, :book, :owner, :currency, :side, :amount_minor, :at
)

-- name: insert_decision
INSERT INTO decisions (merchant_id, payout_id, at, decision)
VALUES (:merchant_id, :payout_id, :at, :decision)

-- name: insert_evidence
INSERT INTO evidence (merchant_id, payout_id, seq, evidence)
VALUES (:merchant_id, :payout_id, :seq, :evidence)

-- name: add_to_balance
INSERT INTO balances (book, owner, currency, minor) VALUES (:book, :owner, :currency, :delta)
ON CONFLICT (book, owner, currency) DO UPDATE SET minor = balances.minor + excluded.minor

-- name: add_to_tally
INSERT INTO tallies (kind, owner, bucket, slot, total)
VALUES (:kind, :owner, :bucket, :slot, :delta)
ON CONFLICT (kind, owner, bucket, slot) DO UPDATE SET total = tallies.total + excluded.total

-- name: guarded_balance
-- A balance that a change of this commit must not take below its floor.
SELECT minor FROM balances WHERE book = :book AND owner = :owner AND currency = :currency

-- name: guarded_tally
-- A count that a change of this commit was computed for.
SELECT CAST(COALESCE(SUM(total), 0) AS BIGINT) FROM tallies
WHERE kind = :kind AND owner = :owner AND bucket = :bucket


-- name: find_payouts
-- Payouts with their attempts, newest first; a payout without attempts has one row of nulls.
SELECT
    p.merchant_id, p.id, p.merchant_ref, p.currency, p.amount_minor, p.fee_minor, p.instruments,
    p.purpose, p.speed, p.deadline_at, p.release_at, p.max_fee_minor, p.metadata, p.state,
    p.version, p.accepted_at, p.updated_at, p.due_at, p.reason, p.owner, p.fingerprint, p.worker,
    p.epoch, p.constraints, p.charge, p.leg,
    a.number, a.channel, a.reference, a.instrument, a.state, a.digest, a.armed_at, a.signed_at,
    a.not_after, a.quoted_fee_minor, a.arrival_at, a.sends, a.inquiries, a.absences,
    a.channel_ref, a.stage, a.action, a.refusal, a.certificate, a.certificate_note, a.doubted_at,
    a.paid_at, a.fee_minor, a.returned_at, a.settled_on, a.contradictions, a.absent_at
FROM (
    SELECT * FROM payouts
    WHERE 1 = 1
      AND id = :id -- if given
      AND merchant_id = :merchant_id -- if given
      AND idempotency_key = :idempotency_key -- if given
      AND merchant_ref = :merchant_ref -- if given
      AND state = :state -- if given
      AND split_id = :split_id -- if given
      AND accepted_at >= :accepted_from -- if given
      AND accepted_at < :accepted_until -- if given
      AND id < :before_id -- if given
      AND EXISTS (SELECT 1 FROM attempts AS t WHERE t.merchant_id = payouts.merchant_id AND t.payout_id = payouts.id AND t.channel = :channel) -- if given
    ORDER BY id DESC
    LIMIT :limit
) AS p
LEFT JOIN attempts AS a ON a.merchant_id = p.merchant_id AND a.payout_id = p.id
ORDER BY p.id DESC, a.number

-- name: payouts_by_payee
SELECT payout_id FROM payees
WHERE merchant_id = :merchant_id AND payee_index = :payee_index
ORDER BY payout_id DESC
LIMIT :limit

-- name: due_payouts
SELECT id FROM payouts
WHERE worker = :worker AND due_at IS NOT NULL AND due_at <= :now
ORDER BY due_at, id
LIMIT :limit

-- name: next_due_at
SELECT MIN(due_at) FROM payouts WHERE worker = :worker AND due_at IS NOT NULL

-- name: armed_payouts
SELECT payout_id FROM attempts
WHERE state = 'armed'
ORDER BY armed_at, payout_id
LIMIT :limit

-- name: payout_by_reference
SELECT payout_id FROM attempts WHERE channel = :channel AND reference = :reference

-- name: timeline
SELECT feed, payout_id, seq, kind, state, at, actor, detail FROM events
WHERE merchant_id = (SELECT p.merchant_id FROM payouts AS p WHERE p.id = :payout_id)
  AND payout_id = :payout_id
ORDER BY seq

-- name: feed
SELECT feed, payout_id, seq, kind, state, at, actor, detail FROM events
WHERE feed > :after
  AND merchant_id = :merchant_id -- if given
ORDER BY feed
LIMIT :limit

-- name: decisions
SELECT at, decision FROM decisions
WHERE merchant_id = (SELECT p.merchant_id FROM payouts AS p WHERE p.id = :payout_id)
  AND payout_id = :payout_id
ORDER BY id

-- name: evidence
SELECT seq, merchant_id, evidence FROM evidence
WHERE merchant_id = (SELECT p.merchant_id FROM payouts AS p WHERE p.id = :payout_id)
  AND payout_id = :payout_id
ORDER BY seq

-- name: payout_counts
SELECT owner, CAST(SUM(total) AS BIGINT) FROM tallies WHERE kind = 'payout' GROUP BY owner

-- name: channel_use
-- Open attempts per channel and state, and minor units armed from a quarter of an hour on.
SELECT kind, owner, CAST(SUM(total) AS BIGINT) FROM tallies
WHERE kind IN ('attempt:armed', 'attempt:pending', 'attempt:in_doubt') GROUP BY kind, owner
UNION ALL
SELECT kind, owner, CAST(SUM(total) AS BIGINT) FROM tallies
WHERE kind = 'armed' AND bucket >= :quarter GROUP BY kind, owner

-- name: month_use
-- Payouts and minor units armed per channel from a quarter of an hour on: quarters up to the next
-- whole day, then days.
SELECT kind, owner, CAST(SUM(total) AS BIGINT) FROM tallies
WHERE kind = 'armed' AND bucket >= :quarter AND bucket < :quarter_end GROUP BY kind, owner
UNION ALL
SELECT kind, owner, CAST(SUM(total) AS BIGINT) FROM tallies
WHERE kind = 'armed_count' AND bucket >= :quarter AND bucket < :quarter_end GROUP BY kind, owner
UNION ALL
SELECT kind, owner, CAST(SUM(total) AS BIGINT) FROM tallies
WHERE kind = 'armed_day' AND bucket >= :day GROUP BY kind, owner
UNION ALL
SELECT kind, owner, CAST(SUM(total) AS BIGINT) FROM tallies
WHERE kind = 'armed_day_count' AND bucket >= :day GROUP BY kind, owner

-- name: merchant_month
SELECT kind, CAST(SUM(total) AS BIGINT) FROM tallies
WHERE kind IN ('asked', 'asked_count') AND owner = :owner AND bucket = :month GROUP BY kind

-- name: arrivals
-- When the latest paid attempts of a channel were armed and when their money was there.
SELECT armed_at, paid_at FROM attempts
WHERE channel = :channel AND state = 'confirmed'
ORDER BY paid_at DESC
LIMIT :limit


-- name: balances
SELECT book, owner, currency, minor FROM balances
WHERE 1 = 1
  AND book = :book -- if given
  AND owner = :owner -- if given
ORDER BY book, owner, currency

-- name: insert_operator_posting
-- No row when the key was booked before.
INSERT INTO operator_postings (key, memo, actor, at) VALUES (:key, :memo, :actor, :at)
ON CONFLICT DO NOTHING
RETURNING key

-- name: unbalanced_postings
SELECT posting, currency, debit_minor, credit_minor FROM postings
WHERE debit_minor <> credit_minor
ORDER BY posting
LIMIT 100

-- name: entry_sums
-- What the entries say about every account, on its debit side.
SELECT
    book, owner, currency,
    CAST(SUM(CASE side WHEN 'debit' THEN amount_minor ELSE -amount_minor END) AS BIGINT)
FROM entries
GROUP BY book, owner, currency

-- name: recounted
-- The tallies, counted again from the rows they stand for.
SELECT 'payout' AS kind, state AS owner, CAST(COUNT(*) AS BIGINT) FROM payouts GROUP BY state
UNION ALL
SELECT 'attempt:' || state, channel, CAST(COUNT(*) AS BIGINT) FROM attempts GROUP BY channel, state
UNION ALL
SELECT 'armed', a.channel, CAST(SUM(p.amount_minor) AS BIGINT)
FROM attempts AS a JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
WHERE a.state <> 'dead'
GROUP BY a.channel
UNION ALL
SELECT 'armed_day', a.channel, CAST(SUM(p.amount_minor) AS BIGINT)
FROM attempts AS a JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
WHERE a.state <> 'dead'
GROUP BY a.channel
UNION ALL
SELECT 'armed_count', channel, CAST(COUNT(*) AS BIGINT) FROM attempts
WHERE state <> 'dead' GROUP BY channel
UNION ALL
SELECT 'armed_day_count', channel, CAST(COUNT(*) AS BIGINT) FROM attempts
WHERE state <> 'dead' GROUP BY channel

UNION ALL
SELECT
    'asked', merchant_id || ':' || currency,
    CAST(SUM(amount_minor + CASE fee_mode WHEN 'deducted' THEN fee_minor ELSE 0 END) AS BIGINT)
FROM payouts
WHERE state NOT IN ('failed', 'cancelled') GROUP BY merchant_id, currency
UNION ALL
SELECT 'asked_count', merchant_id || ':' || currency, CAST(COUNT(*) AS BIGINT) FROM payouts
WHERE state NOT IN ('failed', 'cancelled') GROUP BY merchant_id, currency

-- name: all_tallies
SELECT kind, owner, CAST(SUM(total) AS BIGINT) FROM tallies GROUP BY kind, owner


-- name: insert_merchant
-- No row when the id is taken.
INSERT INTO merchants (
    id, name, funding, credit_limit_minor, fee, release_delay_s, review_above_minor, created_at,
    active
) VALUES (
    :id, :name, :funding, :credit_limit_minor, :fee, :release_delay_s, :review_above_minor,
    :created_at, :active
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: merchants
SELECT
    id, name, funding, credit_limit_minor, fee, release_delay_s, review_above_minor, created_at,
    active
FROM merchants
WHERE 1 = 1
  AND id = :id -- if given
ORDER BY id

-- name: set_merchant_fee
UPDATE merchants SET fee = :fee WHERE id = :id AND fee = :before
RETURNING id

-- name: insert_key
INSERT INTO api_keys (
    id, merchant_id, digest, scopes, signing_secret, label, created_at, revoked_at, person
) VALUES (
    :id, :merchant_id, :digest, :scopes, :signing_secret, :label, :created_at, :revoked_at, :person
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: key
SELECT id, merchant_id, digest, scopes, signing_secret, label, created_at, revoked_at, person
FROM api_keys WHERE id = :id

-- name: keys_of_merchant
SELECT id, merchant_id, digest, scopes, signing_secret, label, created_at, revoked_at, person
FROM api_keys WHERE merchant_id = :merchant_id ORDER BY id

-- name: keys_of_operators
SELECT id, merchant_id, digest, scopes, signing_secret, label, created_at, revoked_at, person
FROM api_keys WHERE merchant_id IS NULL ORDER BY id

-- name: revoke_key
UPDATE api_keys SET revoked_at = :at WHERE id = :id AND revoked_at IS NULL
RETURNING id

-- name: drop_nonces
DELETE FROM nonces WHERE at < :before

-- name: spend_nonce
-- No row when it was seen before.
INSERT INTO nonces (key_id, nonce, at) VALUES (:key_id, :nonce, :at)
ON CONFLICT DO NOTHING
RETURNING nonce

-- name: put_endpoint
-- No row when the id belongs to another merchant.
INSERT INTO webhook_endpoints (id, merchant_id, url, secrets, kinds, active, created_at)
VALUES (:id, :merchant_id, :url, :secrets, :kinds, :active, :created_at)
ON CONFLICT (id) DO UPDATE
SET url = excluded.url, secrets = excluded.secrets, kinds = excluded.kinds,
    active = excluded.active
WHERE webhook_endpoints.merchant_id = excluded.merchant_id
RETURNING id

-- name: endpoints
SELECT id, merchant_id, url, secrets, kinds, active, created_at FROM webhook_endpoints
WHERE 1 = 1
  AND id = :id -- if given
  AND merchant_id = :merchant_id -- if given
ORDER BY created_at, id

-- name: put_channel_status
INSERT INTO channel_statuses (channel, status, reason) VALUES (:channel, :status, :reason)
ON CONFLICT (channel) DO UPDATE SET status = excluded.status, reason = excluded.reason

-- name: channel_statuses
SELECT channel, status, reason FROM channel_statuses ORDER BY channel


-- name: due_deliveries
-- Only the earliest undelivered event of a payout is owed to an endpoint; later ones wait for it.
SELECT
    d.id, d.endpoint_id, d.merchant_id, d.payout_id, d.seq, d.payload, d.state, d.tries, d.due_at,
    d.created_at, d.last_status, d.last_error,
    EXISTS (
        SELECT 1 FROM deliveries AS later
        WHERE later.merchant_id = d.merchant_id AND later.payout_id = d.payout_id
          AND later.endpoint_id = d.endpoint_id AND later.seq > d.seq AND later.state = 'due'
    )
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

-- name: delivery_done
-- No row when it was done before.
UPDATE deliveries
SET state = 'delivered', tries = tries + 1, last_status = :status, last_error = NULL,
    delivered_at = :at
WHERE id = :id AND state = 'due'
RETURNING id

-- name: delivery_put_off
UPDATE deliveries
SET tries = tries + 1, due_at = :due_at, last_status = :status, last_error = :error
WHERE id = :id AND state = 'due'

-- name: deliveries_behind
-- Later events of the same payout wait for the one that was put off; not looking at them until
-- then keeps the search for due deliveries short while an endpoint is down.
UPDATE deliveries
SET due_at = :due_at
WHERE merchant_id = (SELECT head.merchant_id FROM deliveries AS head WHERE head.id = :id)
  AND payout_id = (SELECT head.payout_id FROM deliveries AS head WHERE head.id = :id)
  AND endpoint_id = (SELECT head.endpoint_id FROM deliveries AS head WHERE head.id = :id)
  AND seq > (SELECT head.seq FROM deliveries AS head WHERE head.id = :id)
  AND state = 'due' AND due_at < :due_at

-- name: delivery_dead
UPDATE deliveries
SET state = 'dead', tries = tries + 1, last_status = :status, last_error = :error
WHERE id = :id AND state = 'due'

-- name: deliveries
SELECT
    id, endpoint_id, merchant_id, payout_id, seq, payload, state, tries, due_at, created_at,
    last_status, last_error
FROM deliveries
WHERE merchant_id = :merchant_id
  AND payout_id = :payout_id -- if given
ORDER BY created_at DESC, payout_id DESC, seq DESC, id DESC
LIMIT :limit

-- name: resend
UPDATE deliveries
SET state = 'due', tries = 0, due_at = :now
WHERE id = :id AND merchant_id = :merchant_id
RETURNING payout_id


-- name: insert_notice
INSERT INTO notices (channel, seal, headers, body, received_at)
VALUES (:channel, :seal, :headers, :body, :received_at)
RETURNING id

-- name: open_notices
SELECT id, channel, seal, headers, body, received_at FROM notices
WHERE verdict IS NULL
ORDER BY id
LIMIT :limit

-- name: notice_done
UPDATE notices SET verdict = :verdict WHERE id = :id


-- name: insert_statement_line
-- No row when a line of that serial number is stored already.
INSERT INTO statement_lines (
    channel, line_ref, day_on, kind, currency, amount_minor, credit, booked_at, reference,
    channel_ref, memo
) VALUES (
    :channel, :line_ref, :day_on, :kind, :currency, :amount_minor, :credit, :booked_at, :reference,
    :channel_ref, :memo
)
ON CONFLICT DO NOTHING
RETURNING line_ref

-- name: insert_statement_day
INSERT INTO statement_days (channel, day_on, kept_at) VALUES (:channel, :day_on, :kept_at)
ON CONFLICT DO NOTHING

-- name: statement_days
SELECT day_on FROM statement_days WHERE channel = :channel

-- name: statement_lines
SELECT
    kind, currency, amount_minor, credit, booked_at, reference, channel_ref, line_ref, memo
FROM statement_lines
WHERE channel = :channel AND day_on = :day_on
ORDER BY booked_at, line_ref

-- name: attempts_by_references
-- :references is a JSON array; our own references come last, so that they win over the channel's.
SELECT
    wanted.value, a.payout_id, a.merchant_id, a.number, a.reference, a.channel_ref,
    p.amount_minor, p.currency, a.state, a.settled_on
FROM json_each(:references) AS wanted
JOIN attempts AS a ON a.channel = :channel AND a.channel_ref = wanted.value
JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
UNION ALL
SELECT
    wanted.value, a.payout_id, a.merchant_id, a.number, a.reference, a.channel_ref,
    p.amount_minor, p.currency, a.state, a.settled_on
FROM json_each(:references) AS wanted
JOIN attempts AS a ON a.channel = :channel AND a.reference = wanted.value
JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id

-- name: unsettled
SELECT
    a.reference, a.payout_id, a.merchant_id, a.number, a.reference, a.channel_ref, p.amount_minor, p.currency,
    a.state, a.settled_on
FROM attempts AS a JOIN payouts AS p ON p.merchant_id = a.merchant_id AND p.id = a.payout_id
WHERE a.channel = :channel AND a.state = 'confirmed' AND a.settled_on IS NULL
  AND a.paid_at < :paid_before
ORDER BY a.paid_at, a.reference

-- name: fees_shown
SELECT
    COALESCE(SUM(CASE WHEN credit = 1 THEN -amount_minor ELSE amount_minor END), 0), COUNT(*)
FROM statement_lines
WHERE channel = :channel AND kind = 'fee' AND day_on <> :day_on
  AND (reference = :reference OR channel_ref = :channel_ref)

-- name: insert_break
-- No row when this break is open already.
INSERT INTO breaks (
    channel, day_on, kind, reference, line_ref, amount_minor, currency, payout_id, detail,
    opened_at
) VALUES (
    :channel, :day_on, :kind, :reference, :line_ref, :amount_minor, :currency, :payout_id,
    :detail, :opened_at
)
ON CONFLICT DO NOTHING
RETURNING kind

-- name: breaks
SELECT
    channel, day_on, kind, reference, line_ref, amount_minor, currency, payout_id, detail,
    opened_at
FROM breaks
WHERE 1 = 1
  AND channel = :channel -- if given
ORDER BY opened_at, channel, day_on, kind, reference, line_ref


-- name: insert_data_key
-- No row when there is an index key already: the first one stays.
INSERT INTO data_keys (id, purpose, kek_id, wrapped, created_at)
VALUES (:id, :purpose, :kek_id, :wrapped, :created_at)
ON CONFLICT DO NOTHING

-- name: data_keys
SELECT id, purpose, kek_id, wrapped FROM data_keys
WHERE 1 = 1
  AND id = :id -- if given
  AND purpose = :purpose -- if given
ORDER BY created_at, id

-- name: rewrap_data_key
UPDATE data_keys SET kek_id = :kek_id, wrapped = :wrapped WHERE id = :id
RETURNING id

-- name: beat
INSERT INTO heartbeats (slot, beats) VALUES (:slot, 1)
ON CONFLICT (slot) DO UPDATE SET beats = heartbeats.beats + 1
