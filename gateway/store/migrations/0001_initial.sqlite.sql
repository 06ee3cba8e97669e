-- The whole schema, for SQLite. Its twin for PostgreSQL differs in types and triggers only; a test
-- compares the two once migrated.
--
-- Conventions: times are microseconds since 1970 UTC; dates are ISO text; amounts are minor units;
-- flags are 0 or 1; "sealed" columns hold AES-256-GCM ciphertext (gateway/store/vault.py).
-- merchant_id leads every key of the hot path, so that it can be sharded by merchant.

CREATE TABLE merchants (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    funding TEXT NOT NULL CHECK (funding IN ('prefunded', 'credit', 'pass_through')),
    credit_limit_minor INTEGER NOT NULL CHECK (credit_limit_minor >= 0),
    fee TEXT NOT NULL, -- FeeSchedule as JSON
    release_delay_s INTEGER NOT NULL CHECK (release_delay_s >= 0),
    review_above_minor INTEGER,
    created_at INTEGER NOT NULL,
    active INTEGER NOT NULL CHECK (active IN (0, 1))
) STRICT;

CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    merchant_id TEXT, -- null for an operator's key
    digest BLOB NOT NULL,
    scopes TEXT NOT NULL, -- separated by spaces
    signing_secret BLOB, -- sealed
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_by_merchant ON api_keys (merchant_id, id);

CREATE TABLE nonces (
    key_id TEXT NOT NULL,
    nonce TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (key_id, nonce)
) STRICT, WITHOUT ROWID;
CREATE INDEX nonces_by_age ON nonces (at);

CREATE TABLE webhook_endpoints (
    id TEXT PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    url TEXT NOT NULL,
    secrets BLOB NOT NULL, -- sealed JSON array
    kinds TEXT NOT NULL, -- JSON array of event kinds; [] for all
    active INTEGER NOT NULL CHECK (active IN (0, 1)),
    created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX webhook_endpoints_by_merchant ON webhook_endpoints (merchant_id, active);

CREATE TABLE payouts (
    merchant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    fingerprint BLOB NOT NULL, -- SHA-256 of the canonical request body
    merchant_ref TEXT NOT NULL,
    currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    fee_minor INTEGER NOT NULL CHECK (fee_minor >= 0),
    instruments BLOB NOT NULL, -- sealed JSON array
    purpose TEXT NOT NULL,
    speed TEXT NOT NULL CHECK (speed IN ('standard', 'fast', 'instant')),
    deadline_at INTEGER,
    release_at INTEGER,
    max_fee_minor INTEGER,
    metadata TEXT NOT NULL, -- JSON object
    state TEXT NOT NULL CHECK (state IN (
        'held', 'scheduled', 'routing', 'attempting', 'parked',
        'paid', 'settled', 'returned', 'failed', 'cancelled'
    )),
    version INTEGER NOT NULL CHECK (version > 0),
    accepted_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    due_at INTEGER,
    reason TEXT,
    owner TEXT,
    PRIMARY KEY (merchant_id, id)
) STRICT;
CREATE UNIQUE INDEX payouts_one_per_key ON payouts (merchant_id, idempotency_key);
CREATE UNIQUE INDEX payouts_one_per_ref ON payouts (merchant_id, merchant_ref);
CREATE INDEX payouts_by_id ON payouts (id);
CREATE INDEX payouts_by_state ON payouts (state, id);
CREATE INDEX payouts_due ON payouts (due_at) WHERE due_at IS NOT NULL;

-- Which payouts may go to a payee, without saying who that is: keyed blind index per instrument.
CREATE TABLE payees (
    merchant_id TEXT NOT NULL,
    payee_index BLOB NOT NULL,
    payout_id TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, payee_index, payout_id, instrument)
) STRICT, WITHOUT ROWID;

