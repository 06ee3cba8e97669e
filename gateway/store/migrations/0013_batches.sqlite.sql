-- Batches of payouts: what a file asked for, each row with what became of it.
-- compatible: since 12

CREATE TABLE batches (
    merchant_id TEXT NOT NULL,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint BLOB NOT NULL, -- SHA-256 of all that was asked for
    content TEXT, -- hash of the rows; null where the same may come again
    mode TEXT NOT NULL CHECK (mode IN ('all_or_nothing', 'per_row')),
    profile TEXT NOT NULL,
    currency TEXT NOT NULL,
    row_count INTEGER NOT NULL CHECK (row_count > 0),
    total_minor INTEGER NOT NULL CHECK (total_minor >= 0),
    state TEXT NOT NULL CHECK (state IN (
        'storing', 'checking', 'accepting', 'releasing', 'undoing', 'done', 'refused'
    )),
    reserved_minor INTEGER NOT NULL CHECK (reserved_minor >= 0),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    refused TEXT, -- JSON: why
    PRIMARY KEY (merchant_id, id)
) STRICT;
CREATE UNIQUE INDEX batches_one_per_key ON batches (merchant_id, key);
CREATE UNIQUE INDEX batches_one_per_content ON batches (merchant_id, content)
    WHERE content IS NOT NULL;
CREATE INDEX batches_by_id ON batches (id);
CREATE INDEX batches_under_way ON batches (id)
    WHERE state IN ('checking', 'accepting', 'releasing', 'undoing');

CREATE TABLE batch_rows (
    merchant_id TEXT NOT NULL,
    batch_id TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number > 0),
    line INTEGER NOT NULL,
    merchant_ref TEXT NOT NULL,
    amount_minor INTEGER NOT NULL CHECK (amount_minor >= 0),
    hold_minor INTEGER NOT NULL CHECK (hold_minor >= 0),
    body BLOB NOT NULL, -- sealed JSON
    state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'refused', 'undone')),
    payout_id TEXT,
    refused TEXT, -- JSON: why
    PRIMARY KEY (merchant_id, batch_id, number),
    FOREIGN KEY (merchant_id, batch_id) REFERENCES batches (merchant_id, id),
    CHECK ((state IN ('accepted', 'undone')) = (payout_id IS NOT NULL)),
    CHECK ((state = 'refused') = (refused IS NOT NULL))
) STRICT;
CREATE INDEX batch_rows_by_state ON batch_rows (merchant_id, batch_id, state, number);

CREATE TRIGGER batches_stay BEFORE DELETE ON batches
BEGIN SELECT RAISE(ABORT, 'batches are never deleted'); END;

CREATE TRIGGER batch_rows_stay BEFORE DELETE ON batch_rows
BEGIN SELECT RAISE(ABORT, 'rows of batches are never deleted'); END;
