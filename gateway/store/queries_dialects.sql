-- Accounts in other platforms' protocols; conventions as in queries.sql.


-- name: insert_dialect_account
INSERT INTO dialect_accounts (
    id, merchant_id, dialect, public_id, keys, switches, version, created_at, removed_at
) VALUES (
    :id, :merchant_id, :dialect, :public_id, :keys, :switches, :version, :created_at, :removed_at
)
ON CONFLICT DO NOTHING
RETURNING id

-- name: update_dialect_account
UPDATE dialect_accounts
SET keys = :keys, switches = :switches, version = :version, removed_at = :removed_at
WHERE id = :id AND version = :before_version
RETURNING id

-- name: dialect_accounts
SELECT id, merchant_id, dialect, public_id, keys, switches, version, created_at, removed_at
FROM dialect_accounts
WHERE 1 = 1
  AND merchant_id = :merchant_id -- if given
  AND id = :id -- if given
  AND dialect = :dialect -- if given
  AND public_id = :public_id -- if given
ORDER BY merchant_id, id

-- name: insert_dialect_order
INSERT INTO dialect_orders (account_id, number, own_number)
VALUES (:account_id, :number, :own_number)
ON CONFLICT DO NOTHING
RETURNING number

-- name: dialect_orders
-- Either number may be asked for; theirs comes first.
SELECT number, own_number FROM dialect_orders
WHERE account_id = :account_id AND number = :wanted
UNION ALL
SELECT number, own_number FROM dialect_orders
WHERE account_id = :account_id AND own_number = :wanted AND number <> :wanted

-- name: claim_payee
-- No row while another order holds it that is younger than :before and not :instead_of.
INSERT INTO payee_claims (merchant_id, payee_index, currency, amount_minor, holder, at)
VALUES (:merchant_id, :payee_index, :currency, :amount_minor, :holder, :at)
ON CONFLICT (merchant_id, payee_index, currency, amount_minor) DO UPDATE
SET holder = excluded.holder, at = excluded.at
WHERE payee_claims.at <= :before
  OR payee_claims.holder = excluded.holder
  OR payee_claims.holder = CAST(:instead_of AS TEXT)
RETURNING holder

-- name: prolong_claim
-- A suspected retry was kept from paying: the next one is measured from it.
UPDATE payee_claims SET at = :at
WHERE merchant_id = :merchant_id AND payee_index = :payee_index AND currency = :currency
  AND amount_minor = :amount_minor AND at < :at

-- name: drop_claim
DELETE FROM payee_claims
WHERE merchant_id = :merchant_id AND payee_index = :payee_index AND currency = :currency
  AND amount_minor = :amount_minor AND holder = :holder

-- name: claim_holder
SELECT holder FROM payee_claims
WHERE merchant_id = :merchant_id AND payee_index = :payee_index AND currency = :currency
  AND amount_minor = :amount_minor

-- name: insert_notify
INSERT INTO dialect_notifies (
    merchant_id, payout_id, account_id, number, own_number, url, problem, accepted_at
) VALUES (
    :merchant_id, :payout_id, :account_id, :number, :own_number, :url, :problem, :accepted_at
)

-- name: owe_notice
-- In the commit that ends the order. What is said is read when it is sent: the payload only says
-- what it is about.
INSERT INTO deliveries (
    id, merchant_id, endpoint_id, payout_id, seq, payload, state, tries, due_at, created_at
)
SELECT
    CAST(:id AS TEXT), n.merchant_id, n.account_id, n.payout_id, :seq, :payload, 'due', 0, :at, :at
FROM dialect_notifies AS n
WHERE n.merchant_id = :merchant_id AND n.payout_id = :payout_id

-- name: owe_notice_of_retries
-- The same for the orders that were found to repeat it. Their own notices came first: the one that
-- the finding owed bears the version it led to.
INSERT INTO deliveries (
    id, merchant_id, endpoint_id, payout_id, seq, payload, state, tries, due_at, created_at
)
SELECT
    'msg_' || SUBSTR(r.payout_id, 4) || CAST(:suffix AS TEXT),
    n.merchant_id, n.account_id, n.payout_id, p.version + :seq, :payload, 'due', 0, :at, :at
FROM payout_retries AS r
JOIN payouts AS p ON p.id = r.payout_id
JOIN dialect_notifies AS n ON n.merchant_id = p.merchant_id AND n.payout_id = p.id
WHERE r.merchant_id = :merchant_id AND r.original_id = :payout_id

-- name: insert_retry
INSERT INTO payout_retries (merchant_id, payout_id, original_id)
VALUES (:merchant_id, :payout_id, :original_id)

-- name: notifies
-- Newest first; of one payout, of one number of an account, or of an account.
SELECT merchant_id, payout_id, account_id, number, own_number, url, problem, accepted_at
FROM dialect_notifies AS n
WHERE 1 = 1
  AND n.merchant_id = :merchant_id -- if given
  AND n.payout_id = :payout_id -- if given
  AND n.account_id = :account_id -- if given
  AND n.number = :number -- if given
ORDER BY n.accepted_at DESC, n.payout_id DESC
LIMIT :limit

-- name: refused_notify
SELECT merchant_id, payout_id, account_id, number, own_number, url, problem, accepted_at
FROM dialect_notifies
WHERE account_id = :account_id AND problem IS NOT NULL
ORDER BY accepted_at DESC, payout_id DESC
LIMIT 1

-- name: prune_claims
-- Looked at again where it is taken away: it may have been claimed anew meanwhile.
DELETE FROM payee_claims
WHERE at <= :before
  AND (merchant_id, payee_index, currency, amount_minor) IN (
      SELECT merchant_id, payee_index, currency, amount_minor FROM payee_claims
      WHERE at <= :before
      ORDER BY at
      LIMIT :limit
  )

-- name: payouts_to_payee
-- Ids sort by time: :since_id keeps the look to the window, however many there were before.
-- The payout by its id alone, as in find_batch_rows.
SELECT p.id
FROM payees AS e
JOIN payouts AS p ON p.id = e.payout_id
WHERE e.merchant_id = :merchant_id AND e.payee_index = :payee_index AND e.payout_id >= :since_id
  AND p.currency = :currency
  AND p.amount_minor + CASE p.fee_mode WHEN 'deducted' THEN p.fee_minor ELSE 0 END = :amount_minor
  AND p.merchant_ref <> :besides
ORDER BY e.payout_id DESC
LIMIT :limit
