-- The whole schema, for PostgreSQL. Its twin for SQLite differs in types and triggers only; a test
-- compares the two once migrated.
--
-- Conventions: times are microseconds since 1970 UTC; dates are ISO text; amounts are minor units;
-- flags are 0 or 1; "sealed" columns hold AES-256-GCM ciphertext (gateway/store/vault.py).
-- merchant_id leads every key of the hot path, so that it can be sharded by merchant.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'integrity_constraint_violation';
END
$$;

CREATE TABLE merchants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    funding TEXT NOT NULL CHECK (funding IN ('prefunded', 'credit', 'pass_through')),
    credit_limit_minor BIGINT NOT NULL CHECK (credit_limit_minor >= 0),
    fee TEXT NOT NULL, -- FeeSchedule as JSON
    release_delay_s BIGINT NOT NULL CHECK (release_delay_s >= 0),
    review_above_minor BIGINT,
    created_at BIGINT NOT NULL,
    active SMALLINT NOT NULL CHECK (active IN (0, 1))
);

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    merchant_id TEXT, -- null for an operator's key
    digest BYTEA NOT NULL,
    scopes TEXT NOT NULL, -- separated by spaces
    signing_secret BYTEA, -- sealed
    label TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    revoked_at BIGINT
);
CREATE INDEX api_keys_by_merchant ON api_keys (merchant_id, id);

CREATE TABLE nonces (
    key_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    at BIGINT NOT NULL,
    PRIMARY KEY (key_id, nonce)
);
CREATE INDEX nonces_by_age ON nonces (at);

CREATE TABLE webhook_endpoints (
    id TEXT PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    url TEXT NOT NULL,
    secrets BYTEA NOT NULL, -- sealed JSON array
    kinds TEXT NOT NULL, -- JSON array of event kinds; [] for all
    active SMALLINT NOT NULL CHECK (active IN (0, 1)),
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_endpoints_by_merchant ON webhook_endpoints (merchant_id, active);

CREATE TABLE payouts (
    merchant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL, -- SHA-256 of the canonical request body
    merchant_ref TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    fee_minor BIGINT NOT NULL CHECK (fee_minor >= 0),
    instruments BYTEA NOT NULL, -- sealed JSON array
    purpose TEXT NOT NULL,
    speed TEXT NOT NULL CHECK (speed IN ('standard', 'fast', 'instant')),
    deadline_at BIGINT,
    release_at BIGINT,
    max_fee_minor BIGINT,
    metadata TEXT NOT NULL, -- JSON object
    state TEXT NOT NULL CHECK (state IN (
        'held', 'scheduled', 'routing', 'attempting', 'parked',
        'paid', 'settled', 'returned', 'failed', 'cancelled'
    )),
    version BIGINT NOT NULL CHECK (version > 0),
    accepted_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    due_at BIGINT,
    reason TEXT,
    owner TEXT,
    PRIMARY KEY (merchant_id, id)
);
CREATE UNIQUE INDEX payouts_one_per_key ON payouts (merchant_id, idempotency_key);
CREATE UNIQUE INDEX payouts_one_per_ref ON payouts (merchant_id, merchant_ref);
CREATE INDEX payouts_by_id ON payouts (id);
CREATE INDEX payouts_by_state ON payouts (state, id);
CREATE INDEX payouts_due ON payouts (due_at) WHERE due_at IS NOT NULL;

-- Which payouts may go to a payee, without saying who that is: keyed blind index per instrument.
CREATE TABLE payees (
    merchant_id TEXT NOT NULL,
    payee_index BYTEA NOT NULL,
    payout_id TEXT NOT NULL,
    instrument BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, payee_index, payout_id, instrument)
);