CREATE TABLE attempts (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    channel TEXT NOT NULL,
    reference TEXT NOT NULL,
    instrument INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'armed', 'pending', 'in_doubt', 'confirmed', 'dead', 'returned'
    )),
    digest TEXT NOT NULL,
    armed_at INTEGER NOT NULL,
    signed_at INTEGER NOT NULL,
    not_after INTEGER,
    quoted_fee_minor INTEGER NOT NULL CHECK (quoted_fee_minor >= 0),
    arrival_at INTEGER,
    sends INTEGER NOT NULL CHECK (sends > 0),
    inquiries INTEGER NOT NULL,
    absences INTEGER NOT NULL,
    channel_ref TEXT,
    stage TEXT NOT NULL,
    action BLOB, -- sealed JSON
    refusal BLOB, -- sealed JSON
    certificate TEXT, -- JSON without the channel's words
    certificate_note BLOB, -- sealed: the channel's words, which may name the payee
    doubted_at INTEGER,
    paid_at INTEGER,
    fee_minor INTEGER,
    returned_at INTEGER,
    settled_on TEXT,
    contradictions TEXT NOT NULL DEFAULT '[]', -- JSON array: what the channel says against proof
    PRIMARY KEY (merchant_id, payout_id, number),
    FOREIGN KEY (merchant_id, payout_id) REFERENCES payouts (merchant_id, id),
    -- Dead only with a certificate, a certificate only when dead (reliability.md I2).
    CHECK ((state = 'dead') = (certificate IS NOT NULL))
) STRICT;
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
WHEN OLD.certificate IS NOT NULL AND NEW.certificate IS NOT OLD.certificate
BEGIN SELECT RAISE(ABORT, 'a certificate is never changed'); END;

CREATE TRIGGER attempts_stay BEFORE DELETE ON attempts
BEGIN SELECT RAISE(ABORT, 'attempts are never deleted'); END;

CREATE TRIGGER payouts_stay BEFORE DELETE ON payouts
BEGIN SELECT RAISE(ABORT, 'payouts are never deleted'); END;

CREATE TABLE events (
    feed INTEGER PRIMARY KEY, -- one writer: commits in this order, so no reader can skip one
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    seq INTEGER NOT NULL CHECK (seq > 0),
    kind TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN (
        'held', 'scheduled', 'routing', 'attempting', 'parked',
        'paid', 'settled', 'returned', 'failed', 'cancelled'
    )),
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    detail TEXT NOT NULL -- JSON object without payee data
) STRICT;
CREATE UNIQUE INDEX events_in_order ON events (merchant_id, payout_id, seq);
CREATE INDEX events_feed ON events (merchant_id, feed);

CREATE TRIGGER events_stay_the_same BEFORE UPDATE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

CREATE TRIGGER events_stay BEFORE DELETE ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END;

-- What is added to a PostgreSQL transaction id to make feed positions; always 0 here.
CREATE TABLE feed_base (
    base INTEGER NOT NULL
) STRICT;
INSERT INTO feed_base (base) VALUES (0);

CREATE TABLE decisions (
    id INTEGER PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    decision BLOB NOT NULL -- JSON
) STRICT;
CREATE INDEX decisions_by_payout ON decisions (merchant_id, payout_id, id);

CREATE TABLE evidence (
    merchant_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    evidence BLOB NOT NULL, -- sealed JSON
    PRIMARY KEY (merchant_id, payout_id, seq)
) STRICT;

CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    merchant_id TEXT NOT NULL,
    endpoint_id TEXT NOT NULL,
    payout_id TEXT NOT NULL,
    seq INTEGER NOT NULL,
    payload BLOB NOT NULL, -- exactly the bytes that are sent
    state TEXT NOT NULL CHECK (state IN ('due', 'delivered', 'dead')),
    tries INTEGER NOT NULL CHECK (tries >= 0),
    due_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    last_status INTEGER,
    last_error TEXT,
    delivered_at INTEGER
) STRICT;
CREATE UNIQUE INDEX deliveries_in_order ON deliveries (merchant_id, payout_id, endpoint_id, seq);
CREATE INDEX deliveries_by_merchant ON deliveries (merchant_id, created_at);
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'due';

