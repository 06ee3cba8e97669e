-- What backtests read: payouts in the order of acceptance, and the decisions about them.
--
-- A payout's id begins with its time, so pages and time spans are ranges of the index on ids.


-- name: past_payouts
-- The columns of find_payouts, which `rows.payouts_of` reads.
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
    WHERE id >= :from_id AND id < :until_id
    ORDER BY id
    LIMIT :limit
) AS p
LEFT JOIN attempts AS a ON a.merchant_id = p.merchant_id AND a.payout_id = p.id
ORDER BY p.id, a.number

-- name: past_decisions
SELECT d.payout_id, d.at, d.decision
FROM (
    SELECT merchant_id, id FROM payouts
    WHERE id >= :from_id AND id < :until_id
    ORDER BY id
    LIMIT :limit
) AS p
JOIN decisions AS d ON d.merchant_id = p.merchant_id AND d.payout_id = p.id
ORDER BY d.payout_id, d.id