CREATE TABLE attempts (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    number BIGINT NOT NULL CHECK (number > 0),
    channel TEXT NOT NULL,
    reference TEXT NOT NULL,
    instrument BIGINT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'armed', 'pending', 'in_doubt', 'confirmed', 'dead', 'returned'
    )),
    digest TEXT NOT NULL,
    armed_at BIGINT NOT NULL,
    signed_at BIGINT NOT NULL,
    not_after BIGINT,
    quoted_fee_minor BIGINT NOT NULL CHECK (quoted_fee_minor >= 0),
    arrival_at BIGINT,
    sends BIGINT NOT NULL CHECK (sends > 0),
    inquiries BIGINT NOT NULL,
    absences BIGINT NOT NULL,
    channel_ref TEXT,
    stage TEXT NOT NULL,
    action BYTEA, -- sealed JSON
    refusal BYTEA, -- sealed JSON
    certificate TEXT, -- JSON without the channel's words
    certificate_note BYTEA, -- sealed: the channel's words, which may name the payee
    doubted_at BIGINT,
    paid_at BIGINT,
    fee_minor BIGINT,
    returned_at BIGINT,
    settled_on TEXT,
    contradictions TEXT NOT NULL DEFAULT '[]', -- JSON array: what the channel says against proof
    PRIMARY KEY (merchant_id, payout_id, number),
    FOREIGN KEY (merchant_id, payout_id) REFERENCES payouts (merchant_id, id),
    -- Dead only with a certificate, a certificate only when dead (reliability.md I2).
    CHECK ((state = 'dead') = (certificate IS NOT NULL))
);
-- A reference names one attempt for ever (I4).
CREATE UNIQUE INDEX attempts_one_per_reference ON attempts (channel, reference);
-- One live attempt per payout (I1).
CREATE UNIQUE INDEX attempts_one_live ON attempts (merchant_id, payout_id) WHERE state <> 'dead';
CREATE INDEX attempts_by_channel_ref ON attempts (channel, channel_ref)
    WHERE channel_ref IS NOT NULL;
CREATE INDEX attempts_armed ON attempts (armed_at) WHERE state = 'armed';
CREATE INDEX attempts_unsettled ON attempts (channel, paid_at)
    WHERE state = 'confirmed' AND settled_on IS NULL;

CREATE TRIGGER attempts_certificate_stays BEFORE UPDATE OF certificate ON attempts
FOR EACH ROW WHEN (
    OLD.certificate IS NOT NULL AND NEW.certificate IS DISTINCT FROM OLD.certificate
) EXECUTE FUNCTION refuse('a certificate is never changed');

CREATE TRIGGER attempts_stay BEFORE DELETE ON attempts
FOR EACH ROW EXECUTE FUNCTION refuse('attempts are never deleted');

CREATE TRIGGER payouts_stay BEFORE DELETE ON payouts
FOR EACH ROW EXECUTE FUNCTION refuse('payouts are never deleted');

CREATE TABLE events (
    -- (transaction id + feed_base) * 65536 + number within the transaction. Readers stop below the
    -- oldest transaction still open, so none can skip a row that commits late.
    feed BIGINT PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    seq BIGINT NOT NULL CHECK (seq > 0),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'held', 'scheduled', 'routing', 'attempting', 'parked',
        'paid', 'settled', 'returned', 'failed', 'cancelled'
    )),
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL -- JSON object without payee data
);
CREATE UNIQUE INDEX events_in_order ON events (merchant_id, payout_id, seq);
CREATE INDEX events_feed ON events (merchant_id, feed);

CREATE TRIGGER events_stay_the_same BEFORE UPDATE ON events
FOR EACH ROW EXECUTE FUNCTION refuse('events are append-only');

CREATE TRIGGER events_stay BEFORE DELETE ON events
FOR EACH ROW EXECUTE FUNCTION refuse('events are append-only');

-- What is added to a transaction id to make feed positions. Raised at start when the database has
-- been restored into a cluster whose transaction ids are behind the positions already given out.
CREATE TABLE feed_base (
    base BIGINT NOT NULL
);
INSERT INTO feed_base (base) VALUES (0);

CREATE TABLE decisions (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    at BIGINT NOT NULL,
    decision BYTEA NOT NULL -- JSON
);
CREATE INDEX decisions_by_payout ON decisions (merchant_id, payout_id, id);

CREATE TABLE evidence (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    evidence BYTEA NOT NULL, -- sealed JSON
    PRIMARY KEY (merchant_id, payout_id, seq)
);

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    seq BIGINT NOT NULL,
    payload BYTEA NOT NULL, -- exactly the bytes that are sent
    state TEXT NOT NULL CHECK (state IN ('due', 'delivered', 'dead')),
    tries BIGINT NOT NULL CHECK (tries >= 0),
    due_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    last_status BIGINT,
    last_error TEXT,
    delivered_at BIGINT
);
CREATE UNIQUE INDEX deliveries_in_order ON deliveries (merchant_id, payout_id, endpoint_id, seq);
CREATE INDEX deliveries_by_merchant ON deliveries (merchant_id, created_at);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'due';