CREATE TABLE entries (
    merchant_id TEXT NOT NULL, -- empty for postings that concern no merchant
    posting TEXT NOT NULL, -- <payout>/<seq>, or op/<key> for an operator's posting
    leg INTEGER NOT NULL,
    book TEXT NOT NULL CHECK (book IN (
        'available', 'held', 'float', 'in_transit',
        'fee_income', 'channel_fee', 'suspense', 'deposits'
    )),
    owner TEXT NOT NULL,
    currency TEXT NOT NULL,
    side TEXT NOT NULL CHECK (side IN ('debit', 'credit')),
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    at INTEGER NOT NULL,
    PRIMARY KEY (merchant_id, posting, leg)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER entries_stay_the_same BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

CREATE TRIGGER entries_stay BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'entries are append-only'); END;

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
    minor INTEGER NOT NULL, -- on the account's normal side
    PRIMARY KEY (book, owner, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_postings (
    key TEXT PRIMARY KEY,
    memo TEXT NOT NULL,
    actor TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;

-- Counts kept beside the rows they count, in the same commit: payouts per state, attempts per
-- channel and state, minor units armed per channel and quarter of an hour. A slot belongs to one
-- writer, so that several never wait for each other here; the count is the sum over slots.
CREATE TABLE tallies (
    kind TEXT NOT NULL,
    owner TEXT NOT NULL,
    bucket INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    total INTEGER NOT NULL,
    PRIMARY KEY (kind, owner, bucket, slot)
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
    id INTEGER PRIMARY KEY,
    channel TEXT NOT NULL,
    seal TEXT NOT NULL, -- binds headers and body to this row
    headers BLOB NOT NULL, -- sealed JSON object
    body BLOB NOT NULL, -- sealed
    received_at INTEGER NOT NULL,
    verdict TEXT
) STRICT;
CREATE INDEX notices_open ON notices (id) WHERE verdict IS NULL;

CREATE TABLE statement_days (
    channel TEXT NOT NULL,
    day_on TEXT NOT NULL,
    kept_at INTEGER NOT NULL,
    PRIMARY KEY (channel, day_on)
) STRICT;

CREATE TABLE statement_lines (
    channel TEXT NOT NULL,
    line_ref TEXT NOT NULL,
    day_on TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('payout', 'return', 'fee', 'other')),
    currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor > 0),
    credit INTEGER NOT NULL CHECK (credit IN (0, 1)),
    booked_at INTEGER NOT NULL,
    reference TEXT,
    channel_ref TEXT,
    memo BLOB, -- sealed
    PRIMARY KEY (channel, line_ref)
) STRICT;
CREATE INDEX statement_lines_by_day ON statement_lines (channel, day_on);

CREATE TABLE breaks (
    channel TEXT NOT NULL,
    day_on TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN (
        'missing_theirs', 'missing_ours', 'amount', 'duplicate', 'status'
    )),
    reference TEXT NOT NULL, -- empty for none
    line_ref TEXT NOT NULL, -- empty for none
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    payout_id TEXT,
    detail TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    PRIMARY KEY (channel, day_on, kind, reference, line_ref)
) STRICT;

CREATE TABLE channel_statuses (
    channel TEXT PRIMARY KEY,
    status TEXT NOT NULL CHECK (status IN ('active', 'paused', 'draining')),
    reason TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    id INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL -- JSON object without secrets
) STRICT;

CREATE TRIGGER audit_stays_the_same BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END;

CREATE TRIGGER audit_stays BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit rows are append-only'); END;

CREATE TABLE data_keys (
    id TEXT PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN ('data', 'index')),
    kek_id TEXT NOT NULL, -- which key-encryption key wraps it
    wrapped BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX data_keys_one_index ON data_keys (purpose) WHERE purpose = 'index';

-- One row per writer; writing it proves that writing works, and that what was read is durable.
CREATE TABLE heartbeats (
    slot INTEGER PRIMARY KEY,
    beats INTEGER NOT NULL
) STRICT;