CREATE TABLE entries (
    merchant_id TEXT NOT NULL, -- empty for postings that concern no merchant
    posting TEXT NOT NULL, -- <payout>/<seq>, or op/<key> for an operator's posting
    leg BIGINT NOT NULL,
    book TEXT NOT NULL CHECK (book IN (
        'available', 'held', 'float', 'in_transit',
        'fee_income', 'channel_fee', 'suspense', 'deposits'
    )),
    owner TEXT NOT NULL,
    currency TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('debit', 'credit')),
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    at BIGINT NOT NULL,
    PRIMARY KEY (merchant_id, posting, leg)
);

CREATE TRIGGER entries_stay_the_same BEFORE UPDATE ON entries
FOR EACH ROW EXECUTE FUNCTION refuse('entries are append-only');

CREATE TRIGGER entries_stay BEFORE DELETE ON entries
FOR EACH ROW EXECUTE FUNCTION refuse('entries are append-only');

-- What every posting adds up to; debit and credit must be equal.
CREATE VIEW postings AS
SELECT
    merchant_id,
    posting,
    currency,
    SUM(CASE side WHEN 'debit' THEN amount_minor ELSE 0 END) AS debit_minor,
    SUM(CASE side WHEN 'credit' THEN amount_minor ELSE 0 END) AS credit_minor
FROM entries
GROUP BY merchant_id, posting, currency;

CREATE TABLE balances (
    book TEXT NOT NULL,
    owner TEXT NOT NULL,
    currency TEXT NOT NULL,
    minor BIGINT NOT NULL, -- on the account's normal side
    PRIMARY KEY (book, owner, currency)
);

CREATE TABLE operator_postings (
    key TEXT PRIMARY KEY,
    memo TEXT NOT NULL,
    actor TEXT NOT NULL,
    at BIGINT NOT NULL
);

-- Counts kept beside the rows they count, in the same commit: payouts per state, attempts per
-- channel and state, minor units armed per channel and quarter of an hour. A slot belongs to one
-- writer, so that several never wait for each other here; the count is the sum over slots.
CREATE TABLE tallies (
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    bucket BIGINT NOT NULL,
    slot BIGINT NOT NULL,
    total BIGINT NOT NULL,
    PRIMARY KEY (kind, owner, bucket, slot)
);

CREATE TABLE notices (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel TEXT NOT NULL,
    seal TEXT NOT NULL, -- binds headers and body to this row
    headers BYTEA NOT NULL, -- sealed JSON object
    body BYTEA NOT NULL, -- sealed
    received_at BIGINT NOT NULL,
    verdict TEXT
);
CREATE INDEX notices_open ON notices (id) WHERE verdict IS NULL;

CREATE TABLE statement_days (
    channel TEXT NOT NULL,
    day_on TEXT NOT NULL,
    kept_at BIGINT NOT NULL,
    PRIMARY KEY (channel, day_on)
);

CREATE TABLE statement_lines (
    channel TEXT NOT NULL,
    line_ref TEXT NOT NULL,
    day_on TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('payout', 'return', 'fee', 'other')),
    currency TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    credit SMALLINT NOT NULL CHECK (credit IN (0, 1)),
    booked_at BIGINT NOT NULL,
    reference TEXT,
    channel_ref TEXT,
    memo BYTEA, -- sealed
    PRIMARY KEY (channel, line_ref)
);
CREATE INDEX statement_lines_by_day ON statement_lines (channel, day_on);

CREATE TABLE breaks (
    channel TEXT NOT NULL,
    day_on TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN (
        'missing_theirs', 'missing_ours', 'amount', 'duplicate', 'status'
    )),
    reference TEXT NOT NULL, -- empty for none
    line_ref TEXT NOT NULL, -- empty for none
    amount_minor BIGINT NOT NULL,
    currency TEXT NOT NULL,
    payout_id TEXT,
    detail TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    PRIMARY KEY (channel, day_on, kind, reference, line_ref)
);

CREATE TABLE channel_statuses (
    channel TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'draining')),
    reason TEXT NOT NULL
);

CREATE TABLE audit (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL -- JSON object without secrets
);

CREATE TRIGGER audit_stays_the_same BEFORE UPDATE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse('audit rows are append-only');

CREATE TRIGGER audit_stays BEFORE DELETE ON audit
FOR EACH ROW EXECUTE FUNCTION refuse('audit rows are append-only');

CREATE TABLE data_keys (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('data', 'index')),
    kek_id TEXT NOT NULL, -- which key-encryption key wraps it
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX data_keys_one_index ON data_keys (purpose) WHERE purpose = 'index';

-- One row per writer; writing it proves that writing works, and that what was read is durable.
CREATE TABLE heartbeats (
    slot BIGINT PRIMARY KEY,
    beats BIGINT NOT NULL
);
